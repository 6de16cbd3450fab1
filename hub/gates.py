"""From one queue to another: a route that begins or ceases to keep an order, while messages flow.

A queue keeps its mode for ever, so a route has a second queue for the other one. In front of the two
stands a gate, an exchange with another one for what it routes nowhere (alternate exchange): while the
plain queue is bound to the gate it gets every message, and otherwise the ordered one does. So one
binding decides, and there is no moment at which a message goes to both queues, or to none. What may
wait (bulk) comes by a gate of its own, to the plain queue's second one or to the same ordered one.

Promises   each message goes to one of the two queues, whatever process does which step how often, and
           whichever of them is killed half-way
Form       exchanges ``route.<route>`` (the gate), ``route.<route>:bulk`` (that of bulk), ``route.<route>:ordered`` (what the gate sends
           nowhere), ``route.<route>:gated`` (stands where nothing goes past the gate any more);
           ``:first`` of the ordered queue, see `hub.topology.declare`
Not here   when what the left queue holds is worked off: `hub.delivery`, `hub.follow`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hub.amqp import Channel
from hub.amqp.declare import (
    bind,
    declare_exchange,
    delete_exchange,
    exchange_exists,
    join,
    part,
    unbind,
)
from hub.broker import Broker
from hub.topology import (
    BESIDE,
    FIRST,
    ORDERED,
    STREAMS,
    STREAMS_BULK,
    bulk_queue,
    declare_worked,
    route_queue,
)

__all__ = ["Gate", "remove_gate", "set_gates"]

GATED = ":gated"


@dataclass(frozen=True, slots=True)
class Gate:
    """Of a route that has both queues. *types*: what it follows now; *in_order*: its mode now;
    *ever*: all types that either queue was once bound to."""

    route: str
    types: tuple[str, ...]
    in_order: bool
    ever: tuple[str, ...]


async def set_gates(broker: Broker, gates: Sequence[Gate]) -> None:
    """Let each of *gates* lead to the queue of its mode; repeatable."""
    for gate in gates:
        channel = await broker.channel()
        try:
            if not await _stands(broker, _names(gate)[2]):
                first = await _stands(broker, f"{_queues(gate)[1]}{FIRST}")
                await _put_up(channel, gate, ordered_first=first)
            await _lead(channel, gate)
        finally:
            await channel.close()


async def remove_gate(broker: Broker, route: str) -> None:
    """Where there is one, of a route that follows nothing any more."""
    gate = Gate(route, (), in_order=False, ever=())
    _, otherwise, done = _names(gate)
    entries = (way.entry for way in _ways(gate))
    channel = await broker.channel()
    try:
        # What says that the gate stands goes first: whatever is left then is put up anew.
        for name in (done, *entries, otherwise, f"{_queues(gate)[1]}{FIRST}"):
            await delete_exchange(channel, name)
    finally:
        await channel.close()


async def _stands(broker: Broker, exchange: str) -> bool:
    # On a channel of its own: it is closed where there is none.
    channel = await broker.channel()
    try:
        return await exchange_exists(channel, exchange)
    finally:
        await channel.close()


async def _put_up(channel: Channel, gate: Gate, *, ordered_first: bool) -> None:
    """Put the gate between the streams and the queue that is bound to them: the ordered one where
    that was *ordered_first*. Meanwhile it is reached by both ways, and gets each message once."""
    _, otherwise, done = _names(gate)
    _, ordered = _queues(gate)
    await declare_worked(channel, ordered, in_order=True)
    await declare_exchange(channel, otherwise, "fanout")
    await bind(channel, ordered, otherwise, "")
    for way in _ways(gate):
        await _turn(channel, way, in_order=ordered_first)
        for key in _keys({*gate.types, *gate.ever}):
            await join(channel, way.entry, way.streams, key)
    await _past_it_nothing(channel, gate)
    await declare_exchange(channel, done, "fanout")


async def _lead(channel: Channel, gate: Gate) -> None:
    ways = _ways(gate)
    await declare_worked(channel, _queues(gate)[1], in_order=True)
    for way in ways:
        await _turn(channel, way, in_order=gate.in_order)
        for key in _keys(gate.types):
            await join(channel, way.entry, way.streams, key)
    await _past_it_nothing(channel, gate)
    for way in ways:
        for key in _keys(set(gate.ever) - set(gate.types)):
            await part(channel, way.entry, way.streams, key)


async def _turn(channel: Channel, way: _Way, *, in_order: bool) -> None:
    """Declare what *way* has, and let it lead to the ordered queue or to the plain one."""
    await declare_worked(channel, way.plain)
    await declare_exchange(channel, way.entry, "fanout", otherwise=way.otherwise)
    if in_order:
        await unbind(channel, way.plain, way.entry, "")
    else:
        await bind(channel, way.plain, way.entry, "")


async def _past_it_nothing(channel: Channel, gate: Gate) -> None:
    _, ordered = _queues(gate)
    for way in _ways(gate):
        for queue in (way.plain, ordered):
            for key in _keys({*gate.types, *gate.ever}):
                await unbind(channel, queue, way.streams, key)


@dataclass(frozen=True, slots=True)
class _Way:
    """From *streams* by *entry* to the *plain* queue, or else to *otherwise*."""

    streams: str
    entry: str
    plain: str
    otherwise: str


def _ways(gate: Gate) -> tuple[_Way, _Way]:
    entry, otherwise, _ = _names(gate)
    plain, _ = _queues(gate)
    return (
        _Way(STREAMS, entry, plain, otherwise),
        _Way(STREAMS_BULK, f"{entry}{BESIDE}", bulk_queue(plain), otherwise),
    )


def _queues(gate: Gate) -> tuple[str, str]:
    plain = route_queue(gate.route, in_order=False)
    return plain, route_queue(gate.route, in_order=True)


def _names(gate: Gate) -> tuple[str, str, str]:
    entry = route_queue(gate.route, in_order=False)
    return entry, f"{entry}{ORDERED}", f"{entry}{GATED}"


def _keys(types: Iterable[str]) -> list[str]:
    return [f"{kind}.#" for kind in sorted(types)]
