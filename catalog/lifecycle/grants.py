"""Applications for what is shared on conditions (有条件共享), and the grants they lead to: the rules.

An application is checked for conformity (符合性审查) by the authority, then answered by the provider;
what is shared without condition needs no answer, unless an item asked for has a condition of its own.
An item that is not shared (不予共享) is never granted. A refusal says why, to the refused too.

Standard   R-A6, R-C8; the 2017 compiling guide (sharing type, condition, way); 政务数据共享条例
Form       待符合性审查 → 待提供方答复 → 已授权 | 部分授权 | 不予共享; 退回补正 in between
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from catalog.lifecycle.items import covered, paths
from catalog.lifecycle.people import Actor, Role, must_be
from catalog.lifecycle.steps import PLACEHOLDERS, Terms
from catalog.model import Catalogue, Resource, Sensitivity, Share
from catalog.shares import shares
from schemas.errors import Facts, Fault, Rejected
from schemas.texts import worded

__all__ = [
    "WAITING",
    "Answer",
    "Application",
    "Asked",
    "Decision",
    "Stage",
    "answered",
    "conditions_of",
    "conformity",
    "doubts",
    "holder_of",
]


class Stage(StrEnum):
    CONFORMITY = "conformity"  # 待符合性审查
    ANSWER = "answer"  # 待提供方答复
    RETURNED = "returned"  # 退回补正
    GRANTED = "granted"  # 已授权
    PARTLY = "partly-granted"  # 部分授权
    REFUSED = "refused"  # 不予共享
    CANCELLED = "cancelled"  # 已取消


WAITING = frozenset({Stage.CONFORMITY, Stage.ANSWER, Stage.RETURNED})
# By these ways the grantee comes for it; by files it may be sent to it, too.
_FETCHED = frozenset({"database", "file"})


class Decision(StrEnum):
    PASS = "pass"  # 符合性审查通过  # noqa: S105 - a decision, no password
    AGREE = "agree"  # 同意
    RETURN = "return"  # 退回补正
    REFUSE = "refuse"  # 不予共享
    RESUBMIT = "resubmit"  # 补正后再提交
    CANCEL = "cancel"  # 取消


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is applied for. *system*: the applicant's, which is to get it, by its *call*; *items*:
    paths; *per_day*: messages a day at most; *until*: the last day."""

    resource: str
    system: str
    call: str
    purpose: str
    legal_basis: str
    items: tuple[str, ...]
    way: str
    until: date
    per_day: int | None = None

    @property
    def is_sent(self) -> bool:
        """Whether it goes to a call of the system, and does not only wait for its grantee."""
        return self.way != "database" and bool(self.call.strip())


@dataclass(frozen=True, slots=True)
class Application:
    """*unit*: the applicant's; *provider*: of the resource."""

    number: str
    unit: str
    provider: str
    stage: Stage
    since: datetime
    submitted_by: str
    asked: Asked


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes with a decision. *items*: those that are agreed to; none: all that were asked."""

    reason: str = ""
    items: tuple[str, ...] = ()


def conformity(
    asked: Asked,
    resource: Resource,
    owners: Mapping[str, str],
    unit: str,
    today: date,
    terms: Terms,
) -> tuple[Fault, ...]:
    """
    What keeps the application from being one: it goes back at once, with all of it.

    *owners*: the unit of each system. *at* of a fault is the field of the application.
    """
    return (
        *_of_sharing(asked, resource),
        *_of_receiver(asked, owners, unit),
        *_of_items(asked, resource),
        *_of_term(asked, today, terms),
    )


def _of_sharing(asked: Asked, resource: Resource) -> Iterator[Fault]:
    share = resource.share
    if share.type == "none":
        yield Fault("grant.not-shared", "resource", {"ground": share.condition or "–"})
    if asked.way != share.way:
        yield Fault("grant.way", "way", worded("way", f"catalogue.way.{share.way}"))
    if asked.purpose.strip() in PLACEHOLDERS:
        yield Fault("grant.purpose", "purpose")
    for path, own in _asked_shares(asked.items, resource):
        if own.type == "none" and share.type != "none":
            facts: Facts = {"item": path, "ground": own.condition or "–"}
            yield Fault("grant.item-not-shared", "items", facts)
        elif own.way not in {share.way, asked.way}:
            way = worded("way", f"catalogue.way.{own.way}")
            yield Fault("grant.item-way", "items", {"item": path, **way})
    conditions = conditions_of(asked.items, resource)
    if conditions and asked.legal_basis.strip() in PLACEHOLDERS:
        yield Fault("grant.legal-basis", "legal_basis", {"condition": " ".join(conditions)})


def conditions_of(items: Collection[str], resource: Resource) -> tuple[str, ...]:
    """What is asked of who wants *items*: the resource's condition, and those of items, each once."""
    told = [each.condition or "–" for _, each in _asked_shares(items, resource)
            if each.type == "conditional"]  # fmt: skip
    return tuple(dict.fromkeys(told))


