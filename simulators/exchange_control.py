"""Control of the partners that exchange by tables: what they shall do wrong, and what they hold.

Form       ``POST /_sim/faults`` (switches by name), ``GET /_sim/counts``, ``/_sim/holds?call=``,
           ``/_sim/quiet``; none of it is part of the partner's own interface
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["Controlled", "Switches", "control_routes", "turned"]

S = TypeVar("S", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Switches:
    """What goes wrong with the tables; 0 is never. ``…_every``: each n-th time. ``…_s``: seconds."""

    hang_for_s: float = 0.0  # nobody looks at the tables until this much time has passed
    lock_for_s: float = 0.0  # somebody holds all tables' locks for so long
    refuse_every: int = 0  # an application is not accepted, a row is returned by a spot check
    duplicate_every: int = 0  # the same row or event comes a second time
    late_commit_every: int = 0  # a row is stamped at once and committed later
    change_every: int = 0  # a row is corrected soon after it was written
    out_of_order: bool = False  # events of a case are written in reverse

    def changed(self, given: Mapping[str, object]) -> Self:
        """Raises as `turned`."""
        return turned(self, given)


def turned(switches: S, given: Mapping[str, object]) -> S:
    """*switches* with some of them set. Raises `ValueError` for an unknown switch or a value that is no
    number."""
    known = {each.name for each in fields(switches)}
    if unknown := set(given) - known:
        raise ValueError(f"unknown switch: {', '.join(sorted(unknown))}")
    if any(not isinstance(value, int | float) or value < 0 for value in given.values()):
        raise ValueError("a switch takes a number from 0 on, or a truth value")
    return replace(switches, **given)


class Controlled(Protocol):
    """A partner whose behaviour a test or the demo can turn."""

    async def misbehave(self, given: Mapping[str, object], /) -> None: ...
    async def counts(self) -> Mapping[str, int]: ...
    async def holds(self, call: str | None, /) -> list[dict[str, str]]: ...
    async def quiet(self) -> bool: ...


def control_routes(partner: Controlled) -> list[Route]:
    async def faults(request: Request) -> Response:
        try:
            await partner.misbehave(await request.json())
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse({"ok": True})

    async def counts(_: Request) -> Response:
        return JSONResponse(dict(await partner.counts()))

    async def holds(request: Request) -> Response:
        return JSONResponse(await partner.holds(request.query_params.get("call")))

    async def quiet(_: Request) -> Response:
        return JSONResponse({"quiet": await partner.quiet()})

    return [
        Route("/_sim/faults", faults, methods=["POST"]),
        Route("/_sim/counts", counts),
        Route("/_sim/holds", holds),
        Route("/_sim/quiet", quiet),
    ]
