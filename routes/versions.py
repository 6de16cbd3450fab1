"""Versions (版本) of declarations: short digests of what decides how a record or a message is handled.

Form       twelve hexadecimal digits of a SHA-256, the same on every machine
Careful    examples, names of files and the order of their keys do not count; the code tables that a
           declaration names do. A resource has a version of its own, which messages tell
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from routes.model import CodeTable
from routes.values import Spoken

__all__ = ["version_of"]

DIGITS = 12


def version_of(declared: Spoken, tables: Mapping[str, CodeTable]) -> str:
    """The version of an intake or route, with those of *tables* that it uses."""
    told = declared.model_dump(mode="json", exclude={"examples"})
    used = {
        name: tables[name].model_dump(mode="json") for name in _tables_in(told) if name in tables
    }
    content = json.dumps([told, used], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:DIGITS]


def _tables_in(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        for name, value in told.items():
            if name == "codes" and isinstance(value, str):
                yield value
            else:
                yield from _tables_in(value)
    elif isinstance(told, list):
        for each in told:
            yield from _tables_in(each)
