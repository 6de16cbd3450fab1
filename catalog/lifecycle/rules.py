"""Terms of the life cycle and the people in it, as data: ``rules/catalogue.yaml``.

Careful    the people are a stand-in for sign-in: names that a page offers, believed as they are chosen
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from catalog.lifecycle.people import Actor, Role
from catalog.lifecycle.steps import Limits
from schemas.declarations import Declared

__all__ = ["CatalogueRules", "Person"]

Days = Annotated[int, Field(ge=0, le=1000)]


class Person(Declared):
    name: Annotated[str, Field(min_length=1, max_length=64)]
    unit: Annotated[str, Field(min_length=1)]
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]

    @property
    def actor(self) -> Actor:
        return Actor(self.name, self.unit, frozenset(self.roles))


class CatalogueRules(Declared):
    """Working days for each step, and who may take it. Regions differ: these are the site's."""

    rules: Literal["catalogue"]
    version: Annotated[int, Field(ge=1)]
    unit_review_days: Days
    authority_review_days: Days
    answer_days: Annotated[Days, Field(description="For the provider to answer an application.")]
    notice_days: Annotated[Days, Field(description="Notice of a withdrawal.")]
    warn_days: Annotated[Days, Field(description="Warning before a grant ends.")]
    restore_days: Annotated[Days, Field(description="Calendar days to undo a withdrawal.")]
    grant_days: Annotated[Days, Field(description="Calendar days that a grant lasts at most.")]
    people: tuple[Person, ...] = ()

    @property
    def limits(self) -> Limits:
        told = self.model_dump(exclude={"rules", "version", "people"})
        return Limits(**told)
