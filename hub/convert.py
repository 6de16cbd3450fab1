"""From a taken record to canonical messages: map, validate, stamp. Pure; done by `hub.pipeline`.

Promises   all or nothing: a record of which one message is wrong leads to no message at all; ids are
           derived from the record's, so converting it again gives the same messages
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from catalog.model import Resource
from hub.crypto import sm3
from hub.envelope import NO_REGION, Taken, encode_body
from hub.ids import child_span, derived_id
from hub.plan import Plan
from routes.intake import Draft
from schemas.errors import Fault, Rejected
from schemas.message import Body, Message, ResourceName

__all__ = ["Converted", "convert", "validate"]


@dataclass(frozen=True, slots=True)
class Converted:
    messages: tuple[Message, ...]
    doubts: tuple[Fault, ...]


def convert(taken: Taken, plan: Plan) -> Converted:
    """Raises `Rejected` with every fault found."""
    drafts = _drafts(taken, plan)
    faults: list[Fault] = []
    doubts: list[Fault] = []
    place = _placed(taken, plan)
    for draft in drafts:
        findings = plan.validators[draft.resource](draft.body)
        faults += (place(draft, fault) for fault in findings.faults)
        doubts += (place(draft, fault) for fault in findings.doubts)
    if faults:
        raise Rejected("record.invalid", "The record breaks its resource's rules", faults=faults)
    messages = (_stamp(taken, n, draft, plan) for n, draft in enumerate(drafts))
    return Converted(tuple(messages), tuple(doubts))


def validate(resource: str, body: Body, plan: Plan) -> None:
    """Raises `Rejected` where *body* is not a valid one of *resource*."""
    validator = plan.validators.get(resource)
    if validator is None:
        raise Rejected("record.unknown-resource", "No such resource", resource=resource)
    if faults := validator(body).faults:
        raise Rejected("record.invalid", "The body breaks its resource's rules", faults=faults)


def _placed(taken: Taken, plan: Plan) -> Callable[[Draft, Fault], Fault]:
    """A fault at its place in the partner's own record: that is where it must be mended."""
    intake = plan.intakes.get((taken.system, taken.record.kind))
    if intake is None or taken.canonical is not None:
        return lambda _, fault: fault
    return lambda draft, fault: replace(fault, at=intake.place(draft, fault.at))


def _drafts(taken: Taken, plan: Plan) -> list[Draft]:
    kind = taken.record.kind
    if taken.canonical is not None:
        if kind not in plan.resources:
            raise Rejected("record.unknown-resource", "No such resource", resource=kind)
        body = dict(taken.record.body)
        return [Draft(resource=kind, operation=taken.canonical, sequence=0, body=body)]
    intake = plan.intakes.get((taken.system, kind))
    if intake is None:
        raise Rejected(
            "record.unknown-kind",
            "The system sends nothing of this name",
            system=taken.system,
            kind=kind,
            known=", ".join(sorted(k for s, k in plan.intakes if s == taken.system)),
        )
    return intake.drafts(taken.record.body)


def _stamp(taken: Taken, n: int, draft: Draft, plan: Plan) -> Message:
    resource: Resource = plan.resources[draft.resource]
    region = draft.body.get(resource.region) if resource.region else None
    return Message(
        id=derived_id(taken.id, str(n)),
        source=taken.system,
        resource=ResourceName(draft.resource),
        operation=draft.operation,
        subject=str(draft.body[resource.subject]),
        time=taken.received_at,
        region=str(region or NO_REGION),
        sequence=draft.sequence,
        dataschema=f"{resource.resource}/{resource.version}",
        digest=sm3(encode_body(draft.body)),
        traceparent=child_span(taken.traceparent),
        body=draft.body,
    )
