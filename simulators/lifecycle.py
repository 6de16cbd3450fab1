"""What becomes of a case at whichever authority decides it: one pure course, told in many vocabularies.

Every simulator follows `course`, and a checker that calls it with the same seed knows what must
come out at the other end (R-B1).

Form       about 4 % are refused at the door (不予受理), 10 % must be supplemented (补正) first, 8 % have
           a special procedure (特别程序), 6 % of the accepted are denied (不予许可); a notice-and-promise
           case (告知承诺制) is decided on the spot; a licence follows a grant, and is sent or collected
Units      business times are Beijing time without a zone, in office hours of 2026; limits are working
           days; real delays (``after_s``) are seconds at speed 1
Promises   the same seed and the same case give the same course; each time is later than, or the same
           as, the one before it
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from random import Random

from simulators.chance import chance
from simulators.workdays import next_workday, office_time, taken_up, workdays_after

__all__ = [
    "FAMILY_NAMES",
    "GIVEN_NAMES",
    "Case",
    "Course",
    "Event",
    "Kind",
    "Licence",
    "Special",
    "Step",
    "Supplement",
    "course",
    "reply_time",
]

REFUSED, SUPPLEMENTED, SPECIAL, DENIED = 0.04, 0.10, 0.08, 0.06
PAST_PROMISE, PAST_STATUTORY, ON_THE_LAST_DAY = 0.10, 0.03, 0.06
LATE_ACCEPTANCE = 0.03
PROMISED_MINUTES = 45  # a notice-and-promise case is decided while the applicant waits

# The application's running number in a case number, before the number of the item.
RUNNING = re.compile(r"([0-9]{1,20})(?:-[0-9]+)?$", re.ASCII)
FAMILY_NAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN_NAMES = (
    "建国",
    "志强",
    "丽华",
    "晓燕",
    "海涛",
    "春梅",
    "文博",
    "雨桐",
    "永刚",
    "明辉",
    "佳宁",
)
REFUSALS = (
    "经营场所不在本行政区域内",
    "申请事项依法不属于本机关职权范围",
    "经营场所未取得合法使用证明",
)
GAPS = (
    ("营业场所平面图缺少安全出口标注", ("营业场所平面图",)),
    ("租赁合同已过期，请补充有效合同", ("房屋租赁合同", "产权证明")),
    ("法定代表人签字缺失", ("申请书",)),
    ("检测报告超过一年有效期", ("卫生检测报告",)),
)
SPECIALS = (
    ("现场核查", "需现场核实经营场所条件"),
    ("专家评审", "依法需组织专家评审"),
    ("听证", "利害关系人申请听证"),
)
STEPS = ("审查", "现场勘验", "审核", "决定")
DENIALS = ("现场核查不符合规定条件", "提交的材料与实际情况不符")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What an authority knows when a case comes in. Limits count working days."""

    case_no: str
    applied_at: datetime
    promised: bool = False  # 告知承诺制
    posted: bool = False  # the result goes by post
    promise_days: int = 10
    statutory_days: int = 20


@dataclass(frozen=True, slots=True)
class Supplement:
    """补正: asked for before the case is accepted; the case waits for the reply."""

    number: int
    at: datetime
    reason: str
    materials: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """办理环节, finished."""

    number: int
    name: str
    officer: str
    opinion: str
    started_at: datetime
    ended_at: datetime
    passed: bool


@dataclass(frozen=True, slots=True)
class Special:
    """特别程序. *extended_days* is positive where the limit was extended, else the clock stood still."""

    number: int
    name: str
    reason: str
    started_at: datetime
    ended_at: datetime
    extended_days: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Licence:
    """*serial* has six digits: the authority's running number, which its licence number contains. It
    follows the application's number, so that no two licences of one item have the same."""

    serial: str
    issued_on: date
    valid_from: date
    valid_to: date


class Kind(StrEnum):
    SUPPLEMENT_ASKED = "supplement-asked"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    STEP_DONE = "step-done"
    SPECIAL_STARTED = "special-started"
    SPECIAL_ENDED = "special-ended"
    DECIDED = "decided"
    LICENSED = "licensed"
    SENT = "sent"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class Event:
    """
    Something an authority reports.

    *number* counts a case's events from 1. *subject* is the `Step`, `Supplement`, `Special` or
    `Licence` it is about. *after_s*: real seconds after the event before it (for the one after a
    supplement: after the applicant's reply, see *waits_for_reply*).
    """

    number: int
    kind: Kind
    at: datetime
    after_s: float
    subject: Step | Supplement | Special | Licence | None = None
    waits_for_reply: bool = False

    @property
    def name(self) -> str:
        """Unique within the case, e.g. ``step-done-2``."""
        count = self.subject.number if isinstance(self.subject, Step | Supplement | Special) else 0
        return f"{self.kind}-{count}" if count else str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """All that happens to one case, in words of no partner in particular."""

    case: Case
    officer: str
    supplement: Supplement | None
    accepted: bool
    accepted_at: datetime  # or refused at
    refusal: str
    steps: tuple[Step, ...]
    special: Special | None
    granted: bool
    decided_at: datetime
    denial: str
    charged: bool
    licence: Licence | None
    sent_at: datetime | None
    received_at: datetime | None
    waybill: str
    events: tuple[Event, ...]

    @property
    def result_code(self) -> str:
        """Canonical result code: 1 准予许可, 2 不予许可, 3 不予受理."""
        if not self.accepted:
            return "3"
        return "1" if self.granted else "2"


