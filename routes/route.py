"""A route, compiled: which messages it takes, and what their target is given.

A route that carries a grant sees of a message what is granted, and nothing else: neither its mapping
nor its conditions nor the connector can reach the rest.

Promises   `CompiledRoute.payload` raises `Rejected` and nothing else, with every fault at its place in
           the canonical body
Not here   delivering and retrying: `hub.delivery`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from catalog.lifecycle.items import compile_only
from catalog.model import Catalogue
from routes.compiler.mapping import Compiler, Holds
from routes.compiler.steps import Built
from routes.deletes import wanted
from routes.model import Destination, GrantClause, OrderBy, RouteDeclaration
from routes.showing import Shown, showing
from routes.site import Declarations
from routes.targets import SHOWN
from routes.versions import version_of
from schemas.errors import Fault, Misconfigured, Rejected
from schemas.message import Body, Message

__all__ = ["CompiledRoute", "compile_route"]


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """One destination of a route. *bindings*: ``<resource>.<operation>`` or ``<resource>.*``.
    *version* is that of its declaration and of the code tables it uses."""

    name: str
    system: str
    call: str
    retry_s: tuple[float, ...]
    bindings: tuple[str, ...]
    version: str
    order_by: OrderBy
    newest_only: bool
    grant: GrantClause | None
    _conditions: tuple[Holds, ...] = field(repr=False)
    _build: Built = field(repr=False)
    _showing: Shown = field(repr=False)
    _only: Callable[[Body], Body] | None = field(repr=False, default=None)

    def passed(self, message: Message) -> Message:
        """*message* as this route may know it."""
        return replace(message, body=self._only(message.body)) if self._only else message

    @property
    def in_order(self) -> bool:
        """Whether it keeps an order, and so has a queue that one consumer at a time works off."""
        return self.order_by != "none"

    def payload(self, message: Message) -> Body | None:
        """
        What the system is given of *message*, as `passed`; None where a condition leaves it out.

        Raises `Rejected` (``map.refused``) where a value does not fit what the target takes.
        """
        message = self.passed(message)
        body = message.body if isinstance(message.body, dict) else dict(message.body)
        for holds in self._conditions:
            if not holds(body, message, None):
                return None
        faults: list[Fault] = []
        made: Body = self._build(body, message, None, "", faults)
        if faults and (left := wanted(faults, message.operation)):
            raise Rejected(
                "map.refused",
                "The message cannot be put in the system's words",
                faults=left,
                route=self.name,
                faulty=len(left),
            )
        return made

    def shown(self, payload: Body) -> Body:
        """What may be shown of a *payload* that this version made."""
        shown: Body = self._showing(payload)
        return shown


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
        version=version_of(declared, declarations.tables),
        order_by=declared.order_by,
        newest_only=declared.newest_only,
        grant=declared.grant,
        bindings=tuple(s if "." in s else f"{s}.*" for s in declared.streams),
        _conditions=tuple(each for each in conditions if each is not None),
        _build=compiler.mapping(to.map),
        _showing=showing(to.map, compiler.shown),
        _only=compile_only(declared.grant.items) if declared.grant else None,
    )


def _shown(catalogue: Catalogue) -> frozenset[str]:
    return frozenset(
        name for name, element in catalogue.elements.items() if element.sensitivity in SHOWN
    )
