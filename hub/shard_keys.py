"""Which of the pipeline's queues a record goes to: all of one subject to the same, so that they stay
in order whatever the number of processes (design §7).

Form       the shard is a hash of sender and subject, where the subject can be read off the record
           before it is mapped: a plain path in every intake of its sender. Else it is a hash of the
           sender alone; and so it is where a route keeps all that it takes in one order. A system
           of bulk has a queue of its own, that waits for the others
Careful    a release that changes where a subject is read, or whether its system is bulk, may let a record overtake those of its
           subject that came before the release and still wait
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from hub.plan import Plan
from hub.topology import BULK, SHARDS
from schemas.message import Body

__all__ = ["intake_key", "shard_of", "waits"]


def intake_key(
    system: str, kind: str, body: Body, plan: Plan, *, canonical: bool, bulk: bool = False
) -> str:
    """The routing key in ``hub.intake``. *canonical*: *kind* is a resource, and *body* one of it;
    *bulk*: this one may wait, whoever sends it."""
    bulk = bulk or system in plan.bulk
    lane = BULK if bulk else shard_of(system, kind, body, plan, canonical=canonical)
    return f"{lane}.{system}.{kind}"


def waits(key: str | None) -> bool:
    """Whether what came to ``hub.intake`` by *key* may wait for others, wherever it goes on."""
    return key is not None and key.startswith(f"{BULK}.")


def shard_of(system: str, kind: str, body: Body, plan: Plan, *, canonical: bool) -> int:
    subject = _canonical(kind, body, plan) if canonical else _read(system, kind, body, plan)
    return crc32(f"{system}\n{subject}".encode("utf-8", "replace")) % SHARDS


def _canonical(kind: str, body: Body, plan: Plan) -> str:
    resource = plan.resources.get(kind)
    if resource is None or kind in plan.in_one_order:
        return ""
    return _text(body, (resource.subject,))


def _read(system: str, kind: str, body: Body, plan: Plan) -> str:
    steps = plan.subjects.get((system, kind))
    return _text(body, steps) if steps else ""


def _text(body: Body, steps: tuple[str, ...]) -> str:
    """What stands there; "" where that is nothing that could be a subject."""
    found: Any = body
    for step in steps:
        found = found.get(step) if isinstance(found, Mapping) else None
    return str(found) if isinstance(found, str | int) else ""
