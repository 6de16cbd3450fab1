"""A failure sent elsewhere: whether another route, or another kind of record, can take it.

Promises   what is redirected was checked with today's declarations: the other place follows the
           stream, does not leave the message out, and its mapping passes
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from hub.convert import convert
from hub.crypto import Seal
from hub.envelope import CE, Headers, decode_message, decode_taken
from hub.ids import new_id
from hub.plan import Plan
from hub.rehearsal import takes
from hub.resend import content_of, headers_of
from hub.store.tables import failures, ledger
from schemas.errors import Rejected
from schemas.receipt import Event

__all__ = ["as_kind", "place_at", "to_route"]

HAD = (Event.DELIVERY_DONE.value,)
c = failures.c


def to_route(row: Mapping[Any, Any], name: str, seal: Seal, plan: Plan) -> dict[str, Any]:
    """
    The failure that *row* becomes on route *name*.

    Raises `Rejected`: ``redirect.stage`` where it is no delivery, ``redirect.no-route``,
    ``redirect.same``, ``redirect.stream`` where the route does not follow its stream,
    ``redirect.left-out``, and what the route's mapping refuses.
    """
    if row["stage"] != "route":
        raise Rejected(
            "redirect.stage", "Only a delivery goes to another route", stage=row["stage"]
        )
    route = plan.routes.get(name)
    if route is None:
        raise Rejected("redirect.no-route", "No such route", route=name[:128])
    if name == row["route"]:
        raise Rejected("redirect.same", "It failed on that route", route=name)
    content = content_of(row, seal)
    message = decode_message(headers_of(row, content, plan), content)
    if not takes(route, message):
        raise Rejected("redirect.stream", "Not its stream", route=name, resource=message.resource)
    if route.payload(message) is None:
        raise Rejected("redirect.left-out", "The route leaves it out", route=name)
    kept = ("message_id", "record_id", "stage", "source", "resource", "subject", "headers")
    return {
        **{each: row[each] for each in (*kept, "sealed", "edited", "dataschema")},
        "route": name,
        "system": route.system,
        "version": route.version,
    }


def place_at(
    connection: Connection, row: Mapping[Any, Any], there: Mapping[str, Any], at: datetime
) -> str:
    """Make *there* a waiting failure, linked to *row*, which is done with; returns its id. Raises
    `Rejected` (``redirect.had``) where the message has been there."""
    route, message_id = there["route"], there["message_id"]
    done = select(ledger.c.id).where(
        ledger.c.message_id == message_id, ledger.c.route == route, ledger.c.event.in_(HAD)
    )
    here = (c.message_id == message_id) & (c.stage == "route") & (c.route == route)
    if (
        connection.execute(done.limit(1)).first()
        or connection.execute(select(c.id).where(here)).first()
    ):
        raise Rejected("redirect.had", "The message has been there", route=route)
    new = {
        **there,
        "id": new_id(at),
        "code": row["code"],
        "faults": row["faults"],
        "fingerprint": row["fingerprint"],
        "kind": row["kind"],
        "attempts": 0,
        "first_at": row["first_at"],
        "last_at": at,
        "state": "waiting",
        "note": "",
        "redirected_from": row["id"],
    }
    connection.execute(insert(failures), new)
    gone = update(failures).where(c.id == row["id"])
    connection.execute(gone.values(state="redirected", redirected_to=new["id"]))
    return str(new["id"])


def as_kind(row: Mapping[Any, Any], kind: str, seal: Seal, plan: Plan) -> Headers:
    """
    The envelope of a record that failed at intake, as one of *kind*.

    Raises `Rejected`: ``redirect.stage`` where it is no record, and what its intake refuses.
    """
    if row["stage"] != "intake":
        raise Rejected("redirect.stage", "Only a record goes through intake", stage=row["stage"])
    content = content_of(row, seal)
    headers = headers_of(row, content, plan) | {f"{CE}type": kind}
    convert(decode_taken(headers, content), plan)
    return headers
