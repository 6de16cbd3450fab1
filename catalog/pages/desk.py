"""What every page of the catalogue works with (`PageDesk`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from catalog.lifecycle.people import Actor, Role
from catalog.lifecycle.steps import Standing, Terms, holder, waiting_days
from catalog.model import Catalogue, Names
from catalog.pages.ports import Actors, Elements, Grants, Registry, Uploads, Versions
from catalog.search import Index
from schemas.calendar import beijing_day
from schemas.declarations import InvalidDeclaration
from schemas.errors import Fault, Misconfigured, Rejected
from web.shell import Shell

__all__ = [
    "MOST_TEXT",
    "PageDesk",
    "Waiting",
    "bounded",
    "faults_of",
    "field_of",
    "is_mine",
    "names_of",
    "text_of",
]

# Characters of a declaration that is written on a page or by the API.
MOST_TEXT = 200_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whose turn it is, for how many working days, and how many there are; None: no limit, or no
    calendar for these days."""

    role: Role
    unit: str
    days: int | None
    limit: int | None

    @property
    def tone(self) -> str:
        if self.days is None or self.limit is None or self.days < self.limit:
            return ""
        return "bad" if self.days > self.limit else "warn"


@dataclass
class PageDesk:
    shell: Shell
    registry: Registry
    versions: Versions
    grants: Grants
    actors: Actors
    terms: Terms
    elements: Elements
    uploads: Uploads
    _index: tuple[Catalogue, Index] | None = field(default=None, init=False)

    @property
    def today(self) -> date:
        return beijing_day(self.shell.clock())

    async def index(self) -> Index:
        """Made anew where another catalogue is live."""
        catalogue = await self.registry.catalogue()
        if self._index is None or self._index[0] is not catalogue:
            self._index = (catalogue, Index(catalogue))
        return self._index[1]

    def waiting(self, standing: Standing) -> Waiting | None:
        """None where nobody has it."""
        held = holder(standing)
        if held is None:
            return None
        try:
            days = waiting_days(standing, self.today, self.terms.calendar)
        except Misconfigured:
            days = None
        return Waiting(*held, days, self.terms.limits.of(standing.state))

    def render(
        self, request: Request, template: str, /, *, status: int = 200, **context: Any
    ) -> Response:
        """A page of ours: with who acts, and whom one may choose to be."""
        return self.shell.render(
            request,
            f"catalog.pages:{template}.html",
            status=status,
            actor=self.actors.of(request),
            people=self.actors.choices,
            **context,
        )


def field_of(form: dict[str, list[str]], name: str, most: int = 512) -> str:
    """One field of a form, "" where it is not there."""
    return form.get(name, [""])[0].strip()[:most]


def text_of(form: dict[str, list[str]], most: int = MOST_TEXT) -> str:
    """The declaration in a form, as `bounded` lets it pass."""
    return bounded(form.get("text", [""])[0].replace("\r\n", "\n"), most)


def bounded(text: str, most: int = MOST_TEXT) -> str:
    """*text*, whole. Raises `Rejected` where it is longer than *most* characters: cut off, it would be
    another declaration."""
    if len(text) > most:
        raise Rejected("catalogue.text-too-long", "Too long a declaration", at="text", most=most)
    return text


def names_of(catalogue: Catalogue, resource: str) -> Names:
    """What a resource is called; its own code where it is not live."""
    declared = catalogue.resources.get(resource)
    return declared.name if declared else Names(zh=resource, en=resource)


def is_mine(actor: Actor, held: tuple[Role, str] | None) -> bool:
    """Whether it is *actor*'s turn."""
    return held is not None and actor.may(*held)


def faults_of(error: InvalidDeclaration) -> list[Fault]:
    """What is wrong with a declaration, each with its line, as a page and the API tell it."""
    return [
        Fault("lifecycle.problem", each.path, {"line": each.line, "said": each.said})
        for each in error.problems
    ]
