"""What is kept of the catalogue's life, as values: versions, acts, grants.

Not here   where it is kept: `hub.registry`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from catalog.lifecycle.steps import Reason, Standing
from catalog.model import Resource

__all__ = [
    "ACTIVE",
    "ENDED",
    "REVOKED",
    "Credential",
    "Done",
    "Draft",
    "Grant",
    "Version",
    "subject_of",
]

ACTIVE, ENDED, REVOKED = "active", "ended", "revoked"


@dataclass(frozen=True, slots=True)
class Version:
    """A version and where it stands. *text*: of its file; *accepted*: superseded, and still taken
    from producers."""

    standing: Standing
    text: str
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft to be kept. *text*: that declares *declared*; *revises*: a draft of this number is under
    way and gets this text."""

    declared: Resource
    text: str
    revises: bool = False

    @property
    def resource(self) -> str:
        return self.declared.resource

    @property
    def number(self) -> int:
        return self.declared.version


@dataclass(frozen=True, slots=True)
class Done:
    """An act that was done. *subject*: a version's, an application's or a grant's; *state*: after
    it; *release*: that it led to."""

    at: datetime
    by: str
    unit: str
    subject: str
    act: str
    state: str
    reasons: Sequence[Reason] = ()
    release: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A grant (授权). *unit*: who has it; *ends*: the moment from which nothing passes; *way*: as of
    `catalog.model.Share`."""

    number: str
    application: str
    resource: str
    system: str
    unit: str
    route: str
    items: tuple[str, ...]
    purpose: str
    per_day: int | None
    state: str
    since: datetime
    ends: datetime
    warned: bool = False
    way: str = "interface"


@dataclass(frozen=True, slots=True)
class Credential:
    """What is told of a grant's secret. *collected_at*: when it was shown; *former_until*: how long
    the one before is good."""

    made_at: datetime
    collected_at: datetime | None = None
    former_until: datetime | None = None


def subject_of(standing: Standing) -> str:
    """How acts name a version: ``caseStep/2``."""
    return f"{standing.resource}/{standing.number}"
