"""What the catalogue's pages must be able to ask and do, as Protocols; composition gives the answers.

Careful    everything may raise `Transient`: the database is away
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from starlette.requests import Request

from catalog.derive.interface import Interface
from catalog.lifecycle.flow import Flowed
from catalog.lifecycle.grants import Answer, Application, Asked, Decision, Stage
from catalog.lifecycle.impact import ElementImpact, Impact, Use
from catalog.lifecycle.kept import Credential, Done, Draft, Grant, Version
from catalog.lifecycle.people import Actor
from catalog.lifecycle.steps import Act, Said, Standing, State
from catalog.model import Catalogue, DataElement, Names

__all__ = ["Actors", "Elements", "Grants", "Registry", "System", "Uploads", "Versions"]


@dataclass(frozen=True, slots=True)
class System:
    """A partner's system, as far as pages show it."""

    code: str
    names: Names
    owner: str


class Registry(Protocol):
    """What is known."""

    async def catalogue(self) -> Catalogue:
        """As it is live."""

    async def systems(self) -> Mapping[str, System]:
        """By code."""

    async def interface(self) -> Interface:
        """What they call at the hub, and the hub at them."""

    async def uses(self, resource: str) -> Sequence[Use]:
        """Who hangs on it, as declared."""

    async def flows(self) -> Flowed:
        """What really flowed of late; shared by all who ask at about the same time."""

    async def versions(self, resource: str = "", states: Sequence[State] = ()) -> Sequence[Version]:
        """By resource, the newest first."""

    async def version(self, resource: str, number: int) -> Version:
        """Raises `Rejected` (``lifecycle.unknown``)."""

    async def done(self, subject: str) -> Sequence[Done]:
        """What was done with a version, an application, a grant; oldest first."""

    async def applications(
        self, stages: Sequence[Stage] = (), resource: str = ""
    ) -> Sequence[Application]:
        """The newest first."""

    async def application(self, number: str) -> Application:
        """Raises `Rejected` (``grant.unknown``)."""

    async def grants(self, state: str = "", resource: str = "") -> Sequence[Grant]:
        """Those that end first come first."""

    async def grant(self, number: str) -> Grant:
        """Raises `Rejected` (``grant.unknown``)."""

    async def use(self, number: str) -> Mapping[str, int]:
        """Messages that a grant has delivered, by item; "": all of them."""

    async def credential(self, number: str) -> Credential | None:
        """What is told of a grant's secret; None where it has none."""

    async def view_script(self, number: str, dialect: str, *, end: bool) -> str:
        """What gives a grantee a view in a database, or takes it away. Raises `Rejected` and
        `Misconfigured`."""

    async def impact(self, text: str) -> Impact:
        """What a draft would touch."""

    async def element_impact(self, text: str) -> ElementImpact:
        """What a changed element would touch. Raises `InvalidDeclaration`."""


class Versions(Protocol):
    """What people do with versions; see `hub.registry.versions`."""

    async def draft(self, text: str, actor: Actor) -> Standing: ...
    async def draft_all(self, drafts: Sequence[Draft], actor: Actor) -> None: ...
    async def revise(self, resource: str, number: int, text: str, actor: Actor) -> None: ...
    async def act(
        self, resource: str, number: int, act: Act, actor: Actor, said: Said = ...
    ) -> Standing: ...
    async def end_acceptance(self, resource: str, number: int, actor: Actor) -> None: ...


class Grants(Protocol):
    """What people do with applications and grants; see `hub.registry.grants`."""

    async def apply(self, asked: Asked, actor: Actor) -> Application: ...
    async def amend(self, number: str, asked: Asked, actor: Actor) -> Application: ...
    async def decide(
        self, number: str, decision: Decision, actor: Actor, answer: Answer | None = None
    ) -> Application: ...
    async def revoke(self, number: str, actor: Actor, reason: str) -> None: ...
    async def secret(self, number: str, actor: Actor, *, anew: bool = False) -> str: ...


class Elements(Protocol):
    """What people do with data elements; see `hub.registry.elements`."""

    async def text(self, name: str) -> str: ...
    async def register(self, text: str, actor: Actor) -> DataElement: ...


class Uploads(Protocol):
    """Files that wait to be confirmed, for a while, in whatever process; see `hub.registry.uploads`."""

    async def put(self, by: str, content: bytes, at: datetime) -> str: ...
    async def get(self, token: str, by: str, at: datetime) -> bytes | None: ...
    async def drop(self, token: str) -> None: ...


class Actors(Protocol):
    """Who asks: the seam where sign-in comes in."""

    def of(self, request: Request) -> Actor:
        """The person behind *request*."""

    @property
    def choices(self) -> Sequence[Actor]:
        """Whom a reader may choose to be; none where people sign in."""
