"""What a site declares: systems, intakes, routes and code tables, each in a file of its own name.

Form       ``systems/<system>.yaml``, ``intakes/<system>.<kind>.yaml``, ``routes/<route>.yaml``,
           ``tables/<system>.yaml``; the schemas for editors are in ``sites/schema``
Units      waits are written ``500ms 10s 5m 1h``, inside they are seconds
Not here   values and conditions: `routes.values`; elements and resources: `catalog.model`
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, WithJsonSchema, model_validator

from catalog.model import Names
from routes.values import Condition, Map, PathText, Spoken, Value, refused
from schemas.calendar import BEIJING
from schemas.message import Operation

__all__ = [
    "CodeTable",
    "CodeTableFile",
    "Destination",
    "ExpectedDraft",
    "ExpectedFault",
    "GivenMessage",
    "GrantClause",
    "IntakeDeclaration",
    "IntakeExample",
    "OrderBy",
    "Publish",
    "RouteDeclaration",
    "RouteExample",
    "SystemDeclaration",
]

SYSTEM = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
_WAIT = re.compile(r"([0-9]{1,6})(ms|s|m|h)")
_BEIJING_TIME = "%Y-%m-%dT%H:%M:%S"
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
Requirement = Annotated[str | None, Field(description="Requirement id, e.g. R-B1.")]


class SystemDeclaration(Spoken):
    """A partner's system (业务系统) and how we speak to it."""

    system: Annotated[str, Field(pattern=SYSTEM, max_length=40, description="Its code.")]
    name: Names
    owner: Annotated[str, Field(min_length=1, description="Department that runs it.")]
    requirement: Requirement = None
    connector: Annotated[str, Field(min_length=1, description="Entry point: http-json, soap, …")]
    parallel: Annotated[int, Field(ge=1, le=64, description="Deliveries in flight.")] = 4
    rate_per_s: Annotated[
        float | None, Field(gt=0, le=10_000, description="Calls a second at most.")
    ] = None
    hours: Annotated[
        str | None,
        Field(
            pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
            description="When it may be called, e.g. 22:00-06:00, Beijing time.",
        ),
    ] = None
    poll_s: Annotated[float, Field(gt=0, le=3600, description="Pause between polls, s.")] = 1.0
    bulk: Annotated[
        bool, Field(description="What it sends in may wait for what other systems send.")
    ] = False
    settings: Annotated[
        Mapping[str, JsonValue],
        Field(description="Of the connector; address://NAME/path, secret://NAME, site://path."),
    ] = {}


class CodeTable(Spoken):
    """A partner's codes for one of our code lists (代码对照表)."""

    table: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$")]
    code_list: Annotated[
        str | None, Field(description="Our list; none where the target is none, e.g. operations.")
    ] = None
    to_ours: Annotated[Mapping[str, str], Field(description="Their code: ours.")] = {}
    to_theirs: Annotated[
        Mapping[str, str], Field(description="Our code: theirs. Else the plain inverse.")
    ] = {}

    @model_validator(mode="after")
    def _holds_codes(self) -> Self:
        if not self.to_ours and not self.to_theirs:
            raise refused("table", "a code table needs to_ours or to_theirs")
        return self

    def theirs(self) -> Mapping[str, str]:
        """Our code to theirs: as declared, and the inverse where only one of theirs means it."""
        many = Counter(self.to_ours.values())
        inverse = {ours: theirs for theirs, ours in self.to_ours.items() if many[ours] == 1}
        return inverse | dict(self.to_theirs)


class CodeTableFile(Spoken):
    tables: Annotated[tuple[CodeTable, ...], Field(min_length=1)]


def _operation(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    if given not in set(Operation):
        raise refused(
            "operation",
            f"expected {', '.join(Operation)}, or {{from: path, codes: table}}; found {given!r}",
        )
    return {"const": given}


OperationValue = Annotated[
    Value,
    BeforeValidator(_operation),
    Field(description="created, updated, deleted, or a value that gives one of them."),
]


class Publish(Spoken):
    """One sort of message that a record leads to."""

    resource: Annotated[str, Field(min_length=1, description="Stream it goes to.")]
    operation: OperationValue
    only: Annotated[Condition | None, Field(description="Which records lead to it.")] = None
    for_each: Annotated[
        PathText | None, Field(description="Path of a list: one message for each element, @.x.")
    ] = None
    sequence: Annotated[
        Value | None, Field(description="The source's order for one subject; a date counts too.")
    ] = None
    map: Map


class ExpectedDraft(Spoken):
    resource: str
    operation: str
    sequence: int | None = None
    body: Mapping[str, JsonValue]


class ExpectedFault(Spoken):
    at: Annotated[str, Field(pattern=r"^(/.*)?$", description="JSON Pointer in the record.")]
    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]+$")]


class IntakeExample(Spoken):
    """A record and what becomes of it; run by ``shuniu test``."""

    name: Annotated[str, Field(min_length=1)]
    given: Annotated[Mapping[str, JsonValue], Field(description="A record in partner's words.")]
    expect: tuple[ExpectedDraft, ...] | None = None
    refused: Annotated[tuple[ExpectedFault, ...] | None, Field(min_length=1)] = None

    @model_validator(mode="after")
    def _one_outcome(self) -> Self:
        if (self.expect is None) == (self.refused is None):
            raise refused("example", "an example has expect or refused, one of them")
        return self


