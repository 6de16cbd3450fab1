"""The one-window platform on a socket: takes a case once, pushes its course, goes wrong when told to."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators.lifecycle import Case, Course, course
from simulators.one_window import one_window
from tests.simulators.the_hub import Door, a_partner, until

SYSTEM = "one-window"


def a_case(number: str, **more: Any) -> dict[str, Any]:
    return {
        "apply_no": number,
        "item": {"code": "000123002000", "mode": "NORMAL"},
        "party": {"name": "测试人", "id_kind": "ID_CARD", "id_no": "11010519491231002X"},
        "area": "130131000000",
        "applied_at": "2026-03-02T09:00:00+08:00",
        "limit": {"promised": 5, "statutory": 20},
        "receive": {"way": "POST"},
        **more,
    }


def course_of(number: str) -> Course:
    case = Case(
        case_no=number,
        applied_at=datetime.fromisoformat("2026-03-02T09:00:00"),
        posted=True,
        promise_days=5,
        statutory_days=20,
    )
    return course(7, case)


def a_number(*, supplemented: bool) -> str:
    """A case whose course is as wished."""
    numbers = (f"MS{n}-2" for n in range(1000))
    return next(n for n in numbers if bool(course_of(n).supplement) is supplemented)


async def test_a_case_is_taken_and_its_whole_course_is_pushed(tmp_path: Path) -> None:
    """One event for each that the lifecycle foresees, in order, each under a key of its own."""
    number = a_number(supplemented=False)
    foreseen = course_of(number)
    async with (
        Door() as door,
        a_partner(one_window, tmp_path, hub_url=door.url, system=SYSTEM) as line,
    ):
        answer = await line.post("api/cases", a_case(number))
        await until(line.quiet, "the end of the course")

        assert 201 == answer.status_code
        assert [each.number for each in foreseen.events] == sorted(
            each.content["seq"] for each in door.taken
        )
        assert len(foreseen.events) == len({each.key for each in door.taken})
        assert {("one-window", "event")} == {(each.system, each.kind) for each in door.taken}


async def test_a_repeat_is_answered_as_done_and_not_taken_twice(tmp_path: Path) -> None:
    """The same key again, as after a lost answer."""
    async with a_partner(one_window, tmp_path, system=SYSTEM) as line:
        first = await line.post("api/cases", a_case("MS1-2"), key="k-1")
        again = await line.post("api/cases", a_case("MS1-2"), key="k-1")
        counts = await line.control("counts")

        assert 409 == again.status_code
        assert first.json() == again.json()
        assert (1, 1, 1, 0) == tuple(
            counts[name] for name in ("cases", "deliveries", "repeats", "doubled")
        )


async def test_a_second_key_for_the_same_case_is_counted_as_doubled(tmp_path: Path) -> None:
    """That is what must never happen, so it must be seen when it does."""
    async with a_partner(one_window, tmp_path, system=SYSTEM) as line:
        await line.post("api/cases", a_case("MS1-2"), key="k-1")
        await line.post("api/cases", a_case("MS1-2"), key="k-2")
        counts = await line.control("counts")

        assert (1, 2, 1) == tuple(counts[name] for name in ("cases", "deliveries", "doubled"))
        assert [("k-1", "MS1-2"), ("k-2", "MS1-2")] == [
            (each["key"], each["case"]) for each in await line.control("holds?call=api/cases")
        ]


async def test_a_supplemented_case_waits_for_the_reply(tmp_path: Path) -> None:
    """Until then only the notice is told; afterwards all the rest."""
    number = a_number(supplemented=True)
    async with (
        Door() as door,
        a_partner(one_window, tmp_path, hub_url=door.url, system=SYSTEM) as line,
    ):

        async def noticed() -> bool:
            return bool(door.taken)

        async def all_told() -> bool:
            return len(door.taken) == len(course_of(number).events)

        await line.post("api/cases", a_case(number))
        await until(noticed, "the notice")
        before = [each.content["event"] for each in door.taken]
        was_quiet = await line.quiet()
        reply = {"apply_no": number, "no": 1, "replied_at": "2026-03-05T09:00:00+08:00"}
        answer = await line.post("api/cases/replies", reply)
        await until(all_told, "the rest of the course")

        assert (["CORRECTION"], False) == (before, was_quiet)
        assert 201 == answer.status_code


async def test_what_the_hub_cannot_take_now_is_pushed_again_under_the_same_key(
    tmp_path: Path,
) -> None:
    """503 and 429 are no refusals."""
    number = a_number(supplemented=False)
    async with (
        Door(statuses=[503, 429, 500]) as door,
        a_partner(one_window, tmp_path, hub_url=door.url, system=SYSTEM) as line,
    ):
        await line.post("api/cases", a_case(number))
        await until(line.quiet, "the end of the course")

        put_off = {each.key for each in door.arrived if each.status != 202}
        assert put_off <= {each.key for each in door.taken}
        assert len(course_of(number).events) == len(door.taken)
        assert 0 == (await line.control("counts"))["events_refused"]


async def test_a_partner_that_starts_again_goes_on_where_it_was(tmp_path: Path) -> None:
    """Its store is all it has: what was told is not told anew, the rest still comes."""
    number = a_number(supplemented=True)
    async with Door() as door:

        async def noticed() -> bool:
            return bool(door.taken)

        async with a_partner(one_window, tmp_path, hub_url=door.url, system=SYSTEM) as line:
            await line.post("api/cases", a_case(number))
            await until(noticed, "the notice")
        async with a_partner(one_window, tmp_path, hub_url=door.url, system=SYSTEM) as line:
            reply = {"apply_no": number, "no": 1, "replied_at": "2026-03-05T09:00:00+08:00"}
            await line.post("api/cases/replies", reply)
            await until(line.quiet, "the rest of the course")

        assert len(course_of(number).events) == len(door.taken)


@pytest.mark.parametrize(
    ("wrong", "item"),
    [
        ({"applied_at": ""}, "applied_at"),
        ({"item": {"code": "000123002000", "mode": "SWORN"}}, "item.mode"),
        ({"item": {"code": "000000000000", "mode": "NORMAL"}}, "item.code"),
    ],
)
async def test_a_refusal_names_the_item(tmp_path: Path, wrong: dict[str, Any], item: str) -> None:
    """Nothing of it is kept."""
    async with a_partner(one_window, tmp_path, system=SYSTEM) as line:
        answer = await line.post("api/cases", a_case("MS1-2", **wrong))

        assert (422, item) == (answer.status_code, answer.json()["item"])
        assert 0 == (await line.control("counts"))["deliveries"]


async def test_a_stranger_is_turned_away(tmp_path: Path) -> None:
    """Another secret, and a signed request sent a second time."""
    async with a_partner(one_window, tmp_path, system=SYSTEM) as line:
        stranger = await line.post("api/cases", a_case("MS1-2"), secret="guessed")
        known = await line.get("ping")
        copied = await line.http.get(f"{line.url}/ping", headers=known.request.headers)

        assert (401, 200, 401) == (stranger.status_code, known.status_code, copied.status_code)


async def test_an_answer_is_lost_after_the_case_was_taken(tmp_path: Path) -> None:
    """The one failure that at-least-once must survive."""
    async with a_partner(one_window, tmp_path, system=SYSTEM) as line:
        await line.control("faults", {"lose_answer_every": 1})
        with pytest.raises(httpx.TransportError):
            await line.post("api/cases", a_case("MS1-2"), key="k-1")
        await line.control("faults", {"lose_answer_every": 0})
        again = await line.post("api/cases", a_case("MS1-2"), key="k-1")

        assert 409 == again.status_code


async def test_events_come_twice_and_in_disorder_when_told_to(tmp_path: Path) -> None:
    """Twice under the same key; the later of a pair first."""
    number = a_number(supplemented=False)
    async with (
        Door() as door,
        a_partner(one_window, tmp_path, hub_url=door.url, system=SYSTEM) as line,
    ):
        await line.control("faults", {"duplicate_every": 1, "out_of_order": True})
        await line.post("api/cases", a_case(number))
        await until(line.quiet, "the end of the course")

        count = len(course_of(number).events)
        assert 2 * count == len(door.taken)
        assert count == len({each.key for each in door.taken})
