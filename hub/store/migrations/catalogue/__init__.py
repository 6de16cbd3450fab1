"""Alembic's revisions of the catalogue's records: a branch of their own."""