class IntakeDeclaration(Spoken):
    """A partner's sort of record (接入): which canonical messages it leads to."""

    intake: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9-]*\.[A-Za-z][A-Za-z0-9_-]*$", max_length=80)
    ]
    requirement: Requirement = None
    publish: Annotated[tuple[Publish, ...], Field(min_length=1)]
    otherwise: Annotated[
        Literal["refuse", "ignore"],
        Field(description="What becomes of a record that none of publish takes."),
    ] = "refuse"
    examples: tuple[IntakeExample, ...] = ()

    @property
    def system(self) -> str:
        return self.intake.partition(".")[0]


def _wait(given: Any) -> float:
    found = _WAIT.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise refused("wait", f"a wait is written 500ms, 10s, 5m or 1h; found {given!r}")
    return int(found[1]) * _UNITS_S[found[2]]


Wait = Annotated[
    float,
    BeforeValidator(_wait),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}(ms|s|m|h)$"}),
]
StreamName = Annotated[
    str, Field(pattern=r"^[a-z][A-Za-z0-9]*(\.(created|updated|deleted))?$", max_length=100)
]


OrderBy = Literal["none", "subject", "route"]


def _ends(given: Any) -> datetime:
    if isinstance(given, str):
        try:
            return datetime.strptime(given, _BEIJING_TIME).replace(tzinfo=BEIJING)
        except ValueError:
            pass
    raise refused(
        "ends", f"a grant ends at a time such as 2027-01-01T00:00:00, of Beijing; found {given!r}"
    )


class GrantClause(Spoken):
    """What a route may pass on, and for how long: the grant (授权) that it carries out."""

    number: Annotated[str, Field(pattern=r"^G[0-9]{4}-[0-9]{6}$", description="Of the grant.")]
    items: Annotated[
        tuple[str, ...],
        Field(min_length=1, description="Granted items; Group/item, or Group for all of it."),
    ]
    ends: Annotated[
        datetime | None,
        BeforeValidator(_ends),
        WithJsonSchema({"type": "string", "format": "date-time"}),
        Field(description="From this moment on nothing passes, Beijing time."),
    ] = None
    per_day: Annotated[
        int | None, Field(ge=1, description="Messages a day at most; later ones wait.")
    ] = None


class Destination(Spoken):
    system: Annotated[str, Field(min_length=1)]
    call: Annotated[str, Field(min_length=1, description="Operation, path or table of the target.")]
    only: Annotated[Condition | None, Field(description="Besides the route's own condition.")] = (
        None
    )
    map: Map


class GivenMessage(Spoken):
    """A canonical message of an example; its envelope may be left out."""

    resource: str
    operation: Annotated[str, Field(pattern=r"^(created|updated|deleted)$")] = "created"
    body: Mapping[str, JsonValue]
    id: str = "00000000-0000-7000-8000-000000000000"
    source: str = "example"
    subject: str = "example"
    time: Annotated[
        str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$", description="Beijing time.")
    ] = "2026-01-05T09:00:00"
    sequence: int = 0


class RouteExample(Spoken):
    """A message and what each system is given; systems not named are left out."""

    name: Annotated[str, Field(min_length=1)]
    given: GivenMessage
    expect: Mapping[str, Mapping[str, JsonValue]] | Literal["left out"] | None = None
    refused: Annotated[tuple[ExpectedFault, ...] | None, Field(min_length=1)] = None

    @model_validator(mode="after")
    def _one_outcome(self) -> Self:
        if (self.expect is None) == (self.refused is None):
            raise refused("example", "an example has expect or refused, one of them")
        return self


class RouteDeclaration(Spoken):
    """A path (路由) from streams to systems: filter, map, deliver, retry."""

    route: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9-]+$", max_length=80, description="Names its queue.")
    ]
    requirement: Requirement = None
    streams: Annotated[
        tuple[StreamName, ...],
        Field(alias="from", min_length=1, description="resource, or resource.operation"),
    ]
    only: Annotated[Condition | None, Field(description="Which messages it takes.")] = None
    to: Annotated[tuple[Destination, ...], Field(min_length=1)]
    retry: Annotated[tuple[Wait, ...], Field(max_length=20, description="Waits between tries.")] = (
        10.0,
        60.0,
        600.0,
    )
    order_by: Annotated[
        OrderBy,
        Field(
            description="subject: while one message of a subject waits, its later ones wait too; "
            "route: all later ones do."
        ),
    ] = "none"
    newest_only: Annotated[
        bool, Field(description="A newer message replaces those of its subject that still wait.")
    ] = False
    grant: Annotated[
        GrantClause | None, Field(description="Only what it grants passes, while it lasts.")
    ] = None
    examples: tuple[RouteExample, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.newest_only and self.order_by != "subject":
            raise refused("newest_only", "newest_only needs order_by: subject")
        if list(self.retry) != sorted(self.retry):
            raise refused("retry", "retry: the waits must not get shorter")
        systems = [each.system for each in self.to]
        if twice := [name for name, many in Counter(systems).items() if many > 1]:
            raise refused("to", f"{twice[0]} stands twice under to; write a second route")
        return self
