"""The bench ``ledger``: the wire tap's queue to rows in PostgreSQL, beside the hop that filled it.

Form       ratio key ``hop``: messages whose records, bodies and receipts the ledger keeps in a
           second, to messages the hub passes in a second; at 1 the ledger never falls behind
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from sqlalchemy import func, select

from bench.children import python_program, running
from bench.hop.sample import LONGEST_S, Load, hub_hop, until
from bench.options import Options
from bench.places import Place
from bench.report import Report, Target
from bench.rounds import Sample, interleaved
from bench.wire import opened
from hub.store import Store
from hub.store.tables import ledger as ledger_rows
from hub.store.tables import payloads
from hub.topology import LEDGER
from schemas.errors import Transient
from schemas.receipt import Event

__all__ = ["TARGETS", "ledger"]

TARGETS = {"hop": Target(1.0, 1.5)}
DEFAULT_MESSAGES = 20_000


async def ledger(place: Place, options: Options, told: Callable[[str], None]) -> Report:
    load = Load(options.messages or DEFAULT_MESSAGES)
    rounds = await interleaved({"both": partial(_both, place, load)}, options.repeats, told)
    report = Report("ledger", _conditions(options, load), targets=TARGETS)
    report.take(rounds, {"both": "ledger"})
    report.compare("hop", rounds.quotient("both", "per_s", "hop_per_s"))
    return report


async def _both(place: Place, load: Load) -> Sample:
    """The hop fills the ledger's queue; then the writer empties it, alone on the machine."""
    found: dict[str, float] = {}

    async def write(url: str, database: str) -> None:
        found.update(await _written(url, database, load.messages))

    hop = await hub_hop(place, load, keep=write)
    return {**found, "hop_per_s": hop["per_s"]}


async def _written(url: str, database: str, messages: int) -> dict[str, float]:
    store = Store(database)

    async def kept() -> bool:
        return await store.read(
            lambda c: all(
                (c.scalar(select(func.count()).where(ledger_rows.c.event == event.value)) or 0)
                >= messages
                for event in (Event.RECORD_ACCEPTED, Event.MESSAGE_PUBLISHED)
            )
        )

    spec = {"url": url, "database": database, "roles": ["ledger"], "destinations": 1}
    async with running(python_program("hub_roles"), spec) as child:
        cpu, began = child.cpu_s, time.perf_counter()
        child.go()
        await until(kept, f"the ledger of {messages} messages", LONGEST_S, look_s=0.1)
        took_s, cpu = time.perf_counter() - began, child.cpu_s - cpu
        async with opened(url) as wire:
            await until(partial(wire.is_empty, LEDGER), "the ledger's queue to be empty", 30)
            await child.stop()
            if left := await wire.depth(LEDGER):
                raise Transient("bench.short", f"{left} messages came back to the ledger's queue")
    rows, bodies = await store.read(
        lambda c: (
            c.scalar(select(func.count()).select_from(ledger_rows)) or 0,
            c.scalar(select(func.count()).select_from(payloads)) or 0,
        )
    )
    store.close()
    if bodies != messages:
        raise Transient("bench.short", f"{bodies} bodies kept of {messages}")
    return {
        "per_s": messages / took_s,
        "rows_per_s": (rows + bodies) / took_s,
        "cpu_us": cpu / messages * 1e6,
    }


def _conditions(options: Options, load: Load) -> dict[str, object]:
    return {
        "messages": load.messages,
        "repeats": options.repeats,
        "database": "PostgreSQL, private, fsync and synchronous_commit on",
        "ledger": "all that the hop tapped: messages with sealed bodies (SM4), and receipts; the"
        " hop does not run meanwhile",
    }
