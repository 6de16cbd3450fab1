"""Runs the examples kept beside the declarations, and tells the difference item by item.

Form       places in differences are JSON Pointers in what was made (or in the list of faults)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from routes.dates import BEIJING
from routes.intake import CompiledIntake, Draft, compile_intake
from routes.model import (
    ExpectedDraft,
    ExpectedFault,
    GivenMessage,
    IntakeDeclaration,
    IntakeExample,
    RouteDeclaration,
    RouteExample,
)
from routes.route import CompiledRoute, compile_route
from routes.site import Declarations
from schemas.errors import HubError, Rejected
from schemas.message import Message, MessageId, Operation, ResourceName, SystemCode
from schemas.texts import say

__all__ = ["ExampleOutcome", "run", "run_intake", "run_route"]


@dataclass(frozen=True, slots=True)
class ExampleOutcome:
    """*declaration*: ``intake …`` or ``route …``. *differences*: nothing where it passed."""

    declaration: str
    example: str
    passed: bool
    differences: tuple[str, ...] = ()


def run(declarations: Declarations) -> list[ExampleOutcome]:
    """All examples of a site. A declaration that cannot be compiled fails all of its own."""
    intakes = (run_intake(each, declarations) for each in declarations.intakes.values())
    routes = (run_route(each, declarations) for each in declarations.routes.values())
    return [outcome for outcomes in (*intakes, *routes) for outcome in outcomes]


def run_intake(declared: IntakeDeclaration, declarations: Declarations) -> list[ExampleOutcome]:
    name = f"intake {declared.intake}"
    try:
        compiled = compile_intake(declared, declarations)
    except HubError as error:
        return _broken(name, [each.name for each in declared.examples], error)
    return [
        _outcome(name, each.name, list(_intake_differences(each, compiled)))
        for each in declared.examples
    ]


def run_route(declared: RouteDeclaration, declarations: Declarations) -> list[ExampleOutcome]:
    name = f"route {declared.route}"
    try:
        compiled = compile_route(declared, declarations)
    except HubError as error:
        return _broken(name, [each.name for each in declared.examples], error)
    streams = set(declared.streams)
    return [
        _outcome(name, each.name, list(_route_differences(each, compiled, streams)))
        for each in declared.examples
    ]


def _broken(name: str, examples: Sequence[str], error: HubError) -> list[ExampleOutcome]:
    said = f"{error.summary}: {', '.join(f'{k} {v}' for k, v in error.facts.items())}"
    return [ExampleOutcome(name, each, passed=False, differences=(said,)) for each in examples]


def _outcome(name: str, example: str, differences: list[str]) -> ExampleOutcome:
    return ExampleOutcome(name, example, not differences, tuple(differences))


def _intake_differences(example: IntakeExample, compiled: CompiledIntake) -> Iterator[str]:
    try:
        drafts = compiled.drafts(example.given)
    except Rejected as refusal:
        yield from _refused(example.refused, refusal)
        return
    if example.expect is None:
        yield f"expected to be refused, made {len(drafts)} messages"
        return
    made = [_shown(draft, wanted) for draft, wanted in _paired(drafts, example.expect)]
    wanted = [each.model_dump(exclude_none=True) for each in example.expect]
    yield from _differences(wanted, made, "")


def _paired(
    drafts: Sequence[Draft], expected: Sequence[ExpectedDraft]
) -> Iterator[tuple[Draft, ExpectedDraft | None]]:
    for n, draft in enumerate(drafts):
        yield draft, expected[n] if n < len(expected) else None


def _shown(draft: Draft, wanted: ExpectedDraft | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "resource": draft.resource,
        "operation": draft.operation.value,
        "body": draft.body,
    }
    if wanted is None or wanted.sequence is not None:
        shown["sequence"] = draft.sequence
    return shown


def _route_differences(
    example: RouteExample, compiled: Sequence[CompiledRoute], streams: set[str]
) -> Iterator[str]:
    message = _message(example.given)
    if not {message.type, str(message.resource)} & streams:
        yield f"the route does not follow {message.type}"
        return
    try:
        made = {each.system: each.payload(message) for each in compiled}
    except Rejected as refusal:
        yield from _refused(example.refused, refusal)
        return
    if example.refused is not None:
        yield "expected to be refused, was let through"
        return
    wanted = {} if isinstance(example.expect, str) else dict(example.expect or {})
    delivered = {system: payload for system, payload in made.items() if payload is not None}
    for system in sorted(wanted.keys() | delivered.keys()):
        if system not in delivered:
            why = "it was left out" if system in made else "the route does not go there"
            yield f"/{system}: expected a delivery, {why}"
        elif system not in wanted:
            yield f"/{system}: expected to be left out, was delivered {delivered[system]!r}"
        else:
            yield from _differences(wanted[system], delivered[system], f"/{system}")


def _message(given: GivenMessage) -> Message:
    return Message(
        id=MessageId(given.id),
        source=SystemCode(given.source),
        resource=ResourceName(given.resource),
        operation=Operation(given.operation),
        subject=given.subject,
        time=datetime.fromisoformat(given.time).replace(tzinfo=BEIJING),
        region="",
        sequence=given.sequence,
        dataschema="",
        digest="",
        traceparent="",
        body=given.body,
    )


def _refused(expected: Sequence[ExpectedFault] | None, refusal: Rejected) -> Iterator[str]:
    found = {(fault.at, fault.code) for fault in refusal.faults}
    if expected is None:
        for fault in refusal.faults:
            yield f"{fault.at}: refused: {say(fault.code, fault.facts, 'en')} [{fault.code}]"
        return
    wanted = {(each.at, each.code) for each in expected}
    for at, code in sorted(wanted - found):
        yield f"{at}: expected the fault {code}, which was not found"
    for at, code in sorted(found - wanted):
        yield f"{at}: found the fault {code}, which was not expected"


def _differences(wanted: object, made: object, at: str) -> Iterator[str]:
    if isinstance(wanted, Mapping) and isinstance(made, Mapping):
        for key in [*wanted, *(k for k in made if k not in wanted)]:
            here = f"{at}/{key}"
            if key not in made:
                yield f"{here}: expected {wanted[key]!r}, is not there"
            elif key not in wanted:
                yield f"{here}: not expected, found {made[key]!r}"
            else:
                yield from _differences(wanted[key], made[key], here)
    elif isinstance(wanted, list | tuple) and isinstance(made, list | tuple):
        for n in range(max(len(wanted), len(made))):
            if n >= len(made):
                yield f"{at}/{n}: expected {wanted[n]!r}, is not there"
            elif n >= len(wanted):
                yield f"{at}/{n}: not expected, found {made[n]!r}"
            else:
                yield from _differences(wanted[n], made[n], f"{at}/{n}")
    elif wanted != made or isinstance(wanted, bool) != isinstance(made, bool):
        yield f"{at}: expected {wanted!r}, found {made!r}"
