"""One-thing as a subscriber: applications are split, reports are joined, progress is published.

Promises   reports may come before their application, repeated, and in any order: the end is the same
Careful    rows are locked case first, application second, everywhere: two reports of one
           application wait for each other, and never in a circle
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.streams import Subscriber
from schemas.message import Body, Message, Operation, Publication, ResourceName
from services.one_thing.rules import (
    ACCEPTED_OF_CASE,
    SLOTS,
    Due,
    ItemView,
    OneThingRules,
    accepted_case,
    application_state,
    item_cases,
    merged,
    view,
)
from services.one_thing.tables import applications, items

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
    handler = _Handler(rules, seal, due)
    resources = (APPLICATION, *map(ResourceName, SLOTS))
    return Subscriber(name=NAME, resources=resources, handle=handler.take)


class _Handler:
    def __init__(self, rules: OneThingRules, seal: Seal, due: Due | None) -> None:
        self._rules, self._seal, self._due = rules, seal, due

    def take(
        self, connection: Connection, message: Message, now: datetime
    ) -> Sequence[Publication]:
        if message.resource == APPLICATION:
            return self._split(connection, message.body, now)
        return self._join(connection, message, now)

    def _split(
        self, connection: Connection, application: Body, now: datetime
    ) -> Sequence[Publication]:
        cases = item_cases(application, self._rules)
        number = str(application["applicationNo"])
        row = {
            "number": number,
            "region": application["regionCode"],
            "theme": application["themeName"],
            "applicant_masked": _masked(str(application["applicantName"])),
            "apply_time": application["applyTime"],
            "delivery_mode": application["deliveryMode"],
            "state": "1",
            "version": 0,
            "updated_at": now,
        }
        if not connection.execute(_once(connection, applications), row).rowcount:
            return ()
        published: list[Publication] = []
        for case in cases:
            published += self._open(connection, case, now)
        return [*published, *self._progress(connection, number, now)]

    def _open(
        self, connection: Connection, case: dict[str, Any], now: datetime
    ) -> list[Publication]:
        """A new item case; what was reported of it before it was known is joined now."""
        row = _row_of(connection, case["caseNo"], now)
        facts = dict(row.facts)
        accepted = accepted_case(case, facts, self._rules, self._due)
        needed = {name: case[name] for name in ACCEPTED_OF_CASE}
        change = {
            "application": case["applicationNo"],
            "number": int(case["caseNo"].rpartition("-")[2]),
            "catalog_code": case["catalogCode"],
            "task_name": case["taskName"],
            "org": case["handlingOrgName"],
            "state": view(facts).state,
            "accepted_published": accepted is not None,
            "sealed": None if accepted else self._seal.seal(orjson.dumps(needed)),
            "updated_at": now,
        }
        here = items.c.case_no == case["caseNo"]
        connection.execute(update(items).where(here).values(**change))
        published = [_publication("itemCase", case["caseNo"], case)]
        if accepted:
            published.append(_publication("acceptedCase", case["caseNo"], accepted))
        return published

    def _join(
        self, connection: Connection, message: Message, now: datetime
    ) -> Sequence[Publication]:
        case_no = str(message.body["caseNo"])
        row = _row_of(connection, case_no, now)
        known = dict(row.facts)
        facts = merged(known, message.resource, message.body)
        if facts == known:
            return ()
        change: dict[str, Any] = {"facts": facts, "state": view(facts).state, "updated_at": now}
        published: list[Publication] = []
        if row.sealed:
            case = orjson.loads(self._seal.open(row.sealed))
            if accepted := accepted_case(case, facts, self._rules, self._due):
                # Nothing more needs the applicant's name and number: they are not kept on.
                change |= {"accepted_published": True, "sealed": None}
                published.append(_publication("acceptedCase", case_no, accepted))
        connection.execute(update(items).where(items.c.case_no == case_no).values(**change))
        if row.application and view(facts) != view(known):
            published += self._progress(connection, row.application, now)
        return published

    def _progress(self, connection: Connection, number: str, now: datetime) -> list[Publication]:
        application = connection.execute(
            select(applications).where(applications.c.number == number).with_for_update()
        ).one()
        rows = connection.execute(
            select(items).where(items.c.application == number).order_by(items.c.number)
        ).all()
        views = [view(dict(row.facts)) for row in rows]
        state, version = application_state(views), application.version + 1
        connection.execute(
            update(applications)
            .where(applications.c.number == number)
            .values(state=state, version=version, updated_at=now)
        )
        body = {
            "applicationNo": number,
            "applicationState": state,
            "finishedCount": sum(each.finished for each in views),
            "totalCount": len(views),
            "progressVersion": version,
            "updateTime": now.astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S"),
            "ItemProgress": [_item(row, each) for row, each in zip(rows, views, strict=True)],
            "regionCode": application.region,
        }
        return [_publication("applicationProgress", f"{number}/{version}", body)]


def _item(row: Any, item: ItemView) -> dict[str, Any]:
    told = {
        "caseNo": row.case_no,
        "catalogCode": row.catalog_code,
        "taskName": row.task_name,
        "itemState": item.state,
        "resultCode": item.result_code,
        "licenceNumber": item.licence_number,
        "dispatchState": item.dispatch_state,
    }
    return {name: value for name, value in told.items() if value}


def _publication(resource: str, key: str, body: dict[str, Any]) -> Publication:
    return Publication(
        resource=ResourceName(resource), operation=Operation.CREATED, key=key, body=body
    )


def _row_of(connection: Connection, case_no: str, now: datetime) -> Any:
    """The row of a case, held until the end of the transaction; made where there is none yet."""
    empty = {
        "case_no": case_no,
        "application": "",
        "number": 0,
        "catalog_code": "",
        "task_name": "",
        "org": "",
        "facts": {},
        "state": "1",
        "accepted_published": False,
        "sealed": None,
        "updated_at": now,
    }
    connection.execute(_once(connection, items), empty)
    here = items.c.case_no == case_no
    return connection.execute(select(items).where(here).with_for_update()).one()


def _once(connection: Connection, table: Any) -> Any:
    made = sqlite if connection.dialect.name == "sqlite" else postgresql
    return made.insert(table).on_conflict_do_nothing()


def _masked(name: str) -> str:
    return name[:1] + "＊" * max(1, min(len(name) - 1, 3))
