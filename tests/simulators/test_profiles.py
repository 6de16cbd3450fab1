"""The partners met as the hub meets them: by the reference site's profiles, routes and connectors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.http_json import HttpJson
from connectors.http_json import Settings as HttpSettings
from connectors.soap import Settings as SoapSettings
from connectors.soap import Soap
from hub.port import Inbound
from schemas.errors import Misconfigured, Rejected, Transient
from schemas.message import Answer, Delivery, Record, RouteName, SystemCode
from simulators.applications import application
from simulators.fire_safety import fire_safety
from simulators.integrated_platform import IntegratedPlatform
from simulators.lifecycle import course
from simulators.market_supervision import market_supervision
from simulators.one_window import one_window
from simulators.special_industry import special_industry
from simulators.surroundings import Partner, Surroundings
from tests.simulators.reference import (
    case_of,
    declarations,
    intake,
    item_cases,
    message,
    route,
    validator,
)
from tests.simulators.the_hub import SECRET, Arrived, Door, Line, a_partner, until

SITE = Path(__file__).parents[2] / "sites/reference"
Make = Callable[[Surroundings], Partner]


def settings_of(system: str, url: str) -> Any:
    """The profile's settings, as the composition root resolves them."""

    def resolved(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: resolved(each) for name, each in value.items()}
        if not isinstance(value, str):
            return value
        return (
            value.replace(f"address://{system}", url)
            .replace(f"secret://{system}", SECRET)
            .replace("site://", f"{SITE}/")
        )

    return resolved(dict(declarations().systems[system].settings))


def connector(system: str, url: str, secret: str = SECRET) -> HttpJson | Soap:
    """The connector that the site declares for *system*."""
    settings = {**settings_of(system, url), "secret": secret}
    if declarations().systems[system].connector == "soap":
        return Soap(SystemCode(system), SoapSettings.model_validate(settings))
    return HttpJson(SystemCode(system), HttpSettings.model_validate(settings))


def a_delivery(name: str, code: str, *, seed: int = 1) -> Delivery:
    """The first case of an item *code* among made-up applications whose course waits for nobody."""
    for n in range(1, 100):
        (draft,) = intake("integrated-platform.application").drafts(
            application(seed, f"MS2026{n:07}")
        )
        for body in item_cases(draft):
            if body["catalogCode"] == code and not course(7, case_of(body)).supplement:
                compiled = route(name)
                sent = message("itemCase", body)
                payload = compiled.payload(sent)
                assert payload is not None
                return Delivery(
                    message=sent, route=RouteName(name), call=compiled.call, payload=payload
                )
    raise AssertionError(f"no application chose {code}")


async def all_records(source: HttpJson | Soap, line: Line) -> list[Record]:
    """What the source tells, asked again until the partner has nothing more to tell."""
    found: list[Record] = []
    cursor: Any = None

    async def all_told() -> bool:
        nonlocal cursor
        async for record in source.records(cursor):
            found.append(record)
            cursor = record.cursor or cursor
        return bool(found) and await line.quiet()

    await until(all_told, "the end of the course")
    return found


def inbound(arrived: Arrived, headers: dict[str, str]) -> Inbound:
    return Inbound(
        method="POST",
        path=arrived.kind,
        headers={name.lower(): value for name, value in headers.items()},
        body=arrived.body,
        received_at=datetime.now(UTC),
    )


PARTNERS: list[tuple[str, Make, str, str]] = [
    ("one-window", one_window, "items-to-one-window", "000123002000"),
    ("market-supervision", market_supervision, "items-to-market-supervision", "000131023000"),
    ("special-industry", special_industry, "items-to-special-industry", "000109001000"),
    ("fire-safety", fire_safety, "items-to-fire-safety", "000195007000"),
]


@pytest.mark.parametrize(
    ("system", "make", "name", "code"), PARTNERS, ids=lambda each: str(each)[:20]
)
async def test_a_delivery_is_taken_once(
    tmp_path: Path, system: str, make: Make, name: str, code: str
) -> None:
    """Checked, delivered, repeated after a lost answer: one case, one number."""
    delivery = a_delivery(name, code)
    async with (
        a_partner(make, tmp_path, system=system) as line,
        connector(system, line.url) as sink,
    ):
        await sink.check()
        await line.control("faults", {"lose_answer_every": 1})
        with pytest.raises(Transient):
            await sink.deliver(delivery)
        await line.control("faults", {"lose_answer_every": 0})
        answer = await sink.deliver(delivery)

        assert Answer(answer.number, repeated=True) == answer
        assert [delivery.key] == [each["key"] for each in await line.control("holds")]


