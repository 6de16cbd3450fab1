"""Rows as messages: capture to the stream, and the stream to a table, each a run of its own.

Form       ``capture``: the roles sources and pipeline, until the route's queue holds a message for every
           row; ``arrive``: the role delivery, from such a queue until the table holds every row
Units      rates in rows a second; µs of the hub's processor a row
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

import psycopg
from psycopg import sql

from bench.children import python_program, running
from bench.front_site import FROM, ROUTE, ROWS, front_plan
from bench.hop.sample import LONGEST_S, quiet, until
from bench.places import Place
from bench.records import MAC
from bench.rounds import Sample
from bench.tables import emptied, tables
from bench.wire import opened, published
from front_db.rows import content_of
from hub.broker import Broker, Outgoing
from hub.convert import convert
from hub.crypto import Sm4Seal
from hub.engine import Engine
from hub.envelope import Taken, encode_message
from hub.ids import new_id, new_trace
from hub.store import Store
from hub.topology import LEDGER, route_queue
from schemas.errors import Transient
from schemas.message import Record, SystemCode
from shuniu.clock import now

__all__ = ["flow"]


async def flow(place: Place, way: str, at: tuple[str, str], rows: int) -> Sample:
    """*way*: ``capture`` or ``arrive``; *at*: source and target, of which the source has *rows*."""
    source, target = at
    emptied(source, target)
    queue = route_queue(ROUTE, in_order=False)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(place.broker())
        database = stack.enter_context(place.database())
        await _declared(url, database)
        wire = await stack.enter_async_context(opened(url))
        if way == "arrive":
            await published(wire, "", _due(queue, source, rows))
        roles = ["sources", "pipeline"] if way == "capture" else ["delivery"]
        spec = {"url": url, "database": database, "roles": roles}
        spec |= {"source": source, "target": target}
        child = await stack.enter_async_context(running(python_program("front_hub"), spec))
        watched = stack.enter_context(psycopg.connect(target, autocommit=True))

        async def done() -> bool:
            child.check()
            if way == "capture":
                return await wire.depth(queue) >= rows
            return _count(watched) >= rows

        cpu, began = child.cpu_s, time.perf_counter()
        child.go()
        await until(done, f"{rows} rows by {way}", LONGEST_S)
        took_s, cpu = time.perf_counter() - began, child.cpu_s - cpu
        await quiet(wire, LEDGER)
        peak = child.peak_mb
        await child.stop()
        if (left := await wire.depth(queue)) != (rows if way == "capture" else 0):
            raise Transient("bench.short", f"{left} messages are in {queue} after {way}")
    per_s = rows / took_s
    return {"per_s": per_s, "row_us": 1e6 / per_s, "cpu_us": cpu / rows * 1e6, "peak_mb": peak}


async def _declared(url: str, database: str) -> None:
    store = Store(database)
    async with Broker(url, name="bench") as broker:
        engine = Engine(
            url=url,
            broker=broker,
            store=store,
            seal=Sm4Seal(bytes(16)),
            plan=front_plan(),
            clock=now,
        )
        await engine.declare()
    store.close()


def _due(queue: str, source: str, rows: int) -> Sequence[tuple[str, dict[str, object], bytes]]:
    """The messages of the source's rows, as the pipeline would have left them to the route."""
    out, plan = tables().out, front_plan()
    hub, at = Broker("amqp://127.0.0.1", name="bench", mac=MAC), now()
    names = ["x_op", "x_key", "x_ver", *(each.name for each in out.columns)]
    asked = sql.SQL("SELECT {} FROM {} ORDER BY x_id LIMIT {}").format(
        sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(out.name), sql.Literal(rows)
    )
    found = []
    with psycopg.connect(source) as connection:
        for row in connection.execute(asked):
            body = content_of(dict(zip(names, row, strict=True)), out)
            taken = Taken(
                id=new_id(at),
                system=SystemCode(FROM),
                received_at=at,
                traceparent=new_trace(),
                record=Record(kind=ROWS, key=str(body["x_key"]), body=body),
            )
            headers, content = encode_message(convert(taken, plan).messages[0], taken.id)
            signed = hub.signed(Outgoing("", queue, content, headers))
            found.append((queue, dict(signed.headers), content))
    return found


def _count(connection: psycopg.Connection) -> int:
    asked = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(tables().into.name))
    return int((connection.execute(asked).fetchone() or (0,))[0])
