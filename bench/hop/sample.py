"""One sample of a hop: a queue filled, a program let go, the clock stopped, the outcome proven.

Promises   the clock stops when the target queue holds every message, confirmed by the broker; the
           program is then stopped, and its source must be empty: all was acknowledged. One message
           is taken from the target and must be what its record leads to
Units      rates in messages a second; processor time of client and broker in µs a message
Careful    the target's depth is looked at every 20 ms, which is the precision of the time
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from pamqp import commands

from bench.children import Child, cpu_seconds, python_program, running
from bench.places import QUORUM, Place
from bench.records import MAC, peers_records, taken, taken_records
from bench.rounds import Sample
from bench.site import RESOURCE, ROUTE, bench_plan
from bench.wire import Wire, body_of, opened, published
from hub.broker import Broker, Outgoing
from hub.convert import convert
from hub.crypto import Sm4Seal
from hub.engine import Engine
from hub.store import Store
from hub.tap import copies
from hub.topology import INTAKE, LEDGER, PIPELINE, TAP, depths, route_queue
from schemas.errors import Transient
from shuniu.clock import now

__all__ = [
    "Load",
    "Peer",
    "filled",
    "hub_hop",
    "peer_hop",
    "quiet",
    "taken_in_before",
    "timed",
    "topology",
    "until",
]

SOURCE, TARGET, EXCHANGE = "bench.source", "bench.target", "bench.out"
KEY = f"{RESOURCE}.created.130102"
LOOK_S, LONGEST_S, SETTLE_S = 0.02, 240.0, 10.0
QUIET_S = 0.4
SLOWEST_PER_S = 500


@dataclass(frozen=True, slots=True)
class Load:
    """How many messages of which size, by how many processes, to how many routes. *memory*: tell the
    most that a process held, too."""

    messages: int
    kb: float = 2.0
    processes: int = 1
    destinations: int = 1
    memory: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that does the hop of a peer. *taps*: two more queues get copies, as at the hub's
    exchange of streams. *maps*: what comes out is the canonical body, else the record itself.
    *ours*: it wants the records as the hub's processes send them."""

    command: Callable[[], Sequence[str]]
    taps: bool = False
    maps: bool = True
    ours: bool = False


async def peer_hop(place: Place, peer: Peer, load: Load) -> Sample:
    """From ``bench.source`` through an exchange to ``bench.target``, both quorum queues."""
    command = peer.command()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(place.broker())
        wire = await stack.enter_async_context(opened(url))
        await wire.declare_queue(SOURCE, QUORUM)
        await wire.declare_queue(TARGET, QUORUM)
        await wire.call(
            commands.Exchange.Declare(exchange=EXCHANGE, exchange_type="topic", durable=True)
        )
        queues = [TARGET]
        if peer.taps:
            await wire.declare_queue("bench.ledger", QUORUM)
            await wire.declare_queue("bench.history", {"x-queue-type": "stream"})
            queues += ["bench.ledger", "bench.history"]
        for queue in queues:
            await wire.call(
                commands.Queue.Bind(queue=queue, exchange=EXCHANGE, routing_key=f"{RESOURCE}.#")
            )
        records = taken_records if peer.ours else peers_records
        await filled(wire, SOURCE, records(load.messages, load.kb), load.messages)
        spec = {"url": url, "source": SOURCE, "exchange": EXCHANGE, "key": KEY}
        sample = await timed(
            place, wire, [(command, spec)] * load.processes, load, TARGET, (SOURCE,)
        )
        await _proven(wire, TARGET, load, maps=peer.maps)
    return sample


