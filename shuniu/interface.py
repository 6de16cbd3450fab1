"""What systems and this hub call at each other, found in the declarations, for what is derived of it.

Speaks to  systems of the connectors ``http-json`` and ``soap``, whose requests are signed alike
Careful    exchange tables are no calls: see `shuniu.tables`. Examples are those kept beside the
           declarations, which ``shuniu test`` proves
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from catalog.derive.interface import Call, Interface, reference
from routes.identity import is_identity
from routes.model import Destination, IntakeDeclaration, RouteDeclaration, SystemDeclaration
from routes.site import Declarations
from routes.spoken_schema import payload_schema, record_schema

__all__ = ["interface_of", "signs_by_sm2"]

JSON, XML = "http-json", "soap"


def interface_of(declarations: Declarations) -> Interface:
    """Both directions, by system and kind."""
    inward = [
        _sent(system, intake, declarations)
        for intake in declarations.intakes.values()
        if (system := declarations.systems.get(intake.system)) and _pushes(system)
    ]
    outward: dict[tuple[str, str], Call] = {}
    for call in _delivered(declarations):
        key = call.system, call.kind
        outward[key] = _both(outward[key], call) if key in outward else call
    by_name = sorted(inward, key=lambda each: (each.system, each.kind))
    return Interface(tuple(by_name), tuple(outward[key] for key in sorted(outward)))


def _pushes(system: SystemDeclaration) -> bool:
    return system.connector in (JSON, XML) and bool(system.settings.get("receives"))


def signs_by_sm2(system: SystemDeclaration) -> bool:
    """Whether its requests and ours to it are signed by SM2 (`connectors.signing_settings`)."""
    return system.settings.get("sign_type") == "SM2"


def _sent(system: SystemDeclaration, intake: IntakeDeclaration, declarations: Declarations) -> Call:
    kind = intake.intake.partition(".")[2]
    names = tuple(dict.fromkeys(each.resource for each in intake.publish))
    if is_identity(intake, declarations.catalogue.resources):
        schema: Mapping[str, Any] = reference(names[0])
    else:
        schema = record_schema(intake, declarations)
    return Call(
        system=system.system,
        names=system.name,
        kind=kind,
        path=f"in/{system.system}/{kind}",
        resources=names,
        schema=schema,
        examples={
            each.name: _plain(each.given) for each in intake.examples if each.refused is None
        },
        xml=system.connector == XML,
        sm2=signs_by_sm2(system),
    )


def _delivered(declarations: Declarations) -> Iterator[Call]:
    for route in declarations.routes.values():
        for to in route.to:
            system = declarations.systems.get(to.system)
            if system and system.connector == JSON and system.settings.get("delivers", True):
                yield _given(system, to, route, declarations)


def _given(
    system: SystemDeclaration,
    to: Destination,
    route: RouteDeclaration,
    declarations: Declarations,
) -> Call:
    calls: Any = system.settings.get("calls", {})
    call = calls.get(to.call, {})
    expected = {
        each.name: _plain(each.expect[to.system])
        for each in route.examples
        if isinstance(each.expect, Mapping) and to.system in each.expect
    }
    return Call(
        system=system.system,
        names=system.name,
        kind=to.call.strip("/"),
        path=str(call.get("path", to.call)).strip("/"),
        resources=tuple(dict.fromkeys(each.partition(".")[0] for each in route.streams)),
        schema=payload_schema(to, route, declarations),
        examples=expected,
        method=str(call.get("method", "POST")),
        sm2=signs_by_sm2(system),
    )


def _both(one: Call, other: Call) -> Call:
    """Two routes that use the same call of a system."""
    schemas: Any = [*_alternatives(one), *_alternatives(other)]
    return Call(
        system=one.system,
        names=one.names,
        kind=one.kind,
        path=one.path,
        resources=tuple(dict.fromkeys((*one.resources, *other.resources))),
        schema={"anyOf": schemas},
        examples={**one.examples, **other.examples},
        method=one.method,
        sm2=one.sm2,
    )


def _alternatives(call: Call) -> list[Any]:
    told: Any = call.schema.get("anyOf")
    return list(told) if told else [call.schema]


def _plain(value: Any) -> Any:
    """Dictionaries and lists, as JSON has them."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
