"""A route, compiled: which messages it takes, and what their target is given.

Promises   `CompiledRoute.payload` raises `Rejected` and nothing else, with every fault at its place in
           the canonical body
Not here   delivering and retrying: `hub.delivery`
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.model import Catalogue
from routes.compiler.mapping import Compiler, Holds
from routes.compiler.steps import Built
from routes.model import Destination, OrderBy, RouteDeclaration
from routes.site import Declarations
from routes.targets import SHOWN
from schemas.errors import Fault, Misconfigured, Rejected
from schemas.message import Body, Message

__all__ = ["CompiledRoute", "compile_route"]


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """One destination of a route. *bindings*: ``<resource>.<operation>`` or ``<resource>.*``.
    *version* is that of its declaration."""

    name: str
    system: str
    call: str
    retry_s: tuple[float, ...]
    bindings: tuple[str, ...]
    version: str
    order_by: OrderBy
    newest_only: bool
    _conditions: tuple[Holds, ...] = field(repr=False)
    _build: Built = field(repr=False)

    def payload(self, message: Message) -> Body | None:
        """
        What the system is given of *message*; None where its conditions leave it out.

        Raises `Rejected` (``map.refused``) where a value does not fit what the target takes.
        """
        body = message.body if isinstance(message.body, dict) else dict(message.body)
        for holds in self._conditions:
            if not holds(body, message, None):
                return None
        faults: list[Fault] = []
        made: Body = self._build(body, message, None, "", faults)
        if faults:
            raise Rejected(
                "map.refused",
                "The message cannot be put in the system's words",
                faults=faults,
                route=self.name,
                faulty=len(faults),
            )
        return made


def compile_route(
    declared: RouteDeclaration, declarations: Declarations
) -> tuple[CompiledRoute, ...]:
    """
    One for each destination; with several they are called ``<route>.<system>``.

    Raises `Misconfigured` where it names a resource, system or code table that is not declared.
    """
    for stream in declared.streams:
        resource = stream.partition(".")[0]
        if resource not in declarations.catalogue.resources:
            raise Misconfigured(
                "lint.unknown-resource",
                "No such resource",
                declaration=declared.route,
                resource=resource,
            )
    codes: Mapping[str, Mapping[str, str]] = {
        name: table.theirs() for name, table in declarations.tables.items()
    }
    elements = declarations.catalogue.elements
    compiler = Compiler(
        declaration=declared.route,
        inward=False,
        codes=codes,
        names={name: element.name for name, element in elements.items()},
        shown=_shown(declarations.catalogue),
    )
    return tuple(_compiled(declared, each, compiler, declarations) for each in declared.to)


def _compiled(
    declared: RouteDeclaration, to: Destination, compiler: Compiler, declarations: Declarations
) -> CompiledRoute:
    if to.system not in declarations.systems:
        raise Misconfigured(
            "lint.unknown-system",
            "No such system",
            declaration=declared.route,
            system=to.system,
        )
    conditions = (compiler.condition(declared.only), compiler.condition(to.only))
    return CompiledRoute(
        name=declared.route if len(declared.to) == 1 else f"{declared.route}.{to.system}",
        system=to.system,
        call=to.call,
        retry_s=declared.retry,
        version=_version(declared),
        order_by=declared.order_by,
        newest_only=declared.newest_only,
        bindings=tuple(s if "." in s else f"{s}.*" for s in declared.streams),
        _conditions=tuple(each for each in conditions if each is not None),
        _build=compiler.mapping(to.map),
    )


def _version(declared: RouteDeclaration) -> str:
    """The same for the same declaration, whoever reads it; examples do not count."""
    told = declared.model_dump_json(exclude={"examples"})
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _shown(catalogue: Catalogue) -> frozenset[str]:
    return frozenset(
        name for name, element in catalogue.elements.items() if element.sensitivity in SHOWN
    )
