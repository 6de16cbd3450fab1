"""A failure as a message on its way again: to the failed place alone, with the same id and route.

Promises   the target sees the key of the first try, so that it takes a repeat for what it is
Careful    an edit may have changed the business key: the envelope is told so here, never before
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.broker import Outgoing
from hub.crypto import Seal, sm3
from hub.envelope import CE, DOUBT, NO_REGION, SERIES, Headers, decode_body
from hub.plan import Plan
from hub.shard_keys import intake_key
from hub.topology import INTAKE, service_queue
from schemas.errors import Rejected
from schemas.message import Body

__all__ = ["MAY_HAVE_ARRIVED", "content_of", "headers_of", "resent"]

MAY_HAVE_ARRIVED = "target.in-doubt"


def content_of(row: Mapping[Any, Any], seal: Seal) -> bytes:
    """The body that is sent: the last edit, or the original. Raises what *seal* raises."""
    return seal.open(row["edited"] or row["sealed"])


def headers_of(row: Mapping[Any, Any], content: bytes, plan: Plan) -> Headers:
    """The envelope of *content*. Raises `Rejected` where an edit is no body."""
    headers: Headers = {**row["headers"], f"{CE}digest": sm3(content)}
    resource = plan.resources.get(row["resource"])
    if row["edited"] is None or row["stage"] == "intake" or resource is None:
        return headers
    body = decode_body(content)
    headers[f"{CE}subject"] = str(body.get(resource.subject, headers.get(f"{CE}subject", "")))
    region = body.get(resource.region) if resource.region else None
    headers[f"{CE}region"] = str(region or NO_REGION)
    return headers


def resent(
    row: Mapping[Any, Any], seal: Seal, plan: Plan, *, doubt: bool = False, bulk: bool = False
) -> Outgoing:
    """
    *doubt*: it may have been sent before; a target that can be asked is asked first. *bulk*: it is
    one of many, and may wait for what is not.

    Raises `Rejected` (``retry.no-route``) where the route is declared no more, and what `content_of`
    and `headers_of` raise.
    """
    content = content_of(row, seal)
    headers = headers_of(row, content, plan) | {SERIES: row["job_id"] or ""}
    if row["stage"] == "intake":
        return Outgoing(INTAKE, _key(row, content, plan, bulk=bulk), content, headers)
    if row["stage"] == "service":
        return Outgoing("", service_queue(row["route"]), content, headers)
    if row["route"] not in plan.routes:
        raise Rejected("retry.no-route", "The route is declared no more", route=row["route"])
    if doubt or row["code"] == MAY_HAVE_ARRIVED:
        headers[DOUBT] = 1
    return Outgoing("", plan.queue_of(row["route"], bulk=bulk), content, headers)


def _key(row: Mapping[Any, Any], content: bytes, plan: Plan, *, bulk: bool) -> str:
    try:
        body: Body = decode_body(content)
    except Rejected:
        # It fails again, with its reason, at any shard.
        body = {}
    canonical = bool(row["headers"].get("x-operation"))
    return intake_key(row["source"], row["resource"], body, plan, canonical=canonical, bulk=bulk)
