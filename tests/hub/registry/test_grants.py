"""Grants that grant: from the application to the last message, on a real broker (R-C8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count

import pytest

from catalog.lifecycle.grants import Answer, Application, Asked, Decision, Stage
from catalog.lifecycle.kept import Grant
from catalog.lifecycle.people import Actor, Role
from hub.crypto import Sm4Seal
from hub.registry.grant_route import GrantRoute, route_text
from hub.registry.grant_rows import grant, grants
from hub.registry.grants import GrantDesk
from hub.registry.meters import WHOLE, meter, use_of
from hub.registry.releasing import Releaser
from hub.registry.version_rows import acts_of
from hub.releases import apply, plan_of
from hub.store import Store
from routes.examples import run
from routes.lint import lint
from routes.route import compile_route
from routes.site import Declarations, read_declarations
from schemas.errors import Rejected
from schemas.receipt import Event
from tests.catalog.a_catalogue import small
from tests.hub.conftest import Running, a_step, eventually, now, running_engine
from tests.hub.registry.people import AUTHORITY, TERMS
from tests.hub.site import small_texts
from tests.hub.test_releases import flowing, following, grown
from tests.records import shape

# "left" gets the stream by a declared route, "right" is to have it by a grant.
UNIT = "市行政审批局"
TEXTS = {f: t for f, t in small_texts().items() if f != "routes/steps-to-right.yaml"}
APPLICANT = Actor("李", UNIT, frozenset({Role.EDITOR}))
PROVIDER = Actor("钱", UNIT, frozenset({Role.UNIT_REVIEWER}))
AT = datetime(2026, 3, 4, 2, tzinfo=UTC)
SEAL = Sm4Seal(bytes(16))
TICK = timedelta(microseconds=1)


def asked(until: date) -> Asked:
    return Asked(
        resource="caseStep",
        system="right",
        call="cases",
        purpose="核对办件进展",
        legal_basis="",
        items=("caseNo", "regionCode"),
        way="interface",
        until=until,
    )


@pytest.fixture
def kept(sqlite_url: str) -> Iterator[Store]:
    yield from a_store(sqlite_url)


@pytest.fixture
def kept_anywhere(database_url: str) -> Iterator[Store]:
    yield from a_store(database_url)


def a_store(url: str, texts: Mapping[str, str] = TEXTS) -> Iterator[Store]:
    store = Store(url)
    shape(store)
    store.write_now(lambda c: apply(c, texts, plan_of(texts), at=now(), by="test"))
    yield store
    store.close()


def desk_of(store: Store, at: datetime | None = None) -> GrantDesk:
    ticks = count()
    clock = (lambda: at + next(ticks) * TICK) if at else now
    return GrantDesk(
        store=store,
        releaser=Releaser(store, plan_of, clock),
        terms=TERMS,
        clock=clock,
        seal=SEAL,
    )


def acts(store: Store, number: str) -> list[tuple[str, str]]:
    return [(a.act, a.by) for a in store.read_now(partial(acts_of, subject=number))]


async def granted(desk: GrantDesk, until: date) -> Grant:
    """What is shared without condition is granted by the check."""
    made = await desk.apply(asked(until), APPLICANT)
    await desk.decide(made.number, Decision.PASS, AUTHORITY)
    return await desk.store.read(partial(grant, number=f"G{made.number[1:]}"))


def tomorrow() -> date:
    return (now() + timedelta(days=2)).date()


async def test_a_grant_grants_and_revoking_it_cuts_exactly_that_subscriber(
    amqp_url: str, kept: Store
) -> None:
    """Approving makes the subscription, with the granted items only; revoked under flow, nothing
    more reaches the grantee, the other route misses nothing, and each message is accounted for."""
    async with running_engine(amqp_url, kept, plan=plan_of(TEXTS)) as running:
        follower = following(running, "one")
        await follower.look()
        async with flowing(running) as sent:
            await grown(sent, 10)
            held = await granted(desk_of(kept), tomorrow())
            await follower.look()
            await grown(sent, 40)
            await reaches(running, 20)
            await desk_of(kept).revoke(held.number, PROVIDER, "用途变更")
            await follower.look()
            got = len(running.right.payloads)
            await grown(sent, 40)
        await running.until(Event.DELIVERY_DONE, len(sent) + got)

        assert sorted(sent) == sorted(str(p["no"]) for p in running.left.payloads)
        assert got == len(running.right.payloads)
        assert {("caseNo", "regionCode")} == {tuple(sorted(p)) for p in running.right.payloads}
        assert all(
            set(call.message.body) == {"caseNo", "regionCode"} for call in running.right.calls
        )
        mine = [r for r in await running.rows(Event.DELIVERY_DONE) if r["route"] == held.route]
        assert got == len(mine)
        left_out = await running.rows(Event.DELIVERY_LEFT_OUT)
        assert {("grant.ended", held.route)} >= {(r["code"], r["route"]) for r in left_out}
        assert not await running.failed()
        assert f"routes/{held.route}.yaml" not in (await desk_of(kept).releaser.live())[1]
        assert [("grant", "孙"), ("revoke", "钱")] == acts(kept, held.number)


async def reaches(running: Running, many: int) -> None:
    async def reached() -> int:
        return len(running.right.payloads)

    await eventually(reached, lambda found: found >= many, f"{many} at the grantee")


async def test_use_is_metered_item_by_item_and_once(amqp_url: str, kept_anywhere: Store) -> None:
    """From the ledger: by item, what had a value; running it again adds nothing."""
    store = kept_anywhere
    held = await granted(desk_of(store), tomorrow())
    seal = Sm4Seal(bytes(16))
    plan = plan_of((await desk_of(store).releaser.live())[1])
    async with running_engine(amqp_url, store, plan=plan) as running:
        for n in range(3):
            await running.send(a_step(f"A{n}"), key=f"A{n}")
        await running.until(Event.DELIVERY_DONE, 6)

    assert [3, 0] == [await store.write(partial(meter, seal=seal)) for _ in range(2)]
    assert {WHOLE: 3, "caseNo": 3, "regionCode": 3} == await store.read(
        partial(use_of, number=held.number)
    )


async def test_an_application_goes_its_way(kept: Store) -> None:
    """Returned with a reason, submitted again, checked; numbers count on within the year."""
    desk = desk_of(kept, AT)
    first = await desk.apply(asked(date(2026, 6, 30)), APPLICANT)
    second = await desk.apply(asked(date(2026, 6, 30)), APPLICANT)
    await desk.decide(first.number, Decision.RETURN, AUTHORITY, Answer(reason="用途过于笼统"))
    again = replace(asked(date(2026, 5, 31)), purpose="核对本单位受理办件的环节")
    await desk.amend(first.number, again, APPLICANT)
    refused = await desk.decide(
        second.number, Decision.REFUSE, AUTHORITY, Answer(reason="与前一申请重复")
    )
    done = await desk.decide(first.number, Decision.PASS, AUTHORITY)

    assert ["A2026-000001", "A2026-000002"] == [first.number, second.number]
    assert [Stage.REFUSED, Stage.GRANTED] == [refused.stage, done.stage]
    assert [("apply", "李"), ("return", "孙"), ("resubmit", "李"), ("pass", "孙")] == acts(
        kept, first.number
    )
    made = await kept.read(grants)
    # Midnight after the last day, in Beijing.
    assert [("G2026-000001", datetime(2026, 5, 31, 16, tzinfo=UTC))] == [
        (each.number, each.ends) for each in made
    ]


async def test_what_does_not_conform_is_told_at_once(kept: Store) -> None:
    """All of it; nothing is kept."""
    bad = replace(asked(date(2026, 2, 1)), purpose="", system="sender2", items=("regionCode",))
    with pytest.raises(Rejected) as caught:
        await desk_of(kept, AT).apply(bad, APPLICANT)

    assert {"grant.purpose", "grant.system", "grant.key", "grant.past"} == {
        fault.code for fault in caught.value.faults
    }


async def test_time_warns_once_and_then_ends(kept: Store) -> None:
    """Fifteen working days before the end; on the end it is over and out of the declarations."""
    held = await granted(desk_of(kept, AT), date(2026, 3, 31))

    # Fifteen working days before 1 April 2026 is 11 March.
    before, near = AT.replace(day=10), AT.replace(day=11)
    assert [0, 1, 0] == [await desk_of(kept, at).sweep() for at in (before, near, near)]
    end = datetime(2026, 3, 31, 16, tzinfo=UTC)
    assert 0 == await desk_of(kept, end - timedelta(seconds=1)).sweep()
    assert 1 == await desk_of(kept, end).sweep()

    assert "ended" == (await kept.read(partial(grant, number=held.number))).state
    assert f"routes/{held.route}.yaml" not in (await desk_of(kept).releaser.live())[1]
    assert [("grant", "孙"), ("warn", "clock"), ("end", "clock")] == acts(kept, held.number)
    with pytest.raises(Rejected, match="grant\\.over"):
        await desk_of(kept, end).revoke(held.number, PROVIDER, "用途变更")


async def test_two_grants_at_once_are_both_granted(kept: Store) -> None:
    """Each is a release on top of the other: neither undoes the other's route."""
    desk = desk_of(kept, AT)
    made: list[Application] = [await desk.apply(asked(date(2026, 6, 30)), APPLICANT) for _ in "ab"]
    other = desk_of(kept, AT)
    await desk.decide(made[0].number, Decision.PASS, AUTHORITY)
    await other.decide(made[1].number, Decision.PASS, AUTHORITY)
    _, texts = await desk.releaser.live()

    assert ["routes/grant-2026-000001.yaml", "routes/grant-2026-000002.yaml"] == sorted(
        file for file in texts if "grant" in file
    )


