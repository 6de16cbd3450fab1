"""Declarations as the fields of a form, and back: the text stays the one source of truth."""
