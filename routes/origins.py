"""Where in a partner's record each item of a canonical body came from, for the faults found later.

The validator tells a place in the canonical body; the partner knows only the record it sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from routes.paths import Path, Scope, parse_path
from routes.values import Value, targets_of

__all__ = ["Origins"]


class Origins:
    """Of one mapping. *place* falls back on the nearest item above whose origin is known."""

    def __init__(self, mapping: Mapping[str, Value]) -> None:
        self._values = dict(targets_of(mapping))
        self._inner = {
            where: Origins(value.map) for where, value in self._values.items() if value.map
        }

    def place(self, at: str, element: str = "") -> str:
        """The JSON Pointer in the record for *at* in the body; *element*: of its ``for_each``."""
        steps = [s.replace("~1", "/").replace("~0", "~") for s in at.split("/")[1:]]
        return self._place(steps, element)

    def _place(self, steps: list[str], element: str) -> str:
        for n in range(len(steps), 0, -1):
            where = tuple(steps[:n])
            if where not in self._values:
                continue
            text = self._values[where].source()
            if text is None:
                return ""
            here = _at(parse_path(text), element)
            rest = steps[n:]
            if not rest or not rest[0].isdigit():
                return here
            below = f"{here}/{rest[0]}"
            inner = self._inner.get(where)
            return inner._place(rest[1:], below) or below if inner else below  # noqa: SLF001 - of the same class
        return element


def _at(path: Path, element: str) -> str:
    return element + path.pointer if path.scope is Scope.ELEMENT else path.pointer
