"""Mappings compiled once to plain Python: the hot path reads dictionaries and calls functions.

Form       `mapping` writes source whose only literals are numbers and our own variable names; names,
           codes and constants of a declaration are bound in its namespace, never spelled in it
Promises   a compiled function raises nothing: whatever is wrong with a record goes to its *faults*
"""
