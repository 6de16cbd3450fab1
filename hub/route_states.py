"""Which routes flow and which are halted, and why; kept, so that every process and page agrees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, delete, insert, select

from hub.recover import faults_of
from hub.store import Store
from hub.store.tables import route_states
from schemas.errors import HubError, Transient

__all__ = ["RouteState", "RouteStates", "halted_routes"]

log = structlog.get_logger("hub.routes")


@dataclass(frozen=True, slots=True)
class RouteState:
    route: str
    code: str
    faults: tuple[dict[str, Any], ...]
    since: datetime


class RouteStates:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def halted(self, route: str, error: HubError, at: datetime) -> None:
        row = {
            "route": route,
            "state": "halted",
            "code": error.code,
            "faults": [{"code": f.code, "at": f.at, "facts": f.facts} for f in faults_of(error)],
            "since": at,
        }

        def keep(connection: Connection) -> None:
            connection.execute(delete(route_states).where(route_states.c.route == route))
            connection.execute(insert(route_states), row)

        await self._write(keep)

    async def flowing(self, route: str, at: datetime) -> None:
        log.info("route.flowing", route=route, at=at.isoformat())
        gone = delete(route_states).where(route_states.c.route == route)
        await self._write(lambda connection: connection.execute(gone))

    async def _write(self, work: Any) -> None:
        try:
            await self._store.write(work)
        except Transient as error:
            # The state is for people to see; the route itself does not wait for it.
            log.warning("route.state_unkept", code=error.code)


def halted_routes(connection: Connection) -> Mapping[str, RouteState]:
    return {
        row.route: RouteState(row.route, row.code, tuple(row.faults), row.since)
        for row in connection.execute(select(route_states))
    }
