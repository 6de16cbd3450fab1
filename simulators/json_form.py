"""Forms in JSON, looked at as a partner's clerk does: what is missing?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["missing"]


def missing(content: Any, names: Sequence[str]) -> str:
    """The first of *names* (dots between steps) that *content* lacks, "" where none is."""
    for name in names:
        found: Any = content
        for step in name.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        if found in (None, "", []):
            return name
    return ""
