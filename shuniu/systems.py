"""The systems' connectors that are open in one process, exchanged as releases come and go.

Promises   a system whose profile is wrong or whose connector does not open halts its own routes and
           nothing else; a connector is closed when nothing uses it any more
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import time
from typing import Self, cast

import structlog

from front_db.books import Keeper
from hub.delivery import Hours, Link, Turns
from hub.engine import Polled
from hub.follow import Opened
from hub.port import Connector, Receiver, Sink, Source, abilities
from hub.route_states import RouteStates
from hub.store import Store
from routes.model import SystemDeclaration
from schemas.errors import HubError
from schemas.message import SystemCode
from shuniu.addresses import resolved
from shuniu.clock import now
from shuniu.instance import Instance
from shuniu.plugins import make_connector

__all__ = ["OpenSystems"]

log = structlog.get_logger("shuniu.systems")


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    declared: SystemDeclaration
    stack: AsyncExitStack
    link: Link | None
    polled: Polled | None
    receiver: Receiver | None


class OpenSystems:
    """*receivers* is always that of the release which was settled last."""

    def __init__(self, instance: Instance, store: Store) -> None:
        self._instance, self._store, self._states = instance, store, RouteStates(store)
        self._used: dict[str, _Open] = {}
        self._next: dict[str, _Open] = {}
        self.receivers: dict[str, Receiver] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await _close({*self._used.values(), *self._next.values()})

    async def open(self, declared: Mapping[str, SystemDeclaration]) -> Opened:
        """Open those of *declared* that are new or changed; the others go on as they are."""
        coming: dict[str, _Open] = {}
        for code, system in declared.items():
            known = (self._next.get(code), self._used.get(code))
            same = next((each for each in known if each and each.declared == system), None)
            if found := same or await self._opened(system):
                coming[code] = found
        # Of a switch that failed before anything used them.
        unused = {*self._next.values()} - {*coming.values()} - {*self._used.values()}
        self._next = coming
        await _close(unused)
        return Opened(
            links={code: each.link for code, each in coming.items() if each.link},
            polled=[each.polled for each in coming.values() if each.polled],
        )

    async def settle(self) -> None:
        """What was opened last is in use, and nothing else."""
        gone = {*self._used.values()} - {*self._next.values()}
        self._used = dict(self._next)
        receivers = {code: each.receiver for code, each in self._used.items() if each.receiver}
        self.receivers.clear()
        self.receivers.update(receivers)
        await _close(gone)

    async def _opened(self, declared: SystemDeclaration) -> _Open | None:
        instance, code = self._instance, declared.system
        try:
            settings = resolved(
                declared.settings, instance.addresses, instance.secrets, instance.settings.site
            )
            async with AsyncExitStack() as stack:
                connector = make_connector(declared, settings)
                if isinstance(connector, Keeper):
                    connector.keep_in(self._store)
                await stack.enter_async_context(connector)
                opened = _placed(connector, declared, stack.pop_all())
        except HubError as error:
            log.error("system.unusable", system=code, code=error.code, **error.facts)
            await self._states.halted(f"system {code}", error, now())
            return None
        await self._states.flowing(f"system {code}", now())
        return opened


async def _close(systems: set[_Open]) -> None:
    for each in systems:
        try:
            await each.stack.aclose()
        except HubError as error:
            log.warning("system.close_failed", system=each.declared.system, code=error.code)


def _placed(connector: Connector, declared: SystemDeclaration, stack: AsyncExitStack) -> _Open:
    """Use *connector* for all that it says it can do."""
    can, code = abilities(connector), declared.system
    link = Link(
        code,
        cast("Sink", connector),
        Turns(declared.parallel, declared.rate_per_s or 0.0),
        declared.parallel,
        _hours(declared.hours),
    )
    polled = Polled(SystemCode(code), cast("Source", connector), declared.poll_s)
    return _Open(
        declared,
        stack,
        link if "deliver" in can else None,
        polled if "records" in can else None,
        cast("Receiver", connector) if "receive" in can else None,
    )


def _hours(told: str | None) -> Hours | None:
    if told is None:
        return None
    start, _, end = told.partition("-")
    return Hours(time.fromisoformat(start), time.fromisoformat(end))
