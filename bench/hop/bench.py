"""The bench ``hop``: the whole engine's hop beside peers that do the same hop, and the raw relay.

Form       ratio keys: ``broker_limit faststream node kombu`` the hub's rate to theirs;
           ``bare_…`` the same for the hub's transport and mapping without claims and receipts;
           ``two_processes`` to one
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from bench.children import python_program
from bench.hop.delivery import delivery
from bench.hop.sample import Load, Peer, hub_hop, peer_hop
from bench.node_programs import node_program
from bench.options import Options
from bench.places import Place
from bench.records import size_kb
from bench.report import Report, Target
from bench.rounds import Sample, interleaved

__all__ = ["TARGETS", "hop"]

TARGETS = {
    "broker_limit": Target(0.35, 0.60),
    "faststream": Target(8, 15),
    "node": Target(0.85, 1.4),
    "two_processes": Target(1.15, 1.3),
    "hub_cpu_us": Target(120, 75, below=True),
    "dead_receiver_cost_percent": Target(5, 2, below=True),
}
PEERS = {
    "broker_limit": Peer(partial(python_program, "raw_relay"), maps=False),
    "broker_limit_taps": Peer(partial(python_program, "raw_relay"), taps=True, maps=False),
    "hub_bare": Peer(partial(python_program, "hub_bare"), ours=True),
    "faststream": Peer(partial(python_program, "faststream_relay")),
    "kombu": Peer(partial(python_program, "kombu_relay")),
    "node": Peer(partial(node_program, "node", "relay.js")),
    "node_red": Peer(partial(node_program, "node_red", "relay.js")),
}
# Samples of about equal length: how many messages a peer gets to each of the hub's.
WEIGHTS = {
    "broker_limit": 4.0,
    "broker_limit_taps": 2.0,
    "node": 2.0,
    "faststream": 0.3,
    "kombu": 0.3,
}
COMPARED = ("broker_limit", "broker_limit_taps", "faststream", "kombu", "node", "node_red")
DEFAULT_MESSAGES = 24_000


async def hop(place: Place, options: Options, told: Callable[[str], None]) -> Report:
    load = Load(options.messages or DEFAULT_MESSAGES)
    variants: dict[str, Callable[[], Awaitable[Sample]]] = {"hub": partial(hub_hop, place, load)}
    for name, peer in PEERS.items():
        own = replace(load, messages=max(50, round(load.messages * WEIGHTS.get(name, 1))))
        variants[name] = partial(peer_hop, place, peer, own)
    if options.processes > 1:
        # They share the work a second after they met: no part of a run that is long enough.
        count = options.processes
        several = replace(load, processes=count, messages=count * load.messages)
        variants[f"hub_{options.processes}_processes"] = partial(hub_hop, place, several)
    for kb in options.kb:
        if kb != load.kb:
            # A hundred times the bytes: a tenth of the messages will do.
            few = max(50, round(load.messages / max(1.0, kb / 4)))
            sized = Load(few, kb=kb)
            variants[f"hub_{kb:g}kb"] = partial(hub_hop, place, sized)
            limit = partial(peer_hop, place, PEERS["broker_limit"], sized)
            variants[f"broker_limit_{kb:g}kb"] = limit
    if options.destinations > 1:
        many = replace(load, destinations=options.destinations)
        variants[f"hub_to_{options.destinations}"] = partial(hub_hop, place, many)
    variants |= delivery(place, options, load)
    rounds = await interleaved(variants, options.repeats, told)
    report = Report("hop", _conditions(options, load), targets=TARGETS)
    report.take(rounds)
    for name in COMPARED:
        report.compare(name, rounds.ratio("hub", name))
        report.compare(f"bare_{name}", rounds.ratio("hub_bare", name))
    if options.processes > 1:
        key = "two_processes" if options.processes == 2 else f"{options.processes}_processes"
        report.compare(key, rounds.ratio(f"hub_{options.processes}_processes", "hub"))
    for kb in options.kb:
        report.compare(
            f"broker_limit_{kb:g}kb", rounds.ratio(f"hub_{kb:g}kb", f"broker_limit_{kb:g}kb")
        )
    if (cost := rounds.ratio("deliver_one_dead", "deliver_others")) is not None:
        report.figures["dead_receiver_cost_percent"] = cost.mapped(lambda kept: (1 - kept) * 100)
    return report


def _conditions(options: Options, load: Load) -> dict[str, object]:
    return {
        "messages": load.messages,
        "repeats": options.repeats,
        "body_kb": round(size_kb(load.kb), 2),
        "queues": "quorum, one node, persistent, publisher confirms, plain TCP on 127.0.0.1",
        "hub": "intake of 30 fields, digest (SM3), validation, key claimed in PostgreSQL (fsync on),"
        " receipts, published confirmed to ledger, history stream and route queue, then acked",
        "hub_bare": "the hub's envelope, conversion and transport; no claim, no receipt, one queue",
        "peers": "decode, SM3 digest, map 30 fields, publish persistent confirmed, ack; one queue;"
        " no validation of value domains",
        "node": "amqplib 2.3.1, confirm callbacks, prefetch 500",
        "node_red": "Node-RED 4.1.8 embedded, a function node between two AMQP nodes of the bench's own"
        " (amqplib, confirms): node-red-contrib-amqp 0.4.5 consumes without acks and publishes"
        " without confirms, and other packages are not in the registry",
        "broker_limit": "raw asyncio relay, bodies untouched; broker_limit_taps: with the hub's"
        " two more queues bound",
    }