def _asked_shares(items: Collection[str], resource: Resource) -> Iterator[tuple[str, Share]]:
    """Also of what comes with a group that is asked for; the resource's first."""
    yield "", resource.share
    for path, share in shares(resource).items():
        if covered(path, items):
            yield path, share


def _of_receiver(asked: Asked, owners: Mapping[str, str], unit: str) -> Iterator[Fault]:
    if owners.get(asked.system) != unit:
        yield Fault("grant.system", "system", {"system": asked.system, "unit": unit})
    if not asked.call.strip() and asked.way not in _FETCHED:
        yield Fault("grant.call", "call")


def _of_items(asked: Asked, resource: Resource) -> Iterator[Fault]:
    known = paths(resource)
    for item in asked.items:
        if item not in known:
            yield Fault("grant.item", "items", {"item": item})
    if not covered(resource.subject, asked.items):
        yield Fault("grant.key", "items", {"item": resource.subject})


def _of_term(asked: Asked, today: date, terms: Terms) -> Iterator[Fault]:
    if asked.until <= today:
        yield Fault("grant.past", "until")
    elif (asked.until - today).days > terms.limits.grant_days:
        yield Fault("grant.long", "until", {"days": terms.limits.grant_days})
    if asked.per_day is not None and asked.per_day < 1:
        yield Fault("grant.per-day", "per_day")


def doubts(asked: Asked, resource: Resource, catalogue: Catalogue) -> tuple[Fault, ...]:
    """What whoever answers should look at: items that tell of a person (最小必要)."""
    found = []
    for path, item in paths(resource).items():
        element = catalogue.elements.get(item.element or "")
        if element is None or not covered(path, asked.items):
            continue
        if element.sensitivity in {Sensitivity.PERSONAL, Sensitivity.SENSITIVE}:
            names: Facts = {"name_zh": element.name.zh, "name_en": element.name.en}
            found.append(Fault("grant.personal", path, names))
    return tuple(found)


def holder_of(application: Application) -> tuple[Role, str] | None:
    """Whose turn it is, and of which unit ("" for the authority)."""
    match application.stage:
        case Stage.CONFORMITY:
            return Role.AUTHORITY, ""
        case Stage.ANSWER:
            return Role.UNIT_REVIEWER, application.provider
        case Stage.RETURNED:
            return Role.EDITOR, application.unit
        case _:
            return None


def answered(
    application: Application,
    decision: Decision,
    actor: Actor,
    at: datetime,
    *,
    answer: Answer,
    resource: Resource,
) -> Application:
    """
    *application* after *decision*; a granted one asks for what is granted.

    Raises `Rejected`: ``lifecycle.state``, ``lifecycle.role``, ``lifecycle.reason``, ``grant.item``,
    ``grant.key``.
    """
    conditional = bool(conditions_of(application.asked.items, resource))
    stage = _next(application, decision, actor, conditional=conditional)
    if decision in {Decision.RETURN, Decision.REFUSE} and answer.reason.strip() in PLACEHOLDERS:
        raise Rejected("lifecycle.reason", "A reason is due", item="")
    asked = application.asked
    if decision is Decision.AGREE and answer.items and set(answer.items) != set(asked.items):
        _check_agreed(answer.items, asked.items, resource)
        stage, asked = Stage.PARTLY, replace(asked, items=answer.items)
    return replace(application, stage=stage, since=at, asked=asked)


def _next(
    application: Application, decision: Decision, actor: Actor, *, conditional: bool
) -> Stage:
    now = application.stage
    if decision is Decision.CANCEL and now in WAITING:
        must_be(actor, Role.EDITOR, application.unit)
        return Stage.CANCELLED
    held = holder_of(application)
    reached = {
        (Stage.CONFORMITY, Decision.PASS): Stage.ANSWER if conditional else Stage.GRANTED,
        (Stage.CONFORMITY, Decision.RETURN): Stage.RETURNED,
        (Stage.CONFORMITY, Decision.REFUSE): Stage.REFUSED,
        (Stage.ANSWER, Decision.AGREE): Stage.GRANTED,
        (Stage.ANSWER, Decision.RETURN): Stage.RETURNED,
        (Stage.ANSWER, Decision.REFUSE): Stage.REFUSED,
        (Stage.RETURNED, Decision.RESUBMIT): Stage.CONFORMITY,
    }.get((now, decision))
    if held is None or reached is None:
        raise Rejected("lifecycle.state", "Not from here", act=decision.value, state=now.value)
    must_be(actor, *held)
    return reached


def _check_agreed(agreed: Collection[str], asked: Collection[str], resource: Resource) -> None:
    for item in agreed:
        if item not in paths(resource) or not covered(item, asked):
            raise Rejected("grant.item", "Nobody asked for it", item=item)
    if not covered(resource.subject, agreed):
        raise Rejected(
            "grant.key", "Without the key nothing can be told apart", item=resource.subject
        )
