"""Versions kept in the store and published as releases, on both databases (R-A5, R-C8)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from catalog.lifecycle.steps import Act, Reason, Said
from hub.plan import Plan
from hub.registry.releasing import Releaser
from hub.registry.texts import with_version
from hub.registry.version_rows import acts_of
from hub.registry.versions import VersionDesk
from hub.releases import apply, live_number, loaded, plan_of
from hub.store import Store
from schemas.declarations import InvalidDeclaration, Problem
from schemas.errors import HubError, Rejected
from tests.hub.registry.people import AUTHORITY, EDITOR, REVIEWER, TERMS
from tests.hub.site import small_texts
from tests.hub.test_versions import FIRST, RESOURCE, SECOND_TEXT
from tests.records import shape

NAME = "caseStep"
START = datetime(2026, 3, 4, 2, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(sqlite_url: str, clock: Clock) -> Iterator[VersionDesk]:
    yield from a_desk(sqlite_url, clock)


@pytest.fixture
def either_desk(database_url: str, clock: Clock) -> Iterator[VersionDesk]:
    """On both databases: where transactions or types could make a difference."""
    yield from a_desk(database_url, clock)


def a_desk(url: str, clock: Clock) -> Iterator[VersionDesk]:
    store = Store(url)
    shape(store)
    store.write_now(lambda c: apply(c, FIRST, plan_of(FIRST), at=clock(), by="test"))
    releaser = Releaser(store, plan_of, clock)
    yield VersionDesk(store=store, releaser=releaser, terms=TERMS, clock=clock)
    store.close()


async def through(desk: VersionDesk, number: int = 2) -> None:
    """From the draft to the authority."""
    await desk.act(NAME, number, Act.SUBMIT, EDITOR)
    await desk.act(NAME, number, Act.PASS, REVIEWER)


async def states(desk: VersionDesk) -> dict[int, str]:
    return {v.standing.number: v.standing.state.value for v in await desk.versions(NAME)}


async def live_texts(desk: VersionDesk) -> Mapping[str, str]:
    return (await desk.releaser.live())[1]


async def code_of(doing: object) -> str:
    with pytest.raises(HubError) as caught:
        await doing  # type: ignore[misc]  # a coroutine of any kind
    return caught.value.code


async def test_what_is_live_is_registered_once(desk: VersionDesk) -> None:
    """By whom and in which release is kept; a second look finds nothing new."""
    assert [1, 0] == [await desk.adopt(), await desk.adopt()]
    acts = await desk.store.read(partial(acts_of, subject=f"{NAME}/1"))

    assert {1: "published"} == await states(desk)
    assert [("adopt", "site", 1)] == [(a.act, a.by, a.release) for a in acts]


async def test_a_successor_is_reviewed_beside_the_published(either_desk: VersionDesk) -> None:
    """The live text does not move until the authority publishes; then both versions are accepted,
    and every step is kept with who took it."""
    desk = either_desk
    await desk.adopt()
    await desk.draft(SECOND_TEXT, EDITOR)
    await through(desk)

    assert {1: "published", 2: "authority-review"} == await states(desk)
    assert FIRST == await live_texts(desk)

    await desk.act(NAME, 2, Act.PUBLISH, AUTHORITY)

    assert {1: "superseded", 2: "published"} == await states(desk)
    assert {**FIRST, RESOURCE: SECOND_TEXT, f"earlier/{NAME}.1.yaml": FIRST[RESOURCE]} == dict(
        await live_texts(desk)
    )
    acts = await desk.store.read(partial(acts_of, subject=f"{NAME}/2"))
    assert [("draft", "赵"), ("submit", "赵"), ("pass", "钱"), ("publish", "孙")] == [
        (a.act, a.by) for a in acts
    ]
    assert [True, False] == [
        v.accepted for v in sorted(await desk.versions(NAME), key=lambda v: v.standing.number)
    ]

    await desk.end_acceptance(NAME, 1, AUTHORITY)
    assert {**FIRST, RESOURCE: SECOND_TEXT} == dict(await live_texts(desk))
    assert "lifecycle.state" == await code_of(desk.end_acceptance(NAME, 1, AUTHORITY))


async def test_what_does_not_fit_is_not_published(desk: VersionDesk) -> None:
    """The authority sees every problem; version, release and live text stay as they were."""
    await desk.adopt()
    await desk.draft(SECOND_TEXT, EDITOR)
    await through(desk)
    problem = Problem("routes/steps-to-left.yaml", 7, 1, "to", "no such item")

    def unfit(texts: Mapping[str, str]) -> Plan:
        raise InvalidDeclaration([problem])

    strict = VersionDesk(
        store=desk.store,
        releaser=Releaser(desk.store, unfit, desk.clock),
        terms=TERMS,
        clock=desk.clock,
    )
    with pytest.raises(Rejected) as caught:
        await strict.act(NAME, 2, Act.PUBLISH, AUTHORITY)

    assert [("lifecycle.problem", problem.file, 7)] == [
        (fault.code, fault.at, fault.facts["line"]) for fault in caught.value.faults
    ]
    assert {1: "published", 2: "authority-review"} == await states(desk)
    assert 1 == await desk.store.read(live_number)


async def test_what_was_looked_at_is_published_without_a_second_check(desk: VersionDesk) -> None:
    """The whole site is compiled once for the same texts, and again for other ones."""
    compiled: list[str] = []

    def counted(texts: Mapping[str, str]) -> Plan:
        compiled.append(texts[RESOURCE])
        return plan_of(texts)

    await desk.adopt()
    await desk.draft(SECOND_TEXT, EDITOR)
    await through(desk)
    releaser = Releaser(desk.store, counted, desk.clock)
    reviewed = VersionDesk(store=desk.store, releaser=releaser, terms=TERMS, clock=desk.clock)
    ours = with_version(FIRST, NAME, SECOND_TEXT)
    for edit in (lambda _: ours, lambda _: ours, lambda texts: texts):
        await releaser.tried(edit)
    await reviewed.act(NAME, 2, Act.PUBLISH, AUTHORITY)

    assert [SECOND_TEXT, FIRST[RESOURCE]] == compiled
    assert ours == await live_texts(reviewed)


async def test_one_version_at_a_time_and_numbers_without_gaps(desk: VersionDesk) -> None:
    """A competing draft is refused, a number that was used or skips too."""
    await desk.adopt()
    third = SECOND_TEXT.replace("version: 2", "version: 3")

    assert "lifecycle.version" == await code_of(desk.draft(third, EDITOR))
    assert "lifecycle.version" == await code_of(desk.draft(FIRST[RESOURCE], EDITOR))
    await desk.draft(SECOND_TEXT, EDITOR)
    assert "lifecycle.open" == await code_of(desk.draft(third, EDITOR))
    await desk.act(NAME, 2, Act.DROP, EDITOR, Said((Reason("", "另行编制"),)))
    assert "lifecycle.version" == await code_of(desk.draft(SECOND_TEXT, EDITOR))
    await desk.draft(third, EDITOR)
    assert {1: "published", 2: "dropped", 3: "draft"} == await states(desk)


async def test_a_code_is_never_given_out_again(desk: VersionDesk) -> None:
    """Not to another resource, also not after the first was withdrawn or its draft dropped."""
    await desk.adopt()
    other = FIRST[RESOURCE].replace("resource: caseStep", "resource: caseOther")

    assert "lifecycle.code" == await code_of(desk.draft(other, EDITOR))
    assert "lifecycle.role" == await code_of(desk.draft(other, AUTHORITY))


async def test_two_act_at_once_and_one_is_told(either_desk: VersionDesk) -> None:
    """Whichever is second finds that it stands elsewhere; one act is kept."""
    desk = either_desk
    await desk.adopt()
    await desk.draft(SECOND_TEXT, EDITOR)
    await desk.act(NAME, 2, Act.SUBMIT, EDITOR)
    found = await asyncio.gather(
        desk.act(NAME, 2, Act.PASS, REVIEWER),
        desk.act(NAME, 2, Act.RECALL, EDITOR),
        return_exceptions=True,
    )
    acts = await desk.store.read(partial(acts_of, subject=f"{NAME}/2"))

    assert 1 == sum(isinstance(each, Rejected) for each in found)
    assert 3 == len(acts)


async def test_a_returned_draft_is_revised_and_submitted_again(desk: VersionDesk) -> None:
    """The reasons are kept item by item; what is under review cannot be rewritten."""
    await desk.adopt()
    await desk.draft(SECOND_TEXT, EDITOR)
    await desk.act(NAME, 2, Act.SUBMIT, EDITOR)
    better = SECOND_TEXT.replace(
        "required: true}\n  - {element: handlerName", "}\n  - {element: handlerName"
    )
    assert "lifecycle.state" == await code_of(desk.revise(NAME, 2, better, EDITOR))

    said = Said((Reason("handlerName", "现有数据没有，不应必填"),))
    await desk.act(NAME, 2, Act.RETURN, REVIEWER, said)
    await desk.revise(
        NAME, 2, SECOND_TEXT.replace("handlerName, required: true", "handlerName"), EDITOR
    )
    await through(desk)
    acts = await desk.store.read(partial(acts_of, subject=f"{NAME}/2"))

    assert ["draft", "submit", "return", "revise", "submit", "pass"] == [a.act for a in acts]
    assert (Reason("handlerName", "现有数据没有，不应必填"),) == acts[2].reasons


async def test_a_resource_is_withdrawn_and_restored(desk: VersionDesk, clock: Clock) -> None:
    """On its day, when nothing hangs on it any more; restored, it is live as it was."""
    alone = {f: t for f, t in FIRST.items() if not f.startswith(("routes/", "intakes/"))}
    desk.store.write_now(lambda c: apply(c, alone, plan_of(alone), at=clock(), by="test"))
    await desk.adopt()
    due = date(2026, 4, 1)
    await desk.act(NAME, 1, Act.ANNOUNCE, AUTHORITY, Said((Reason("", "职能调整"),), due))
    assert RESOURCE in await live_texts(desk)

    clock.at = datetime(2026, 4, 1, 2, tzinfo=UTC)
    await desk.act(NAME, 1, Act.WITHDRAW, AUTHORITY)
    assert RESOURCE not in await live_texts(desk)
    assert {1: "withdrawn"} == await states(desk)

    await desk.act(NAME, 1, Act.RESTORE, AUTHORITY)
    assert FIRST[RESOURCE] == (await live_texts(desk))[RESOURCE]
    release = await desk.store.read(lambda c: loaded(c, live_number(c) or 0))
    assert ("孙", "restore caseStep/1") == (release.by, release.note)


async def test_a_resource_that_is_used_is_not_withdrawn(desk: VersionDesk, clock: Clock) -> None:
    """Routes and intakes would hang in the air: it is refused, and it goes on."""
    await desk.adopt()
    due = date(2026, 4, 1)
    await desk.act(NAME, 1, Act.ANNOUNCE, AUTHORITY, Said((Reason("", "职能调整"),), due))
    clock.at = datetime(2026, 4, 1, 2, tzinfo=UTC)

    assert "lifecycle.unfit" == await code_of(desk.act(NAME, 1, Act.WITHDRAW, AUTHORITY))
    assert small_texts()[RESOURCE] == (await live_texts(desk))[RESOURCE]
    assert {1: "withdrawing"} == await states(desk)
