"""AMQP 0-9-1 for the hot path: a connection whose publishes, confirms, deliveries and
acknowledgements cost no task, no future and no system call each.

`frames`      bytes of the few frames that come by the thousand; the rest is pamqp's
`reader`      what the socket brings, cut into frames and put together to messages
`channel`     confirmed publishing in groups, deliveries, acknowledgements, calls
`connection`  opening, heartbeats, flow control, closing

Standard   AMQP 0-9-1 with RabbitMQ's extensions (confirms, nack, connection.blocked)
Promises   a lost connection fails everything on it with `Transient` (``broker.lost``); nothing mends
           itself behind the caller's back: `hub.broker` opens anew
Careful    delivery tags belong to their channel; an acknowledgement on a closed one does nothing,
           and the broker delivers again
"""

from __future__ import annotations

from hub.amqp.channel import Channel, Incoming
from hub.amqp.connection import Connection, connect

__all__ = ["Channel", "Connection", "Incoming", "connect"]