async def hub_hop(
    place: Place, load: Load, *, keep: Callable[[str, str], Awaitable[None]] | None = None
) -> Sample:
    """The hub's pipeline, with wire tap, history and *destinations* route queues bound. *keep* is
    awaited with the addresses of broker and database before both go."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(place.broker())
        database = stack.enter_context(place.database())
        await topology(url, database, load.destinations)
        wire = await stack.enter_async_context(opened(url))
        await taken_in_before(wire, load)
        spec = {
            "url": url,
            "database": database,
            "roles": ["pipeline"],
            "destinations": load.destinations,
        }
        target = route_queue(f"{ROUTE}-{load.destinations}", in_order=False)
        children = [(python_program("hub_roles"), spec)] * load.processes
        sample = await timed(place, wire, children, load, target, PIPELINE)
        if (tapped := await _tapped(url)) != load.messages:
            raise Transient("bench.short", f"The wire tap holds {tapped} of {load.messages}")
        await _proven(wire, target, load, maps=True)
        if keep is not None:
            await keep(url, database)
    return sample


async def topology(
    url: str, database: str, destinations: int = 1, *, ordered: bool = False
) -> None:
    """Declare what the hub declares, by its own hand."""
    store = Store(database)
    async with Broker(url, name="bench") as broker:
        await Engine(
            url=url,
            broker=broker,
            store=store,
            seal=Sm4Seal(bytes(16)),
            plan=bench_plan(destinations, ordered=ordered),
            clock=now,
        ).declare()
    store.close()


async def filled(wire: Wire, queue: str, records: Iterable[Outgoing], count: int) -> None:
    """Put the records into *queue*."""
    await published(wire, "", ((queue, each.headers, each.body) for each in records))
    await until(lambda: _holds(wire, (queue,), count), "the source to be filled", 30)


async def taken_in_before(wire: Wire, load: Load) -> None:
    """Put records before the pipeline, as the gateway hands them over."""
    records = taken_records(load.messages, load.kb)
    await published(wire, INTAKE, ((each.key, each.headers, each.body) for each in records))
    await until(lambda: _holds(wire, PIPELINE, load.messages), "the source to be filled", 60)


async def timed(
    place: Place,
    wire: Wire,
    commands_and_specs: Sequence[tuple[Sequence[str], Mapping[str, Any]]],
    load: Load,
    target: str,
    source: Sequence[str],
) -> Sample:
    """Let the programs go and take time and processor time until *target* holds all of *source*."""
    async with _children(commands_and_specs) as children:
        cpu, broker = sum(child.cpu_s for child in children), _broker_cpu(place)
        began = time.perf_counter()
        for child in children:
            child.go()

        async def arrived() -> bool:
            for child in children:
                child.check()
            return await _holds(wire, (target,), load.messages)

        longest_s = max(LONGEST_S, load.messages / SLOWEST_PER_S)
        await until(arrived, f"{load.messages} messages in {target}", longest_s)
        took_s = time.perf_counter() - began
        cpu = sum(child.cpu_s for child in children) - cpu
        broker = _broker_cpu(place) - broker
        await quiet(wire, target if SOURCE in source else LEDGER)
        peak_mb = max(child.peak_mb for child in children)
        for child in children:
            await child.stop()
    if left := sum([await _settled(wire, queue) for queue in source]):
        raise Transient("bench.short", f"{left} messages were not acknowledged", source=source[0])
    if (found := await wire.depth(target)) != load.messages:
        raise Transient("bench.short", f"{target} holds {found} instead of {load.messages}")
    sample = {"per_s": load.messages / took_s, "cpu_us": cpu / load.messages * 1e6}
    sample |= {"peak_mb": peak_mb} if load.memory else {}
    return sample | ({"broker_cpu_us": broker / load.messages * 1e6} if broker else {})


@asynccontextmanager
async def _children(
    commands_and_specs: Sequence[tuple[Sequence[str], Mapping[str, Any]]],
) -> AsyncIterator[list[Child]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running(command, spec))
            for command, spec in commands_and_specs
        ]


async def until(
    reached: Callable[[], Awaitable[bool]], wanted: str, within_s: float, look_s: float = LOOK_S
) -> None:
    """Look until *reached*. Raises `Transient` ``bench.short`` when that takes too long."""
    try:
        async with asyncio.timeout(within_s):
            while not await reached():
                await asyncio.sleep(look_s)
    except TimeoutError as error:
        raise Transient("bench.short", f"Waited in vain for {wanted}") from error


async def quiet(wire: Wire, queue: str) -> None:
    """Wait until nothing more comes to *queue*: receipts and acknowledgements follow what is
    confirmed at once, and are done then. What is not comes back to its source, and is noticed."""
    before = -1
    while (depth := await wire.depth(queue)) != before:
        before = depth
        await asyncio.sleep(QUIET_S)


async def _proven(wire: Wire, target: str, load: Load, *, maps: bool) -> None:
    """Take one message and compare it, item by item, with what its record leads to."""
    loop = asyncio.get_running_loop()
    got: asyncio.Future[bytes] = loop.create_future()
    wire.delivered = lambda came: None if got.done() else got.set_result(came[0].content)
    wire.send(commands.Basic.Get(queue=target, no_ack=True))
    async with asyncio.timeout(SETTLE_S):
        found = orjson.loads(body_of(await got))
    number = int(str(found["caseNo" if maps else "ywlsh"])[-6:])
    expected = taken(number, load.kb)
    wanted = (
        dict(convert(expected, bench_plan()).messages[0].body) if maps else expected.record.body
    )
    if found != wanted:
        differs = sorted(name for name in wanted if found.get(name) != wanted[name])
        raise Transient("bench.wrong", f"Other than expected: {', '.join(differs)[:200]}")


async def _tapped(url: str) -> int:
    """How many messages the ledger's queue holds copies of; they stay there."""
    found = 0
    async with Broker(url, name="bench", mac=MAC) as broker:
        left = (await depths(broker, [LEDGER]))[LEDGER][0]
        async with broker.consumer(LEDGER, prefetch=left + 1, steady=True) as consumer:
            while left > 0:
                batch = await consumer.batch(left)
                left -= len(batch)
                found += sum(len(copies(each)) for each in batch if each.exchange == TAP)
    return found


async def _holds(wire: Wire, queues: Sequence[str], count: int) -> bool:
    return await wire.depth(*queues) >= count


async def _settled(wire: Wire, source: str) -> int:
    """The depth of *source* once its consumers are gone; what was unacknowledged is back then."""
    answer = await wire.call(commands.Queue.Declare(queue=source, passive=True))

    async def alone() -> bool:
        nonlocal answer
        answer = await wire.call(commands.Queue.Declare(queue=source, passive=True))
        return not getattr(answer, "consumer_count", 0)

    await until(alone, "the consumers to be gone", SETTLE_S)
    return int(getattr(answer, "message_count", 0))


def _broker_cpu(place: Place) -> float:
    return cpu_seconds(place.broker_pid) if place.broker_pid else 0.0
