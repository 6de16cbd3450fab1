"""Data elements and information resources: the declarations, and everything derived from them.

The catalogue is the schema registry: what a resource says of its items is said once, here.
"""
