"""What the engine runs by: the declarations, compiled once.

Not here   reading files and checking declarations: `shuniu.site`, `routes.lint`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from catalog.derive.mask import compile_mask
from catalog.derive.validator import Validator, compile_validator
from catalog.model import Resource
from hub.topology import Binding, route_queue
from routes.intake import CompiledIntake, compile_intake
from routes.route import CompiledRoute, compile_route
from routes.site import Declarations
from schemas.message import Body

__all__ = ["Plan", "compile_plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Intakes by (system, kind); resources, validators and masks by resource; routes by name."""

    declarations: Declarations
    intakes: Mapping[tuple[str, str], CompiledIntake]
    resources: Mapping[str, Resource]
    validators: Mapping[str, Validator]
    masks: Mapping[str, Callable[[Body], Body]]
    routes: Mapping[str, CompiledRoute]

    @property
    def bindings(self) -> tuple[Binding, ...]:
        return tuple(
            Binding(route_queue(r.name), tuple(r.bindings), in_order=r.order_by != "none")
            for r in self.routes.values()
        )


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
    return Plan(
        declarations=declarations,
        intakes=intakes,
        resources=catalogue.resources,
        validators={n: compile_validator(r, catalogue) for n, r in catalogue.resources.items()},
        masks={n: compile_mask(r, catalogue) for n, r in catalogue.resources.items()},
        routes={compiled.name: compiled for compiled in routes},
    )
