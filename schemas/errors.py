"""What can go wrong, said once. The kind of an error decides what happens to the message.

    HubError
    ├── Transient        try again on the route's ladder          timeout, 429, 5xx, broker gone
    ├── Rejected         never again as it is; receipt to sender  an item out of its value domain
    └── Misconfigured    stop the route, raise an alarm           401, 404, unknown element

``code`` is stable, lower case, dotted: the console groups by it, the partner's manual lists it,
tests assert on it. ``summary`` is English, for logs; what a person reads comes from the message
catalogue (`schemas.texts`) by ``code`` and ``facts``. ``facts`` make an error actionable; they are
logged and shown, so they hold names, numbers, sizes: never a body, never a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = [
    "Fact",
    "Facts",
    "Fault",
    "HubError",
    "Misconfigured",
    "Rejected",
    "Transient",
]

Fact = str | int | float | bool | None
Facts = dict[str, Fact]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a record. *at*: JSON Pointer (RFC 6901) to the item, "" for the whole."""

    code: str
    at: str = ""
    facts: Facts = field(default_factory=dict)


class HubError(Exception):
    """Base of all we raise on purpose. Raise one of the three kinds, catch this at the edge."""

    def __init__(self, code: str, summary: str, /, **facts: Fact) -> None:
        super().__init__(f"{summary} [{code}]")
        self.code, self.summary, self.facts = code, summary, facts


class Transient(HubError):
    """Likely to succeed later. *after_s*: the wait the other side asked for, in seconds.
    *in_doubt*: what was asked may have been done all the same."""

    def __init__(
        self,
        code: str,
        summary: str,
        /,
        *,
        after_s: float = 0.0,
        in_doubt: bool = False,
        **facts: Fact,
    ) -> None:
        super().__init__(code, summary, **facts)
        self.after_s, self.in_doubt = after_s, in_doubt


class Rejected(HubError):
    """Will never succeed as it is. *faults*: everything wrong with it, each with its place."""

    def __init__(
        self,
        code: str,
        summary: str,
        /,
        *,
        at: str = "",
        faults: Sequence[Fault] = (),
        **facts: Fact,
    ) -> None:
        super().__init__(code, summary, **facts)
        self.at = at
        self.faults = tuple(faults) or (Fault(code, at, facts),)


class Misconfigured(HubError):
    """Nothing can pass here until a person changes a declaration, a grant or a key."""
