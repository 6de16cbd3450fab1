"""Alembic's environment and the hub's own revisions; each service brings a branch of its own."""
