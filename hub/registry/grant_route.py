"""The route that carries out a grant: its declaration, made from what was granted. Pure.

The grantee is given the granted items in the catalogue's own words, a message each; a front-end database
in the columns of the standard table. The example is
made up, and proves the route to whoever applies the release.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import StringIO
from random import Random
from typing import Any

from ruamel.yaml import YAML

from catalog.derive.sample import sample_body
from catalog.lifecycle.items import compile_only, covered
from catalog.model import Catalogue, Resource
from routes.identity import own_names
from schemas.calendar import BEIJING

__all__ = ["GrantRoute", "file_of_grant", "route_name", "route_text"]

Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRoute:
    """*ends*: the moment from which nothing passes."""

    number: str
    system: str
    call: str
    items: tuple[str, ...]
    ends: datetime
    per_day: int | None = None


def route_name(number: str) -> str:
    """Of the grant's route and queue: ``grant-2026-000001``."""
    return f"grant-{number.removeprefix('G')}"


def file_of_grant(number: str) -> str:
    return f"routes/{route_name(number)}.yaml"


def route_text(
    grant: GrantRoute,
    resource: Resource,
    catalogue: Catalogue,
    named: Callable[[str], str] = str,
) -> str:
    """The file of the grant's route. *named*: what the grantee calls an item of the resource: its own
    name, or a column's."""
    clause: dict[str, Any] = {
        "number": grant.number,
        "items": list(grant.items),
        "ends": f"{grant.ends.astimezone(BEIJING):%Y-%m-%dT%H:%M:%S}",
    }
    if grant.per_day is not None:
        clause["per_day"] = grant.per_day
    seed = hashlib.sha256(grant.number.encode()).digest()
    body = sample_body(resource, catalogue, Random(seed))  # noqa: S311 - a made-up example
    passed = compile_only(grant.items)(body)
    mapping = own_names(resource.items, partial(_reaches, granted=grant.items))
    declared = {
        "route": route_name(grant.number),
        "grant": clause,
        "from": [resource.resource],
        # What a system has sent itself does not come back to it.
        "only": {"not": {"$.source": [grant.system]}},
        "to": [
            {
                "system": grant.system,
                "call": grant.call,
                "map": {_renamed(name, named): value for name, value in mapping},
            }
        ],
        "order_by": "subject",
        "examples": [
            {
                "name": "what is granted passes",
                "given": {"resource": resource.resource, "body": dict(body)},
                "expect": {grant.system: {named(name): value for name, value in passed.items()}},
            }
        ],
    }
    return _yaml(declared)


def _renamed(path: str, named: Callable[[str], str]) -> str:
    """What stands in a group keeps its name: the group is one column."""
    first, dot, rest = path.partition(".")
    return f"{named(first)}{dot}{rest}"


def _reaches(path: str, granted: Collection[str]) -> bool:
    return covered(path, granted) or any(each.startswith(f"{path}/") for each in granted)


def _yaml(declared: Mapping[str, Any]) -> str:
    writer = YAML(typ="rt")
    writer.width = 110
    written = StringIO()
    writer.dump(declared, written)
    return written.getvalue()
