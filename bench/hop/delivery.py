"""The delivery half: route queues to sinks that take at once, one of which may hang for ever.

Form       variants ``deliver_<n>`` (to n routes at once), ``deliver_others`` (n routes, the last of
           which has no messages) and ``deliver_one_dead`` (the last one's sink hangs, its queue is
           full), ``deliver_ordered``; rates count deliveries of all live routes
Careful    a sink that takes at once shows what the hub costs, not what a system does
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from bench.children import python_program, running
from bench.hop.sample import LONGEST_S, Load, quiet, topology
from bench.options import Options
from bench.places import Place
from bench.records import MAC, taken
from bench.rounds import Sample
from bench.site import ROUTE, bench_plan
from bench.wire import opened, published
from hub.broker import Broker, Outgoing
from hub.convert import convert
from hub.envelope import encode_message
from hub.plan import Plan
from hub.topology import LEDGER, route_queue
from schemas.errors import Transient

__all__ = ["deliver", "delivery"]

SHARE = 0.25  # of the hop's messages, for each route
DESTINATIONS = 5


def delivery(
    place: Place, options: Options, load: Load
) -> dict[str, Callable[[], Awaitable[Sample]]]:
    """The variants that *options* ask for."""
    messages = max(20, round(load.messages * SHARE))
    of = partial(deliver, place, messages)
    variants: dict[str, Callable[[], Awaitable[Sample]]] = {}
    if options.destinations > 1 or options.ordered:
        variants["deliver_1"] = partial(of, live=1)
    if options.destinations > 1:
        variants[f"deliver_{options.destinations}"] = partial(of, live=options.destinations)
    if options.dead_receiver:
        others = max(options.destinations, DESTINATIONS) - 1
        variants["deliver_others"] = partial(of, live=others, idle=1)
        variants["deliver_one_dead"] = partial(of, live=others, dead=1)
    if options.ordered:
        variants["deliver_ordered"] = partial(of, live=1, ordered=True)
    return variants


async def deliver(
    place: Place, messages: int, *, live: int, idle: int = 0, dead: int = 0, ordered: bool = False
) -> Sample:
    """Fill the queues of *live* and *dead* routes, and time until the live sinks have all."""
    routes = live + idle + dead
    plan = bench_plan(routes, ordered=ordered)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(place.broker())
        database = stack.enter_context(place.database())
        await topology(url, database, routes, ordered=ordered)
        wire = await stack.enter_async_context(opened(url))
        names = [f"{ROUTE}-{n}" for n in range(1, routes + 1)]
        queues = [route_queue(name, in_order=ordered) for name in names]
        for queue in [*queues[:live], *queues[live + idle :]]:
            await published(wire, "", (_due(queue, n, plan) for n in range(messages)))
        spec = {
            "url": url,
            "database": database,
            "destinations": routes,
            "hanging": [f"target-{n}" for n in range(live + idle + 1, routes + 1)],
            "ordered": ordered,
            "messages": messages,
            "live": live,
        }
        child = await stack.enter_async_context(running(python_program("hub_delivery"), spec))
        cpu, began = child.cpu_s, time.perf_counter()
        child.go()
        if (line := await child.line(LONGEST_S)) != "done":
            raise Transient("bench.child", f"hub_delivery said {line[:100]}")
        took_s, cpu = time.perf_counter() - began, child.cpu_s - cpu
        await quiet(wire, LEDGER)
        await child.stop()
        for queue in queues[:live]:
            if left := await wire.depth(queue):
                raise Transient("bench.short", f"{left} deliveries were not acknowledged")
    count = messages * live
    return {"per_s": count / took_s, "cpu_us": cpu / count * 1e6}


def _due(queue: str, n: int, plan: Plan) -> tuple[str, Mapping[str, Any], bytes]:
    """The message of the *n*-th record, as it stands in the queue of a route."""
    headers, body = encode_message(convert(taken(n), plan).messages[0], f"{n}")
    signed = Broker("amqp://127.0.0.1", name="bench", mac=MAC).signed(
        Outgoing("", queue, body, headers)
    )
    return queue, signed.headers, body
