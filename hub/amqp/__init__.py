"""AMQP 0-9-1 for the hot path: a connection whose publishes, confirms, deliveries and
acknowledgements cost no task, no future and no system call each.

`frames`      bytes of the few frames that come by the thousand; the rest is pamqp's
`reader`      what the socket brings, cut into frames and put together to messages
`channel`     confirmed publishing in groups, deliveries, acknowledgements, calls
`arrivals`    what was delivered and is not taken yet
`packed`      our headers in one
`address`     the nodes of a cluster in one line
`connection`  opening, heartbeats, flow control, closing

Standard   AMQP 0-9-1 with RabbitMQ's extensions (confirms, nack, connection.blocked)
Promises   a lost connection fails everything on it with `Transient` (``broker.lost``); nothing mends
           itself behind the caller's back: `hub.broker` opens anew
Careful    delivery tags belong to their channel; an acknowledgement on a closed one does nothing,
           and the broker delivers again
"""

from __future__ import annotations

from hub.amqp.address import node_urls
from hub.amqp.arrivals import Arrivals
from hub.amqp.channel import Channel, Incoming
from hub.amqp.connection import Connection, connect
from hub.amqp.packed import packed

__all__ = ["Arrivals", "Channel", "Connection", "Incoming", "connect", "node_urls", "packed"]