def course(seed: int, case: Case) -> Course:
    """The course of *case*."""
    rng = chance(seed, case.case_no, "course")
    draws = _Draws(rng, case)
    supplement = draws.supplement()
    resumed_at = (
        reply_time(seed, case.case_no, supplement.number, supplement.at)
        if supplement
        else case.applied_at
    )
    accepted = rng.random() >= REFUSED
    accepted_at = draws.acceptance(resumed_at)
    special, decision_day = (None, accepted_at.date())
    if accepted and not case.promised:
        special, decision_day = draws.span(accepted_at)
    granted = accepted and rng.random() >= DENIED
    steps = draws.steps(accepted_at, decision_day, special, granted=granted) if accepted else ()
    decided_at = steps[-1].ended_at if steps else accepted_at
    licence = draws.licence(decided_at) if granted else None
    sent_at, received_at = draws.sending(decided_at) if granted else (None, None)
    made = Course(
        case=case,
        officer=_person(rng),
        supplement=supplement,
        accepted=accepted,
        accepted_at=accepted_at,
        refusal="" if accepted else rng.choice(REFUSALS),
        steps=steps,
        special=special,
        granted=granted,
        decided_at=decided_at,
        denial=rng.choice(DENIALS) if accepted and not granted else "",
        charged=rng.random() < 0.2,
        licence=licence,
        sent_at=sent_at,
        received_at=received_at,
        waybill=f"SF{rng.randrange(10**12):012}" if sent_at else "",
        events=(),
    )
    return _with_events(made, seed)


def reply_time(seed: int, case_no: str, number: int, noticed_at: datetime) -> datetime:
    """When the applicant answers supplement *number*: one to three working days after the notice."""
    rng = chance(seed, case_no, "reply", number)
    day = workdays_after(noticed_at.date(), rng.randint(1, 3))
    return office_time(day, rng)


