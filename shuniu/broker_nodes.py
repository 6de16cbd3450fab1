"""The nodes that the broker's address names, asked one by one.

Speaks to  RabbitMQ 3.10 to 4.x, by AMQP alone: what a node tells when a connection is opened
Units      seconds
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

from hub.amqp import connect, node_urls
from hub.amqp.address import place
from schemas.errors import HubError, Misconfigured

__all__ = ["NodeState", "node_states"]

WITHIN_S, CLOSE_S = 5.0, 2.0


@dataclass(frozen=True, slots=True)
class NodeState:
    """*place*: host and port. *version* and *cluster* as the node tells them; *error*: why it
    cannot be used, None where it can."""

    place: str
    version: str = ""
    cluster: str = ""
    error: HubError | None = None


async def node_states(url: str) -> list[NodeState]:
    """The state of each node of *url*, in its order. A node of another cluster than the first that
    answers is an error: what one takes, the other would not have."""
    states = await asyncio.gather(*(_state(each) for each in node_urls(url)))
    ours = next((state.cluster for state in states if state.cluster), "")
    return [_of_one_cluster(state, ours) for state in states]


async def _state(url: str) -> NodeState:
    host, port = place(urlsplit(url))
    shown = f"{host}:{port}"
    try:
        line = await connect(url, name="doctor", within_s=WITHIN_S)
    except HubError as error:
        return NodeState(shown, error=error)
    await line.close(CLOSE_S)
    return NodeState(shown, line.version, line.cluster)


def _of_one_cluster(state: NodeState, ours: str) -> NodeState:
    if state.error is not None or state.cluster == ours:
        return state
    strange = Misconfigured(
        "broker.other-cluster",
        "A node of another cluster",
        node=state.place,
        cluster=state.cluster,
        expected=ours,
    )
    return NodeState(state.place, state.version, state.cluster, strange)
