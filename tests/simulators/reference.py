"""The reference site as the hub reads it, and one item case per item of a made-up application."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from catalog.derive.validator import Validator, compile_validator
from catalog.read import read_catalogue
from routes.intake import CompiledIntake, Draft, compile_intake
from routes.route import CompiledRoute, compile_route
from routes.site import Declarations, read_declarations
from schemas.message import (
    Body,
    Message,
    MessageId,
    Operation,
    ResourceName,
    SystemCode,
)
from simulators.lifecycle import Case

__all__ = ["ITEMS", "case_of", "intake", "item_cases", "message", "route", "validator"]

SITE = Path(__file__).parents[2] / "sites/reference"
ORG = "11130100MB0000000X"
# Item number by catalogue code; limits differ so that courses do.
ITEMS = {
    "000109001000": (1, 10),
    "000123002000": (2, 5),
    "000131023000": (3, 8),
    "000131024000": (4, 3),
    "000131025000": (5, 1),
    "000117006000": (6, 7),
    "000195007000": (7, 10),
}


@cache
def declarations() -> Declarations:
    files = {
        str(path.relative_to(SITE)): path.read_text(encoding="utf-8")
        for path in SITE.rglob("*.yaml")
    }
    return read_declarations(files, read_catalogue(files))


@cache
def intake(name: str) -> CompiledIntake:
    return compile_intake(declarations().intakes[name], declarations())


@cache
def route(name: str) -> CompiledRoute:
    (compiled,) = compile_route(declarations().routes[name], declarations())
    return compiled


@cache
def validator(resource: str) -> Validator:
    catalogue = declarations().catalogue
    return compile_validator(catalogue.resources[resource], catalogue)


def message(resource: str, body: Body, operation: str = "created", source: str = "x") -> Message:
    return Message(
        id=MessageId("019b8a00-0000-7000-8000-000000000001"),
        source=SystemCode(source),
        resource=ResourceName(resource),
        operation=Operation(operation),
        subject="",
        time=datetime(2026, 3, 2, tzinfo=UTC),
        region="",
        sequence=0,
        dataschema="",
        digest="",
        traceparent="",
        body=body,
    )


def item_cases(draft: Draft) -> list[dict[str, Any]]:
    """What an application splits into; the names of offices matter to nobody here."""
    body = draft.body
    kept = {
        name: value
        for name, value in body.items()
        if name not in ("themeCode", "themeName", "ChosenItem")
    }
    cases = []
    for chosen in body["ChosenItem"]:
        code = chosen["catalogCode"]
        number, days = ITEMS[code]
        cases.append(
            {
                **kept,
                "caseNo": f"{body['applicationNo']}-{number}",
                "catalogCode": code,
                "taskCode": f"{ORG}3{code}",
                "taskName": "测试事项",
                "handlingMode": chosen["handlingMode"],
                "projectTypeCode": "2",
                "promiseLimit": days,
                "promiseUnit": "1",
                "statutoryLimit": 20,
                "statutoryUnit": "1",
                "handlingOrgName": "测试机关",
            }
        )
    return cases


def case_of(body: Body) -> Case:
    """The case as the hub knows it; whoever knows this knows its course."""
    known: Any = body
    return Case(
        case_no=known["caseNo"],
        applied_at=datetime.fromisoformat(known["applyTime"]),
        promised=known["handlingMode"] == "1",
        posted=known["deliveryMode"] == "2",
        promise_days=known["promiseLimit"],
        statutory_days=known["statutoryLimit"],
    )
