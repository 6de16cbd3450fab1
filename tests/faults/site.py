"""The site of the faults: the small one of the hub's tests, one route in order, one not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from hub.plan import Plan
from hub.releases import plan_of
from hub.topology import Binding, service_queue
from tests.hub.site import small_texts

__all__ = ["FOLLOWED", "OUTSIDE", "SICK_SERVICE", "UNSENDABLE", "UNSERVED", "bindings", "plan"]

# The last letter of a case tells what happens to it at the service.
FOLLOWED, SICK_SERVICE, UNSERVED = "f", "s", "u"
# Regions: one that the routes leave out, and one that makes a routing key longer than AMQP has.
OUTSIDE, UNSENDABLE = "130199", "1" * 250


@cache
def plan() -> Plan:
    """``steps-to-left`` keeps order by subject, and waits shortly; ``steps-to-right`` does not."""
    texts = small_texts("order_by: subject", region="an..300")
    left = "routes/steps-to-left.yaml"
    return plan_of({**texts, left: texts[left].replace("[1s, 1s]", "[200ms, 200ms]")})


def bindings() -> Sequence[Binding]:
    """The queues of routes and of the service ``follow``, and what they follow."""
    return (*plan().bindings, Binding(service_queue("follow"), ("caseStep.*",)))
