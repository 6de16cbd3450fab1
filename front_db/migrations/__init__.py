"""Revisions of what the hub keeps of tables that are not its own."""
