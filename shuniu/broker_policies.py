"""The broker's policies, asked before the hub runs: it does not run where one would lose messages.

Speaks to  RabbitMQ's management interface, ``/api/policies`` and ``/api/operator-policies``
Careful    AMQP tells nothing of policies: without an address of the management interface they are not
           looked at. A private node has none
Units      seconds
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx

from hub.plan import Plan
from hub.policies import Policy, harms
from hub.topology import FAILURE_QUEUE, LEDGER, PIPELINE, RUNGS, rung_queue, service_queue
from schemas.errors import Misconfigured, Transient

__all__ = ["check_policies", "hub_queues"]

WITHIN_S = 10.0
KINDS = {"policies": False, "operator-policies": True}


async def check_policies(management_url: str, amqp_url: str, queues: Sequence[str]) -> int:
    """
    How many policies there are in the hub's virtual host; none of them does harm to *queues*.

    Raises `Misconfigured` (``broker.policy``) for the first that does, or where the management
    interface denies us or the address is none, `Transient` where it does not answer.
    """
    vhost = quote(unquote(urlsplit(amqp_url).path[1:]) or "/", "")
    policies: list[Policy] = []
    async with _client(management_url) as client:
        for kind, operator in KINDS.items():
            told = await _asked(client, f"api/{kind}/{vhost}")
            policies += (_policy(each, operator=operator) for each in told)
    for harm in harms(policies, queues):
        raise Misconfigured(
            "broker.policy",
            "A policy of the broker would lose messages",
            policy=harm.policy,
            queue=harm.queue,
            setting=harm.setting,
            value=harm.value,
        )
    return len(policies)


def hub_queues(plan: Plan, services: Sequence[str]) -> list[str]:
    """All queues of a hub that runs *plan*."""
    rungs = map(rung_queue, RUNGS)
    routes = sorted(queue for name in plan.routes for queue in plan.queues_of(name))
    return [*PIPELINE, LEDGER, FAILURE_QUEUE, *rungs, *routes, *map(service_queue, services)]


def _client(url: str) -> httpx.AsyncClient:
    """The password does not stand in the addresses that it calls: those may be logged."""
    told = urlsplit(url)
    if told.scheme not in ("http", "https") or not told.hostname:
        raise Misconfigured("broker.management-address", "No address of the management interface")
    place = told.netloc.rpartition("@")[2]
    return httpx.AsyncClient(
        base_url=f"{told.scheme}://{place}{told.path}",
        auth=(unquote(told.username or ""), unquote(told.password or "")),
        timeout=WITHIN_S,
        trust_env=False,
    )


async def _asked(client: httpx.AsyncClient, path: str) -> Sequence[dict[str, Any]]:
    host = client.base_url.host
    try:
        answer = await client.get(path)
        told = answer.json() if answer.is_success else None
    except (httpx.HTTPError, ValueError) as error:
        raise Transient("broker.management", "No answer as expected", host=host) from error
    if answer.status_code in (401, 403, 404):
        raise Misconfigured(
            "broker.management-denied", "It denies us", host=host, status=answer.status_code
        )
    if not isinstance(told, list):
        raise Transient("broker.management", "No answer as expected", host=host)
    return told


def _policy(told: dict[str, Any], *, operator: bool) -> Policy:
    return Policy(
        name=str(told.get("name", "")),
        pattern=str(told.get("pattern", "")),
        priority=int(told.get("priority", 0)),
        applies=str(told.get("apply-to", "all")),
        definition=told.get("definition") or {},
        operator=operator,
    )
