"""What the engine runs by: the declarations, compiled once.

Not here   reading files and checking declarations: `shuniu.site`, `routes.lint`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from catalog.derive.mask import compile_mask
from catalog.derive.validator import Validator, compile_validator
from catalog.model import Resource
from hub.topology import Binding, bulk_queue, queues_with_bulk, route_queue
from routes.intake import CompiledIntake, compile_intake
from routes.route import CompiledRoute, compile_route
from routes.site import Declarations
from schemas.message import Body

__all__ = ["Plan", "compile_plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Intakes by (system, kind); resources, validators and masks by resource; routes by name.

    *versions*: every version that is accepted, the newest first, each with its validator.
    *in_one_order*: resources of which a route keeps all that it takes in one order. *subjects*: by
    (system, kind), where a record's subject is read before it is mapped; of a system for which that
    is not possible, or not enough, there are none. *bulk*: systems whose records may wait."""

    declarations: Declarations
    intakes: Mapping[tuple[str, str], CompiledIntake]
    resources: Mapping[str, Resource]
    validators: Mapping[str, Validator]
    masks: Mapping[str, Callable[[Body], Body]]
    routes: Mapping[str, CompiledRoute]
    versions: Mapping[str, tuple[tuple[Resource, Validator], ...]]
    in_one_order: frozenset[str]
    subjects: Mapping[tuple[str, str], tuple[str, ...]]
    bulk: frozenset[str]

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return tuple(
            Binding(self.queue_of(r.name), tuple(r.bindings), in_order=r.in_order)
            for r in self.routes.values()
        )

    @property
    def queues(self) -> frozenset[str]:
        """Of its routes."""
        return frozenset(map(self.queue_of, self.routes))

    def queue_of(self, route: str, *, bulk: bool = False) -> str:
        """The queue of one of its routes; *bulk*: where it takes what may wait."""
        queue = route_queue(route, in_order=self.routes[route].in_order)
        return bulk_queue(queue) if bulk else queue

    def queues_of(self, route: str) -> tuple[str, ...]:
        """All queues of one of its routes."""
        return queues_with_bulk(self.queue_of(route))


def compile_plan(declarations: Declarations) -> Plan:
    """Raises `Misconfigured` where a declaration cannot be compiled."""
    catalogue = declarations.catalogue
    intakes = {}
    for declared in declarations.intakes.values():
        system, _, kind = declared.intake.partition(".")
        intakes[system, kind] = compile_intake(declared, declarations)
    routes = [
        compiled
        for declared in declarations.routes.values()
        for compiled in compile_route(declared, declarations)
    ]
    versions = {
        name: tuple(
            (each, compile_validator(each, catalogue))
            for each in (resource, *catalogue.earlier.get(name, ()))
        )
        for name, resource in catalogue.resources.items()
    }
    in_one_order = frozenset(
        kind.partition(".")[0] for r in routes if r.order_by == "route" for kind in r.bindings
    )
    return Plan(
        declarations=declarations,
        intakes=intakes,
        resources=catalogue.resources,
        validators={name: accepted[0][1] for name, accepted in versions.items()},
        masks={n: compile_mask(r, catalogue) for n, r in catalogue.resources.items()},
        routes={compiled.name: compiled for compiled in routes},
        versions=versions,
        in_one_order=in_one_order,
        subjects=_subjects(intakes, in_one_order),
        bulk=frozenset(s.system for s in declarations.systems.values() if s.bulk),
    )


def _subjects(
    intakes: Mapping[tuple[str, str], CompiledIntake], in_one_order: frozenset[str]
) -> dict[tuple[str, str], tuple[str, ...]]:
    whole = {
        system
        for (system, _), intake in intakes.items()
        if intake.subject is None or in_one_order & intake.resources
    }
    return {
        (system, kind): intake.subject
        for (system, kind), intake in intakes.items()
        if intake.subject is not None and system not in whole
    }
