"""Stream → system: filter, map, deliver through a connector; retry, hold, park or halt what fails.

`link`      a system and what bounds the calls to it: hours, breaker
`turns`     how many at a time and a second; bulk behind all others
`attempt`   one message, one try: mapped, sent, answered
`worker`    a route's queue, worked off; the verdict on what failed carried out
`held`      routes that keep order: later messages of a subject wait for the earlier one

Promises   each route has its own queue and works at its own pace: a dead system delays no other. A
           delivery is acknowledged after its outcome is confirmed by the broker
Careful    a crash after the target took a delivery and before the acknowledgement repeats it, under
           the same key: sinks are idempotent by it (`hub.port.Sink`), or say that they are not
"""

from __future__ import annotations

from hub.delivery.link import Hours, Link
from hub.delivery.turns import Turns
from hub.delivery.worker import RouteWorker

__all__ = ["Hours", "Link", "RouteWorker", "Turns"]
