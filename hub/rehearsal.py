"""A retry rehearsed: today's rules and mappings run on a failure, and what would be sent where is
told. Pure: nothing is published, written or called.

Careful    what is told of a payload is the names of its items, never their values
Not here   services: what a handler does with a message is known only once it has done it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hub.convert import convert, validate
from hub.crypto import Seal
from hub.envelope import decode_message, decode_taken
from hub.plan import Plan
from hub.recover import faults_of
from hub.resend import content_of, headers_of
from hub.store.retries import STAGES, STRANGERS
from routes.route import CompiledRoute
from schemas.errors import Fault, HubError, Rejected
from schemas.message import Message

__all__ = ["Leg", "Rehearsed", "Would", "rehearse", "takes"]

Would = Literal["pass", "fail", "left_out"]


@dataclass(frozen=True, slots=True)
class Leg:
    """One place that would get a message. *items*: what the target would be given, by name."""

    place: str
    system: str
    call: str
    would: Would
    items: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """*code* and *faults* say what would fail before any place is reached."""

    failure_id: str
    would: Would
    code: str = ""
    faults: tuple[Fault, ...] = ()
    legs: tuple[Leg, ...] = ()


def rehearse(row: Mapping[Any, Any], seal: Seal, plan: Plan) -> Rehearsed:
    """*row* is a whole failure."""
    try:
        legs = _legs(row, seal, plan)
    except HubError as error:
        return Rehearsed(row["id"], "fail", error.code, faults_of(error))
    outcomes = {leg.would for leg in legs}
    would: Would = "fail" if "fail" in outcomes else "pass" if "pass" in outcomes else "left_out"
    first = next((leg.faults[0].code for leg in legs if leg.faults), "")
    return Rehearsed(row["id"], would, first, (), tuple(legs))


def takes(route: CompiledRoute, message: Message) -> bool:
    """Whether *route* follows the stream of *message*."""
    return message.type in route.bindings or f"{message.resource}.*" in route.bindings


def _legs(row: Mapping[Any, Any], seal: Seal, plan: Plan) -> Sequence[Leg]:
    if row["code"] in STRANGERS or row["stage"] not in STAGES:
        raise Rejected("retry.no-place", "It can be sent nowhere", stage=row["stage"])
    content = content_of(row, seal)
    headers = headers_of(row, content, plan)
    if row["stage"] == "intake":
        converted = convert(decode_taken(headers, content), plan)
        return [
            _leg(route, message)
            for message in converted.messages
            for route in plan.routes.values()
            if takes(route, message)
        ]
    message = decode_message(headers, content)
    validate(message.resource, message.body, plan, message.operation)
    if row["stage"] == "service":
        return [Leg(row["route"], "", "", "pass", tuple(message.body))]
    route = plan.routes.get(row["route"])
    if route is None:
        raise Rejected("retry.no-route", "The route is declared no more", route=row["route"])
    return [_leg(route, message)]


def _leg(route: CompiledRoute, message: Message) -> Leg:
    try:
        payload = route.payload(message)
    except Rejected as error:
        return Leg(route.name, route.system, route.call, "fail", (), error.faults)
    if payload is None:
        return Leg(route.name, route.system, route.call, "left_out")
    return Leg(route.name, route.system, route.call, "pass", tuple(payload))
