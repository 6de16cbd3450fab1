"""Lost, doubled, out of order: what the partners hold, held against what was sent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from bench.soak.partners import Partner
from bench.soak.sender import Sender
from bench.soak.site import ORDERED
from hub.store.tables import failures, held, ledger
from schemas.receipt import Event

__all__ = ["Told", "Verdict", "judged", "told_by"]


@dataclass(frozen=True, slots=True)
class Told:
    """By the hub's records: deliveries told as done, those told twice, failures, what is held back."""

    done: int
    twice: int
    failures: int
    held: int


@dataclass(frozen=True, slots=True)
class Verdict:
    lost: int
    doubled: int
    out_of_order: int
    examples: Sequence[str]
    delays_s: Mapping[str, Sequence[float]]


def told_by(connection: Connection) -> Told:
    c = ledger.c
    done = (
        select(func.count().label("times"))
        .where(c.event == Event.DELIVERY_DONE.value)
        .group_by(c.message_id, c.route)
        .subquery()
    )
    rows, times = connection.execute(select(func.count(), func.sum(done.c.times))).one()
    waiting = select(func.count()).select_from(failures).where(failures.c.state != "resolved")
    return Told(
        done=rows or 0,
        twice=int(times or 0) - (rows or 0),
        failures=connection.scalar(waiting) or 0,
        held=connection.scalar(select(func.count()).select_from(held)) or 0,
    )


def judged(sender: Sender, partners: Mapping[str, Partner]) -> Verdict:
    """Each record once at each partner, and of each case the steps in their order where that is kept."""
    lost = doubled = 0
    delays: dict[str, list[float]] = {}
    for name, partner in partners.items():
        times = Counter((case, step) for case, step, _ in partner.held)
        lost += sum(each not in times for each in sender.sent)
        doubled += sum(count - 1 for count in times.values())
        delays[name] = [
            at - sender.sent[case, step]
            for case, step, at in partner.held
            if (case, step) in sender.sent and case not in sender.bulk
        ]
    steps: dict[str, list[int]] = defaultdict(list)
    for case, step, _ in partners[ORDERED].held:
        steps[case].append(int(step))
    broken = [f"{case}: {each}" for case, each in steps.items() if sorted(each) != each]
    return Verdict(lost, doubled, len(broken), broken[:10], delays)
