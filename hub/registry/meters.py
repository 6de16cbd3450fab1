"""The use of grants, item by item, metered from the ledger and the bodies it keeps.

The flow pays nothing for it: what was delivered stands in the ledger, and which of the granted items a
message had stands in its body.

Promises   each delivery counts once, however often this runs or is killed
Careful    a body that is not kept any more counts as a message, and for no item
Units      messages a day of Beijing
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, select, update

from catalog.lifecycle.kept import Grant
from hub.crypto import Seal
from hub.envelope import decode_body
from hub.payloads import unpacked
from hub.registry.grant_rows import grants
from hub.store import insert_once
from hub.store.catalogue import grant_use, grant_use_state
from hub.store.tables import ledger, payloads
from schemas.calendar import beijing_day
from schemas.receipt import Event

__all__ = ["BATCH", "CLOCKS", "WHOLE", "add_use", "bodies_of", "had", "meter", "use_of"]

WHOLE = ""
BATCH = 500
# Clocks of two machines differ by less.
CLOCKS = timedelta(hours=1)
c, u = ledger.c, grant_use.c


def meter(connection: Connection, seal: Seal) -> int:
    """Count what was delivered since the last time, `BATCH` deliveries at most; returns how many
    there were."""
    by_route = {each.route: each for each in grants(connection) if each.route}
    if not by_route:
        return 0
    first = min(each.since for each in by_route.values())
    start = _position(connection)
    end = connection.scalar(select(func.max(c.id))) or 0
    rows = _delivered(connection, by_route, start, end, first)
    if len(rows) == BATCH:
        end = rows[-1]["id"]
    bodies = bodies_of(connection, [row["message_id"] for row in rows])
    counted: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        grant, day = by_route[row["route"]], beijing_day(row["at"]).isoformat()
        body = bodies.get(row["message_id"])
        counted[grant.number, day, WHOLE] += 1
        for item in had(grant, decode_body(unpacked(body, seal)) if body else {}):
            counted[grant.number, day, item] += 1
    add_use(connection, counted)
    state = grant_use_state
    connection.execute(update(state).where(state.c.id == 1).values(position=str(end)))
    return len(rows)


def use_of(connection: Connection, number: str) -> Mapping[str, int]:
    """Messages by item, over all days; `WHOLE`: all of them."""
    query = select(u.item, func.sum(u.messages)).where(u.grant == number).group_by(u.item)
    return {row[0]: int(row[1]) for row in connection.execute(query)}


def _position(connection: Connection) -> int:
    state = grant_use_state
    connection.execute(insert_once(connection, state), {"id": 1, "position": "0"})
    held = select(state.c.position).where(state.c.id == 1).with_for_update()
    return int(connection.execute(held).scalar_one())


def _delivered(
    connection: Connection, routes: Collection[str], start: int, end: int, since: datetime
) -> Sequence[RowMapping]:
    # Rows get their ids in the order in which they are committed: writers take turns.
    query = (
        select(c.id, c.at, c.route, c.message_id)
        .where(
            c.id > start,
            c.id <= end,
            c.event == Event.DELIVERY_DONE.value,
            c.at >= since - CLOCKS,
            c.route.in_(list(routes)),
        )
        .order_by(c.id)
        .limit(BATCH)
    )
    return connection.execute(query).mappings().all()


def bodies_of(connection: Connection, ids: Sequence[str]) -> dict[str, bytes]:
    """By message, the sealed bodies of those that are kept still."""
    held = and_(payloads.c.part == c.part, payloads.c.digest == c.digest)
    query = (
        select(c.message_id, payloads.c.sealed)
        .join(payloads, held)
        .where(c.message_id.in_(ids), c.event == Event.MESSAGE_PUBLISHED.value)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def had(grant: Grant, body: Mapping[str, Any]) -> list[str]:
    """The granted items that have a value in *body*."""
    return [item for item in grant.items if _holds(body, item.split("/"))]


def _holds(found: Any, steps: Sequence[str]) -> bool:
    if not steps:
        return found not in (None, "", [], {})
    if isinstance(found, list):
        return any(_holds(each, steps) for each in found)
    return isinstance(found, Mapping) and _holds(found.get(steps[0]), steps[1:])


def add_use(connection: Connection, counted: Mapping[tuple[str, str, str], int]) -> None:
    """*counted*: messages by grant, day and item."""
    if not counted:
        return
    keys = [{"grant": grant, "day": day, "item": item} for grant, day, item in sorted(counted)]
    connection.execute(insert_once(connection, grant_use), [k | {"messages": 0} for k in keys])
    add = (
        update(grant_use)
        .where(
            u.grant == bindparam("of_grant"),
            u.day == bindparam("on_day"),
            u.item == bindparam("of"),
        )
        .values(messages=u.messages + bindparam("many"))
    )
    rows = [
        {"of_grant": grant, "on_day": day, "of": item, "many": many}
        for (grant, day, item), many in sorted(counted.items())
    ]
    connection.execute(add, rows)