class _Draws:
    """The draws of one case, each a small decision."""

    def __init__(self, rng: Random, case: Case) -> None:
        self._rng, self._case = rng, case

    def supplement(self) -> Supplement | None:
        rng, case = self._rng, self._case
        if rng.random() >= SUPPLEMENTED or case.promised:
            return None
        reason, materials = rng.choice(GAPS)
        day = workdays_after(next_workday(case.applied_at), rng.randint(0, 2))
        at = max(office_time(day, rng), case.applied_at + timedelta(minutes=rng.randint(5, 60)))
        return Supplement(1, at, reason, materials)

    def acceptance(self, resumed_at: datetime) -> datetime:
        """On the spot if promised, else within five working days, a few later."""
        rng = self._rng
        if self._case.promised:
            minutes = timedelta(minutes=rng.randint(5, PROMISED_MINUTES))
            return taken_up(resumed_at) + minutes
        days = rng.randint(6, 8) if rng.random() < LATE_ACCEPTANCE else rng.randint(0, 4)
        day = workdays_after(next_workday(resumed_at), days)
        return max(office_time(day, rng), resumed_at + timedelta(minutes=rng.randint(5, 60)))

    def span(self, accepted_at: datetime) -> tuple[Special | None, date]:
        """The special procedure, if there is one, and the day of the decision."""
        rng, case = self._rng, self._case
        used = self._days_used()
        if rng.random() >= SPECIAL:
            return None, workdays_after(accepted_at.date(), used)
        started_day = workdays_after(accepted_at.date(), max(1, used // 3))
        started_at = office_time(started_day, rng)
        extends = rng.random() < 0.3
        stood_still = 0 if extends else rng.randint(3, 10)
        ended_day = started_day if extends else workdays_after(started_day, stood_still)
        ended_at = started_at + timedelta(minutes=30) if extends else office_time(ended_day, rng)
        name, reason = ("延长审批", "情况复杂，经本机关负责人批准延长期限")
        if not extends:
            name, reason = rng.choice(SPECIALS)
        extended_days = min(10, case.statutory_days) if extends else 0
        rest = max(1, used - max(1, used // 3)) + (extended_days // 2)
        special = Special(
            1,
            name,
            reason,
            started_at,
            ended_at,
            extended_days,
            "同意延长" if extends else "已完成",
        )
        return special, workdays_after(ended_day, rest)

    def _days_used(self) -> int:
        """Working days from acceptance to decision: most within the promise, a few past the law."""
        rng, case = self._rng, self._case
        drawn = rng.random()
        if drawn < PAST_STATUTORY:
            return case.statutory_days + rng.randint(1, 4)
        if drawn < PAST_STATUTORY + PAST_PROMISE:
            return rng.randint(
                case.promise_days + 1, max(case.promise_days + 1, case.statutory_days)
            )
        if drawn < PAST_STATUTORY + PAST_PROMISE + ON_THE_LAST_DAY:
            return case.promise_days
        return rng.randint(1, max(1, case.promise_days - 1))

    def steps(
        self, accepted_at: datetime, decision_day: date, special: Special | None, *, granted: bool
    ) -> tuple[Step, ...]:
        """One step when promised, else one to three; they follow each other up to the decision."""
        names, ends = self._promised_steps(accepted_at)
        if not self._case.promised:
            floor = max(accepted_at, special.ended_at) if special else accepted_at
            names, ends = self._ordinary_steps(accepted_at, decision_day, floor)
        made: list[Step] = []
        for name, wanted in zip(names, ends, strict=True):
            passed = granted or len(made) + 1 < len(names)
            opinion = "符合条件，同意" if passed else "不符合条件，不同意"
            started_at = made[-1].ended_at if made else accepted_at
            ended_at = max(started_at, wanted)
            number, officer = len(made) + 1, _person(self._rng)
            made.append(Step(number, name, officer, opinion, started_at, ended_at, passed))
        return tuple(made)

    def _promised_steps(self, accepted_at: datetime) -> tuple[list[str], list[datetime]]:
        minutes = self._rng.randint(5, PROMISED_MINUTES)
        return [STEPS[-1]], [accepted_at + timedelta(minutes=minutes)]

    def _ordinary_steps(
        self, accepted_at: datetime, decision_day: date, floor: datetime
    ) -> tuple[list[str], list[datetime]]:
        rng = self._rng
        count = rng.randint(1, 3)
        decided_at = max(office_time(decision_day, rng), floor + timedelta(minutes=20))
        share = (decided_at - accepted_at) / count
        early = [_in_office(accepted_at + share * n, decided_at) for n in range(1, count)]
        return [*STEPS[: count - 1], STEPS[-1]], [*early, decided_at]

    def licence(self, decided_at: datetime) -> Licence:
        issued_on = decided_at.date()
        years = self._rng.choice((3, 4, 5))
        valid_to = issued_on.replace(year=issued_on.year + years, day=min(issued_on.day, 28))
        running = RUNNING.search(self._case.case_no)
        number = int(running[1]) if running else self._rng.randrange(10**6)
        return Licence(f"{number % 10**6:06}", issued_on, issued_on, valid_to)

    def sending(self, decided_at: datetime) -> tuple[datetime | None, datetime]:
        rng = self._rng
        if not self._case.posted:
            return None, decided_at + timedelta(minutes=rng.randint(2, 30))
        sent_at = decided_at + timedelta(hours=rng.randint(1, 20), minutes=rng.randrange(60))
        return sent_at, sent_at + timedelta(hours=rng.randint(12, 60))


def _with_events(made: Course, seed: int) -> Course:
    rng = chance(seed, made.case.case_no, "delays")
    waits = False
    events: list[Event] = []
    for number, (kind, at, subject) in enumerate(_happenings(made), 1):
        after_s = round(rng.uniform(0.2, 1.2), 3)
        events.append(Event(number, kind, at, after_s, subject, waits_for_reply=waits))
        waits = kind is Kind.SUPPLEMENT_ASKED
    fields = {name: getattr(made, name) for name in made.__slots__}
    return Course(**(fields | {"events": tuple(events)}))


def _happenings(
    made: Course,
) -> Iterator[tuple[Kind, datetime, Step | Supplement | Special | Licence | None]]:
    """In the order in which an authority reports them."""
    if made.supplement:
        yield Kind.SUPPLEMENT_ASKED, made.supplement.at, made.supplement
    if not made.accepted:
        yield Kind.REFUSED, made.accepted_at, None
        return
    yield Kind.ACCEPTED, made.accepted_at, None
    middle = [(Kind.STEP_DONE, step.ended_at, step) for step in made.steps]
    special = made.special
    between: list[tuple[Kind, datetime, Step | Special]] = [*middle]
    if special:
        between.append((Kind.SPECIAL_STARTED, special.started_at, special))
        between.append((Kind.SPECIAL_ENDED, special.ended_at, special))
    yield from sorted(between, key=lambda each: each[1])
    yield Kind.DECIDED, made.decided_at, None
    if made.licence:
        yield Kind.LICENSED, made.decided_at, made.licence
    if made.sent_at:
        yield Kind.SENT, made.sent_at, None
    if made.received_at:
        yield Kind.RECEIVED, made.received_at, None


def _in_office(moment: datetime, latest: datetime) -> datetime:
    """*moment*, moved to office hours, though never beyond *latest*."""
    moment = moment.replace(microsecond=0)
    moved = moment.replace(hour=min(max(moment.hour, 9), 16))
    return min(datetime.combine(workdays_after(moved.date(), 0), moved.time()), latest)


def _person(rng: Random) -> str:
    return rng.choice(FAMILY_NAMES) + rng.choice(GIVEN_NAMES)
