"""What hangs on a resource or an element, and what a change of it would touch, as values.

Not here   how it is found out: `hub.registry.impact`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from catalog.lifecycle.compare import Comparison
from catalog.lifecycle.steps import State
from catalog.model import Names
from schemas.errors import Fault

__all__ = ["BoundUse", "ElementImpact", "Impact", "Recorded", "Use"]


@dataclass(frozen=True, slots=True)
class Use:
    """Somebody who hangs on a resource. *kind*: route, intake, service; *tables*: by exchange
    tables; *grant*: its number, where the route carries one."""

    kind: str
    name: str
    system: str = ""
    owner: str = ""
    grant: str = ""
    tables: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """Recorded messages run through the draft. *failing*: valid now and no longer by the draft;
    *by_fault*: how many of them by code and item; *routes*: how many deliveries would be otherwise,
    by route and how."""

    since: datetime
    messages: int
    unreadable: int
    failing: int
    by_fault: Mapping[tuple[str, str], int]
    routes: Mapping[tuple[str, str], int]

    @property
    def share(self) -> float:
        readable = self.messages - self.unreadable
        return self.failing / readable if readable else 0.0


@dataclass(frozen=True, slots=True)
class Impact:
    """*comparison*: with what is live, None where nothing is; *problems*: what would keep it from
    being published; *recorded*: None where the draft cannot even be compiled."""

    comparison: Comparison | None
    uses: tuple[Use, ...]
    problems: tuple[Fault, ...]
    recorded: Recorded | None

    @property
    def partners(self) -> tuple[str, ...]:
        """Whose systems are touched."""
        return tuple(sorted({use.owner for use in self.uses if use.owner}))


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundUse:
    """A version of a resource that binds the element at *items* (paths). *uses*, *grants* (numbers that
    cover one of these items) and *recorded*: of the live version alone."""

    resource: str
    name: Names
    number: int
    state: State
    items: tuple[str, ...]
    comparison: Comparison
    uses: tuple[Use, ...] = ()
    grants: tuple[str, ...] = ()
    recorded: Recorded | None = None


@dataclass(frozen=True, slots=True)
class ElementImpact:
    """*bound*: live versions first; *problems*: what would keep the change from being made."""

    bound: tuple[BoundUse, ...]
    problems: tuple[Fault, ...]

    @property
    def partners(self) -> tuple[str, ...]:
        """Whose systems are touched."""
        return tuple(sorted({use.owner for each in self.bound for use in each.uses if use.owner}))

    @property
    def grants(self) -> tuple[str, ...]:
        return tuple(sorted({number for each in self.bound for number in each.grants}))

    @property
    def failing(self) -> int:
        """Recorded messages that are valid now, and would be no longer."""
        return sum(each.recorded.failing for each in self.bound if each.recorded)

    @property
    def messages(self) -> int:
        return sum(each.recorded.messages for each in self.bound if each.recorded)
