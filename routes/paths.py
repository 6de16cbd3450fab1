"""Paths: where in a record, in an element of its list, or in the envelope a value stands.

Standard   RFC 6901 (JSON Pointer) for places in faults, and for names that contain a dot
Form       ``applicant.name``; ``@.name`` in an element of a list, ``@`` the element itself;
           ``$.source`` of the envelope; ``/soap.name/x`` where a name contains a dot; ``items.0``
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["ENVELOPE", "Path", "Scope", "parse_path", "pointer_of"]

ENVELOPE = ("id", "operation", "resource", "sequence", "source", "subject", "time")
LONGEST = 200


class Scope(Enum):
    RECORD = "record"
    ELEMENT = "element"
    ENVELOPE = "envelope"


@dataclass(frozen=True, slots=True)
class Path:
    """*steps* are names, or places in a list counted from 0."""

    text: str
    scope: Scope
    steps: tuple[str, ...]

    @property
    def pointer(self) -> str:
        """The place within its scope; "" in the envelope, which is not the partner's."""
        return "" if self.scope is Scope.ENVELOPE else pointer_of(self.steps)

    @property
    def field(self) -> str:
        """What a person calls it: the last name that is not a number."""
        return next((step for step in reversed(self.steps) if not step.isdigit()), self.text)


def pointer_of(steps: tuple[str, ...]) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def parse_path(text: str) -> Path:
    """Raises `ValueError` saying what is wrong with *text*."""
    if not text or text != text.strip() or len(text) > LONGEST:
        raise ValueError("a path is a name or names with dots between them, without blanks around")
    if text.startswith("/"):
        steps = tuple(s.replace("~1", "/").replace("~0", "~") for s in text[1:].split("/"))
        return _checked(Path(text, Scope.RECORD, steps))
    first, _, rest = text.partition(".")
    if first == "$":
        if rest not in ENVELOPE:
            raise ValueError(f"the envelope has $.{', $.'.join(ENVELOPE)}; found {text!r}")
        return Path(text, Scope.ENVELOPE, (rest,))
    if first == "@":
        steps = tuple(rest.split(".")) if text != "@" else ()
        return _checked(Path(text, Scope.ELEMENT, steps))
    return _checked(Path(text, Scope.RECORD, tuple(text.split("."))))


def _checked(path: Path) -> Path:
    if not all(step.strip() for step in path.steps):
        raise ValueError(f"a name is missing between the dots of {path.text!r}")
    if path.steps and path.steps[0] in ("$", "@"):
        raise ValueError(f"$ and @ are followed by a dot and a name; found {path.text!r}")
    return path
