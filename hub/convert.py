"""From a taken record to canonical messages: map, validate, stamp. Pure; done by `hub.pipeline`.

Promises   all or nothing: a record of which one message is wrong leads to no message at all; ids are
           derived from the record's, so converting it again gives the same messages
Careful    who converts many takes them all through one step before the next: the processor then has
           that step's code at hand, which is half as quick again as record by record
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from msgspec import Struct

from catalog.derive.validator import Findings
from catalog.model import Resource
from hub.crypto import sm3
from hub.envelope import NO_REGION, Taken, encode_body
from hub.ids import child_span, derived_id
from hub.plan import Plan
from routes.deletes import wanted
from routes.intake import Draft
from schemas.errors import Fault, Rejected
from schemas.message import Body, Message, Operation, ResourceName

__all__ = ["STEPS", "Conversion", "Step", "convert", "validate"]


class Conversion(Struct):
    """A record on its way to its messages; each of `STEPS` adds its part. *contents*: the encoded
    body of each message, of which its digest was taken; *versions*: of its resource, by which it is
    valid."""

    taken: Taken
    drafts: Sequence[Draft] = ()
    doubts: Sequence[Fault] = ()
    versions: Sequence[Resource] = ()
    contents: Sequence[bytes] = ()
    messages: Sequence[Message] = ()


Step = Callable[[Conversion, Plan], None]


def convert(taken: Taken, plan: Plan) -> Conversion:
    """All steps for one record. Raises `Rejected` with every fault found."""
    conversion = Conversion(taken)
    for step in STEPS:
        step(conversion, plan)
    return conversion


def _map(conversion: Conversion, plan: Plan) -> None:
    conversion.drafts = _drafts(conversion.taken, plan)


def _examine(conversion: Conversion, plan: Plan) -> None:
    faults: list[Fault] = []
    doubts: list[Fault] = []
    versions: list[Resource] = []
    for draft in conversion.drafts:
        version, findings = _version(draft.resource, draft.body, plan, draft.operation)
        versions.append(version)
        if findings.faults or findings.doubts:
            place = _placed(conversion.taken, plan)
            faults += (place(draft, fault) for fault in findings.faults)
            doubts += (place(draft, fault) for fault in findings.doubts)
    if faults:
        raise Rejected("record.invalid", "The record breaks its resource's rules", faults=faults)
    conversion.doubts, conversion.versions = doubts, versions


def _encode(conversion: Conversion, _: Plan) -> None:
    conversion.contents = [encode_body(draft.body) for draft in conversion.drafts]


def _stamp(conversion: Conversion, _: Plan) -> None:
    drafted = zip(conversion.drafts, conversion.versions, conversion.contents, strict=True)
    conversion.messages = [
        _stamped(conversion.taken, n, draft, version, sm3(content))
        for n, (draft, version, content) in enumerate(drafted)
    ]


STEPS: tuple[Step, ...] = (_map, _examine, _encode, _stamp)


def validate(resource: str, body: Body, plan: Plan, operation: Operation) -> None:
    """Raises `Rejected` where *body* is not a valid one of *resource*."""
    if resource not in plan.versions:
        raise Rejected("record.unknown-resource", "No such resource", resource=resource)
    if faults := _version(resource, body, plan, operation)[1].faults:
        raise Rejected("record.invalid", "The body breaks its resource's rules", faults=faults)


def _version(
    resource: str, body: Body, plan: Plan, operation: Operation
) -> tuple[Resource, Findings]:
    """The newest accepted version that *body* is valid by; else the newest, and what it finds."""
    newest: tuple[Resource, Findings] | None = None
    for version, validator in plan.versions[resource]:
        findings = validator(body)
        if findings.faults:
            faults = wanted(findings.faults, operation, f"/{version.subject}")
            findings = Findings(faults, findings.doubts)
        if not findings.faults:
            return version, findings
        newest = newest or (version, findings)
    if newest is None:
        raise Rejected("record.unknown-resource", "No such resource", resource=resource)
    return newest


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


def _stamped(taken: Taken, n: int, draft: Draft, resource: Resource, digest: str) -> Message:
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
        digest=digest,
        traceparent=child_span(taken.traceparent),
        body=draft.body,
    )