@pytest.mark.parametrize(
    ("system", "make", "name", "code"), PARTNERS, ids=lambda each: str(each)[:20]
)
async def test_what_goes_wrong_is_of_the_right_kind(
    tmp_path: Path, system: str, make: Make, name: str, code: str
) -> None:
    """Errors and nonsense are transient, a refusal names its item, a wrong key stops the route."""
    delivery = a_delivery(name, code)
    async with (
        a_partner(make, tmp_path, system=system) as line,
        connector(system, line.url) as sink,
    ):
        for switch in ("error_every", "malformed_every", "half_answer_every"):
            await line.control("faults", {switch: 1})
            with pytest.raises(Transient):
                await sink.deliver(delivery)
            await line.control("faults", {switch: 0})
        await line.control("faults", {"refuse_every": 1})
        with pytest.raises(Rejected) as refused:
            await sink.deliver(delivery)

    assert "target.refused" == refused.value.code
    assert "" != refused.value.at


@pytest.mark.parametrize(
    ("system", "make", "name", "code"), PARTNERS, ids=lambda each: str(each)[:20]
)
async def test_another_secret_stops_the_route(
    tmp_path: Path, system: str, make: Make, name: str, code: str
) -> None:
    """It would fail for every message alike."""
    delivery = a_delivery(name, code)
    async with (
        a_partner(make, tmp_path, system=system) as line,
        connector(system, line.url, "another") as sink,
    ):
        with pytest.raises(Misconfigured):
            await sink.deliver(delivery)


@pytest.mark.parametrize(
    ("system", "make", "name", "code", "kind"),
    [(*PARTNERS[1], "change"), (*PARTNERS[2], "progress")],
    ids=lambda each: str(each)[:20],
)
async def test_what_is_asked_for_becomes_canonical(
    tmp_path: Path, system: str, make: Make, name: str, code: str, kind: str
) -> None:
    """From the delivery to valid canonical bodies, through the declared feed; nothing twice."""
    async with (
        a_partner(make, tmp_path, system=system) as line,
        connector(system, line.url) as source,
    ):
        await source.deliver(a_delivery(name, code))
        records = await all_records(source, line)

        assert {kind} == {record.kind for record in records}
        assert len(records) == len({record.key for record in records})
        bodies = [
            draft for record in records for draft in intake(f"{system}.{kind}").drafts(record.body)
        ]
        assert () == tuple(
            fault for each in bodies for fault in validator(each.resource)(each.body).faults
        )
        assert "caseAcceptance" in {each.resource for each in bodies}


@pytest.mark.parametrize(
    ("system", "make", "name", "code", "kind"),
    [(*PARTNERS[0], "event"), (*PARTNERS[3], "notification")],
    ids=lambda each: str(each)[:20],
)
async def test_what_is_pushed_becomes_canonical(
    tmp_path: Path, system: str, make: Make, name: str, code: str, kind: str
) -> None:
    """From the delivery to valid canonical bodies, through the hub's own door."""
    async with (
        Door() as door,
        a_partner(make, tmp_path, hub_url=door.url, system=system) as line,
        connector(system, line.url) as receiver,
    ):
        await receiver.deliver(a_delivery(name, code))

        async def all_told() -> bool:
            return bool(door.taken) and await line.quiet()

        await until(all_told, "the course")
        for arrived in door.taken:
            (record,) = receiver.receive(inbound(arrived, door.headers[arrived.key]))
            assert (kind, arrived.key) == (record.kind, record.key)
            for draft in intake(f"{system}.{kind}").drafts(record.body):
                assert () == validator(draft.resource)(draft.body).faults


async def test_pushes_pass_the_hubs_own_door(tmp_path: Path) -> None:
    """The connector authenticates and reads what the platform pushed, under the platform's key."""
    async with (
        Door() as door,
        a_partner(
            IntegratedPlatform, tmp_path, hub_url=door.url, system="integrated-platform"
        ) as line,
        connector("integrated-platform", line.url) as receiver,
    ):
        await line.control("submit", {"cases": 1})
        await until(line.quiet, "the application")
        (arrived,) = door.taken
        (record,) = receiver.receive(inbound(arrived, door.headers[arrived.key]))

        assert ("application", "MS20260000001") == (record.kind, record.key)
        (draft,) = intake("integrated-platform.application").drafts(record.body)
        assert () == validator("oneThingApplication")(draft.body).faults


async def test_deliveries_to_the_integrated_platform_are_taken(tmp_path: Path) -> None:
    """Each route's own example goes through the connector and is held there, once."""
    names = [
        f"{what}-to-integrated-platform"
        for what in ("progress", "licences", "supplement-notices", "dispatches")
    ]
    async with (
        a_partner(IntegratedPlatform, tmp_path, system="integrated-platform") as line,
        connector("integrated-platform", line.url) as sink,
    ):
        deliveries = []
        for name in names:
            given = declarations().routes[name].examples[0].given
            sent = message(given.resource, dict(given.body), given.operation, given.source)
            compiled = route(name)
            payload = compiled.payload(sent)
            assert payload is not None
            deliveries.append(
                Delivery(message=sent, route=RouteName(name), call=compiled.call, payload=payload)
            )
        answers = await asyncio.gather(*(sink.deliver(each) for each in deliveries))

        assert [False] * 4 == [answer.repeated for answer in answers]
        assert {each.call for each in deliveries} == {
            each["call"] for each in await line.control("holds")
        }
