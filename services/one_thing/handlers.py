"""One-thing as a subscriber: applications are split, reports are joined, progress is published.

Promises   reports may come before their application, repeated, and in any order: the end is the same
Form       messages of a batch are taken one after the other on rows in memory (`services.one_thing.rows`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection

from hub.streams import Subscriber
from schemas.message import Body, Message, Operation, Publication, ResourceName
from services.one_thing.rows import Item, Rows
from services.one_thing.rules import (
    ACCEPTED_OF_CASE,
    SLOTS,
    Due,
    OneThingRules,
    accepted_case,
    application_state,
    item_cases,
    merged,
)

__all__ = ["NAME", "Seal", "subscriber"]

NAME = "one-thing"
APPLICATION = ResourceName("oneThingApplication")
BEIJING = timezone(timedelta(hours=8))


class Seal(Protocol):
    """Keeps personal values unreadable at rest."""

    def seal(self, content: bytes, /) -> bytes: ...
    def open(self, sealed: bytes, /) -> bytes: ...


def subscriber(rules: OneThingRules, seal: Seal, due: Due | None = None) -> Subscriber:
    """*due* tells an accepted case's promised day; without it that optional item is left out."""
    resources = (APPLICATION, *map(ResourceName, SLOTS))

    def take(
        connection: Connection, messages: Sequence[Message], now: datetime
    ) -> Sequence[Sequence[Publication]]:
        return _Taking(Rows(connection, now), rules, seal, due, now).take(messages)

    return Subscriber(name=NAME, resources=resources, handle_all=take)


class _Taking:
    """One transaction's messages."""

    def __init__(
        self, rows: Rows, rules: OneThingRules, seal: Seal, due: Due | None, now: datetime
    ) -> None:
        self._rows, self._rules, self._seal, self._due, self._now = rows, rules, seal, due, now
        self._opened: dict[str, list[dict[str, Any]]] = {}

    def take(self, messages: Sequence[Message]) -> Sequence[Sequence[Publication]]:
        self._read(messages)
        told = [self._one(message) for message in messages]
        self._rows.keep()
        return told

    def _read(self, messages: Sequence[Message]) -> None:
        """Make and hold the rows of all *messages*."""
        told = [message.body for message in messages if message.resource == APPLICATION]
        cases = {str(body["applicationNo"]): item_cases(body, self._rules) for body in told[::-1]}
        first = {str(body["applicationNo"]): body for body in told[::-1]}
        for number in self._rows.known(first):
            del first[number], cases[number]
        reported = {str(m.body["caseNo"]) for m in messages if m.resource != APPLICATION}
        opened = {str(case["caseNo"]) for each in cases.values() for case in each}
        self._rows.hold_items(reported | opened)
        new = self._rows.open_applications([_application(body) for body in first.values()])
        self._rows.hold_applications(new)
        self._opened = {number: each for number, each in cases.items() if number in new}

    def _one(self, message: Message) -> Sequence[Publication]:
        if message.resource == APPLICATION:
            return self._split(str(message.body["applicationNo"]))
        return self._join(message)

    def _split(self, number: str) -> Sequence[Publication]:
        """A new application's item cases; nothing for one that was split before."""
        cases = self._opened.pop(number, None)
        if cases is None:
            return ()
        published = [told for case in cases for told in self._open(case)]
        return [*published, self._progress(number)]

    def _open(self, case: dict[str, Any]) -> list[Publication]:
        """A new item case; what was reported of it before it was known is joined now."""
        item = self._rows.items[case["caseNo"]]
        accepted = accepted_case(case, item.facts, self._rules, self._due)
        needed = {name: case[name] for name in ACCEPTED_OF_CASE}
        item.application = case["applicationNo"]
        item.number = int(case["caseNo"].rpartition("-")[2])
        item.catalog_code, item.task_name = case["catalogCode"], case["taskName"]
        item.org = case["handlingOrgName"]
        item.accepted_published = accepted is not None
        item.sealed = None if accepted else self._seal.seal(orjson.dumps(needed))
        self._rows.changed_items.add(item.case_no)
        published = [_publication("itemCase", item.case_no, case)]
        if accepted:
            published.append(_publication("acceptedCase", item.case_no, accepted))
        return published

    def _join(self, message: Message) -> Sequence[Publication]:
        item = self._rows.items[str(message.body["caseNo"])]
        facts = merged(item.facts, message.resource, message.body)
        if facts == item.facts:
            return ()
        before, item.facts = item.view, facts
        self._rows.changed_items.add(item.case_no)
        published: list[Publication] = []
        if item.sealed:
            case = orjson.loads(self._seal.open(item.sealed))
            if accepted := accepted_case(case, facts, self._rules, self._due):
                # Nothing more needs the applicant's name and number: they are not kept on.
                item.accepted_published, item.sealed = True, None
                published.append(_publication("acceptedCase", item.case_no, accepted))
        if item.application and item.view != before:
            published.append(self._progress(item.application))
        return published

    def _progress(self, number: str) -> Publication:
        application, found = self._rows.applications[number], self._rows.items_of(number)
        views = [item.view for item in found]
        application.state = application_state(views)
        application.version += 1
        self._rows.changed_applications.add(number)
        body = {
            "applicationNo": number,
            "applicationState": application.state,
            "finishedCount": sum(each.finished for each in views),
            "totalCount": len(views),
            "progressVersion": application.version,
            "updateTime": self._now.astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S"),
            "ItemProgress": [_item(item) for item in found],
            "regionCode": application.region,
        }
        return _publication("applicationProgress", f"{number}/{application.version}", body)


def _application(body: Body) -> dict[str, Any]:
    return {
        "number": str(body["applicationNo"]),
        "region": body["regionCode"],
        "theme": body["themeName"],
        "applicant_masked": _masked(str(body["applicantName"])),
        "apply_time": body["applyTime"],
        "delivery_mode": body["deliveryMode"],
    }


def _item(item: Item) -> dict[str, Any]:
    seen = item.view
    told = {
        "caseNo": item.case_no,
        "catalogCode": item.catalog_code,
        "taskName": item.task_name,
        "itemState": seen.state,
        "resultCode": seen.result_code,
        "licenceNumber": seen.licence_number,
        "dispatchState": seen.dispatch_state,
    }
    return {name: value for name, value in told.items() if value}


def _publication(resource: str, key: str, body: Mapping[str, Any]) -> Publication:
    return Publication(
        resource=ResourceName(resource), operation=Operation.CREATED, key=key, body=body
    )


def _masked(name: str) -> str:
    return name[:1] + "＊" * max(1, min(len(name) - 1, 3))
