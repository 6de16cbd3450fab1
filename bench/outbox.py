"""The bench ``outbox``: what services publish, from their outbox in PostgreSQL to the pipeline's queue.

The relay is the hub's own (`hub.subscribers`), publishing what a crash left, as it does when it
starts; the peer reads the same rows in hundreds, and publishes them by aio-pika one by one.

Form       ratio key ``aio_pika``; ``relay`` where each message led to one publication,
           ``relay_batched`` where each led to a hundred
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, insert, select

from bench.children import python_program, running
from bench.hop.sample import LONGEST_S, topology, until
from bench.options import Options
from bench.places import Place
from bench.records import AT, taken
from bench.report import Report, Target
from bench.rounds import Sample, interleaved
from bench.site import RESOURCE, bench_plan
from bench.wire import opened
from hub.convert import convert
from hub.crypto import Sm4Seal
from hub.envelope import encode_body
from hub.ids import new_id, new_trace
from hub.store import Store
from hub.store.tables import outbox as outbox_rows
from hub.topology import PIPELINE
from schemas.errors import Transient
from schemas.message import Operation

__all__ = ["TARGETS", "outbox"]

TARGETS = {"aio_pika": Target(5, 7)}
DEFAULT_MESSAGES = 2000
CHUNK = 500


async def outbox(place: Place, options: Options, told: Callable[[str], None]) -> Report:
    messages = options.messages or DEFAULT_MESSAGES
    relayed = partial(_relayed, place, messages)
    variants = {
        "relay": partial(relayed, "hub_outbox"),
        "relay_batched": partial(relayed, "hub_outbox", each=100),
        "aio_pika": partial(relayed, "aio_pika_outbox"),
    }
    rounds = await interleaved(variants, options.repeats, told)
    report = Report("outbox", _conditions(options, messages), targets=TARGETS)
    report.take(rounds)
    report.compare("aio_pika", rounds.ratio("relay", "aio_pika"))
    report.compare("batched_aio_pika", rounds.ratio("relay_batched", "aio_pika"))
    return report


async def _relayed(place: Place, messages: int, program: str, *, each: int = 1) -> Sample:
    """Time until the pipeline's queue holds all; then the outbox must be empty."""
    async with place.broker() as url:
        with place.database() as database:
            await topology(url, database)
            store = Store(database)
            for rows in _rows(messages, each):
                await store.write(partial(_inserted, rows))
            async with opened(url) as wire:

                async def arrived() -> bool:
                    child.check()
                    return await wire.depth(*PIPELINE) >= messages

                spec = {"url": url, "database": database}
                async with running(python_program(program), spec) as child:
                    cpu, began = child.cpu_s, time.perf_counter()
                    child.go()
                    await until(arrived, f"{messages} messages at the pipeline", LONGEST_S)
                    took_s, cpu = time.perf_counter() - began, child.cpu_s - cpu
                    await until(partial(_cleared, store), "the outbox to be empty", 30)
                    await child.stop()
                if (found := await wire.depth(*PIPELINE)) != messages:
                    raise Transient("bench.short", f"{found} published instead of {messages}")
            store.close()
    return {"per_s": messages / took_s, "cpu_us": cpu / messages * 1e6}


def _rows(messages: int, each: int) -> Sequence[list[dict[str, Any]]]:
    """Rows as a service's handler leaves them, in chunks; *each* of one cause."""
    seal, plan = Sm4Seal(bytes(16)), bench_plan()
    bodies = [
        seal.seal(encode_body(convert(taken(n), plan).messages[0].body)) for n in range(CHUNK)
    ]
    rows: list[dict[str, Any]] = []
    cause = ""
    for n in range(messages):
        cause = new_id(AT) if n % each == 0 else cause
        rows.append(
            {
                "record_id": new_id(AT),
                "service": "bench",
                "cause_id": cause,
                "resource": RESOURCE,
                "operation": Operation.CREATED.value,
                "key": f"P{n}",
                "traceparent": new_trace(),
                "at": AT,
                "sealed": bodies[n % CHUNK],
            }
        )
    return [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]


def _inserted(rows: list[dict[str, Any]], connection: Connection) -> None:
    connection.execute(insert(outbox_rows), rows)


async def _cleared(store: Store) -> bool:
    left = await store.read(lambda c: c.scalar(select(func.count()).select_from(outbox_rows)))
    return left == 0


def _conditions(options: Options, messages: int) -> dict[str, object]:
    return {
        "messages": messages,
        "repeats": options.repeats,
        "relay": "the hub's services role at its start; bodies sealed (SM4) in PostgreSQL, fsync on",
        "aio_pika": "rows read and deleted in hundreds, opened, published confirmed one by one",
    }
