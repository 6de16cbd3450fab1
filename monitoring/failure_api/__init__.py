"""The failure store for programs: what ``shuniu failures`` does, as JSON under ``/api/``."""