@pytest.mark.parametrize(
    "items",
    [
        ("caseNo",),
        ("caseNo", "Material/materialName", "Place/address", "feeAmount", "isCharged"),
        ("caseNo", "Material", "Place", "sealImage", "dayTime", "stepNo"),
    ],
)
def test_the_route_of_a_grant_passes_what_is_granted(items: tuple[str, ...]) -> None:
    """Groups and lists too: its own example holds, lint finds nothing, and of any body the grantee
    is given the granted items, under their names."""
    catalogue = small()
    resource = catalogue.resources["caseAcceptance"]
    made = GrantRoute(
        number="G2026-000001", system="fire", call="cases", items=items, ends=AT, per_day=5
    )
    text = route_text(made, resource, catalogue)
    system = "system: fire\nname: {zh: 消防, en: fire}\nowner: 消防\nconnector: memory\n"
    files = {"routes/grant-2026-000001.yaml": text, "systems/fire.yaml": system}
    declarations: Declarations = read_declarations(files, catalogue)
    (compiled,) = compile_route(declarations.routes["grant-2026-000001"], declarations)

    found = lint(declarations, fed=["caseAcceptance"])
    assert [] == [each.code for each in found if each.severity == "error"]
    assert [True] == [outcome.passed for outcome in run(declarations)]
    granted = compiled.grant
    assert granted is not None
    assert (items, AT, 5) == (granted.items, granted.ends, granted.per_day)
