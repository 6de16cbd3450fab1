"""Partner systems for demo and tests: real protocols on real sockets, with vocabularies of their own.

Each keeps its own store, follows the course of `simulators.lifecycle` and can be told to misbehave.
None of them knows the hub; they speak what their profile in ``sites/reference`` declares.
"""
