"""Alembic's revisions of this service: a branch of their own."""
