"""The bench ``gateway``: signed submissions over HTTP, beside a bare Starlette app on the same server.

A submission is a record of 2 KB, signed by HMAC-SM3 or by SM2, with a nonce of its own; it is answered 202
when the broker holds it. The bare app reads the body, parses it and answers 202. Both run in
uvicorn with the hub's settings; the load comes from a process of its own that has signed before.

Form       ratio keys ``starlette``: the gateway beside a hub that works off what comes in, to the
           bare app; ``alone_starlette``: the gateway alone, its queue only filling; ``sm2_starlette``: as the
           first, signed by SM2
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

from bench.children import python_program, running
from bench.hop.sample import LONGEST_S, topology, until
from bench.options import Options
from bench.places import Place
from bench.report import Report, Target
from bench.rounds import Sample, interleaved
from bench.site import ROUTE
from bench.wire import Wire, opened
from hub.crypto.sm2 import Sm2PrivateKey, new_key
from hub.topology import PIPELINE, route_queue
from schemas.errors import Transient
from shuniu.node_identity import free_port

__all__ = ["TARGETS", "gateway"]

TARGETS = {"starlette": Target(0.3, 0.5)}
DEFAULT_MESSAGES = 4000
CONNECTIONS = 32
SECRET = "of the benchmark alone"  # noqa: S105 - it lives for a minute, on this machine


async def gateway(place: Place, options: Options, told: Callable[[str], None]) -> Report:
    messages = options.messages or DEFAULT_MESSAGES
    served = partial(_served, place, messages)
    variants = {
        "gateway": partial(served, "gateway", beside=True),
        "gateway_alone": partial(served, "gateway"),
        "gateway_sm2": partial(served, "gateway", beside=True, sm2=True),
        "starlette": partial(served, "starlette"),
    }
    rounds = await interleaved(variants, options.repeats, told)
    report = Report("gateway", _conditions(options, messages), targets=TARGETS)
    report.take(rounds)
    report.compare("starlette", rounds.ratio("gateway", "starlette"))
    report.compare("alone_starlette", rounds.ratio("gateway_alone", "starlette"))
    report.compare("sm2_starlette", rounds.ratio("gateway_sm2", "starlette"))
    return report


async def _served(
    place: Place, messages: int, app: str, *, beside: bool = False, sm2: bool = False
) -> Sample:
    """Serve *app*, with a hub *beside* it, and submit *messages* records."""
    ours, theirs = (new_key(), new_key()) if sm2 else (None, None)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(place.broker())
        database = stack.enter_context(place.database())
        await topology(url, database)
        wire = await stack.enter_async_context(opened(url))
        base = {"url": url, "database": database, "destinations": 1}
        port = free_port()
        server = await stack.enter_async_context(
            running(
                python_program("web_server"),
                {**base, "app": app, "port": port, "signing": _signing(ours, theirs)},
            )
        )
        spec = {
            "port": port,
            "messages": messages,
            "connections": CONNECTIONS,
            "signing": _signing(theirs, ours),
        }
        load = await stack.enter_async_context(running(python_program("web_load"), spec))
        children = [load, server]
        if beside:
            roles = {**base, "roles": ["pipeline", "ledger"]}
            hub = await stack.enter_async_context(running(python_program("hub_roles"), roles))
            hub.go()
            children.append(hub)
        server.go()
        if (line := await server.line(30)) != "listening":
            raise Transient("bench.child", f"web_server said {line[:100]}", program="web_server")
        cpu = server.cpu_s
        load.go()
        found: dict[str, float] = json.loads(await load.line(LONGEST_S))
        cpu = server.cpu_s - cpu
        if app == "gateway":
            target = (route_queue(f"{ROUTE}-1", in_order=False),) if beside else PIPELINE
            await until(
                partial(_holds, wire, target, messages), f"{messages} in {target}", LONGEST_S
            )
        for child in children:
            await child.stop()
    return {**found, "cpu_us": cpu / messages * 1e6}


def _signing(own: Sm2PrivateKey | None, other: Sm2PrivateKey | None) -> dict[str, str]:
    """The part of a profile that is about signatures: by keys where there are some."""
    if own is None or other is None:
        return {"secret": SECRET}
    return {"sign_type": "SM2", "private_key": own.hex, "public_key": other.public.hex}


async def _holds(wire: Wire, queues: Sequence[str], count: int) -> bool:
    return await wire.depth(*queues) >= count


def _conditions(options: Options, messages: int) -> dict[str, object]:
    return {
        "messages": messages,
        "repeats": options.repeats,
        "load": f"{CONNECTIONS} keep-alive connections over loopback, one request in flight on each,"
        " signed beforehand, from a process of its own",
        "gateway": "HMAC-SM3 verified, nonce kept, record published confirmed, 202; garbage"
        " collector set as in the hub; beside a hub running pipeline and ledger",
        "gateway_sm2": "as gateway, each signature verified by SM2 on the loop, with the system's libcrypto",
    }
