"""The city's integrated platform on a socket: sends applications, takes results, answers notices."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.identifiers import Verdict, check_citizen_id, check_uscc
from simulators.applications import STAMP, application
from simulators.integrated_platform import IntegratedPlatform
from simulators.lifecycle import reply_time
from tests.simulators.the_hub import Door, a_partner, until

SYSTEM = "integrated-platform"
NOTICE = {
    "bjbh": "MS20260000001-3",
    "xh": 1,
    "gzsj": "2026-03-02 09:00:00",
    "yy": "租赁合同已过期",
    "cl": ["房屋租赁合同"],
    "xzqh": "130131",
}


def a_dispatch(number: str) -> dict[str, Any]:
    return {
        "bjbh": number,
        "fs": "ZQ",
        "zt": "YQS",
        "qssj": "2026-03-11 12:00:00",
        "xzqh": "130131",
    }


async def test_applications_are_pushed_once_each_and_numbered_on(tmp_path: Path) -> None:
    """Also after a refusal to take them just now, and in a second lot."""
    async with (
        Door(statuses=[503, 503, 429]) as door,
        a_partner(IntegratedPlatform, tmp_path, hub_url=door.url, system=SYSTEM) as line,
    ):
        await line.control("submit", {"cases": 4})
        await line.control("submit", {"cases": 3})
        await until(line.quiet, "the applications")

        assert [f"MS2026{n:07}" for n in range(1, 8)] == sorted(
            each.content["sqbh"] for each in door.taken
        )
        assert {"application"} == {each.kind for each in door.taken}
        assert 7 == (await line.control("counts"))["cases"]


async def test_a_notice_is_answered_at_the_foreseen_business_time(tmp_path: Path) -> None:
    """Once, however often the notice comes; the reply repeats the notice."""
    async with (
        Door() as door,
        a_partner(IntegratedPlatform, tmp_path, hub_url=door.url, system=SYSTEM) as line,
    ):
        first = await line.post("supplements", NOTICE, key="k-1")
        again = await line.post("supplements", NOTICE, key="k-1")
        await until(line.quiet, "the reply")

        noticed_at = datetime.fromisoformat("2026-03-02T09:00:00")
        foreseen = reply_time(7, "MS20260000001-3", 1, noticed_at)
        (reply,) = door.taken
        assert (201, 409) == (first.status_code, again.status_code)
        assert "supplement" == reply.kind
        assert foreseen.strftime(STAMP) == reply.content["hfsj"]
        assert (NOTICE["gzsj"], NOTICE["yy"]) == (reply.content["gzsj"], reply.content["yy"])


async def test_some_finished_cases_are_rated(tmp_path: Path) -> None:
    """About a fifth of those whose result has arrived, by the citizen, not by the hub."""
    async with (
        Door() as door,
        a_partner(IntegratedPlatform, tmp_path, hub_url=door.url, system=SYSTEM) as line,
    ):
        for n in range(60):
            await line.post("dispatches", a_dispatch(f"MS{n}-1"))
        await until(line.quiet, "the ratings")

        assert {"rating"} == {each.kind for each in door.taken}
        assert 3 <= len(door.taken) <= 25


async def test_progress_of_one_version_is_taken_once(tmp_path: Path) -> None:
    """A second key for the same version is counted as doubled; the next version is not."""
    told = {"sqbh": "MS1", "zt": "BLZ", "gxsj": "2026-03-02 09:00:00", "sx": [{"bjbh": "MS1-1"}]}
    async with a_partner(IntegratedPlatform, tmp_path, system=SYSTEM) as line:
        for version, key in ((1, "k-1"), (2, "k-2"), (2, "k-3")):
            await line.post("progress", {**told, "bbh": version}, key=key)

        counts = await line.control("counts")
        assert (3, 1) == (counts["progress"], counts["doubled"])


@pytest.mark.parametrize("count", [0, -1, "3", 1.5, None, True])
async def test_a_number_of_cases_is_a_number(tmp_path: Path, count: object) -> None:
    """Control is refused what it cannot do."""
    async with a_partner(IntegratedPlatform, tmp_path, system=SYSTEM) as line:
        answer = await line.http.post(f"{line.url}/_sim/submit", json={"cases": count})

        assert 422 == answer.status_code


def test_made_up_applicants_have_right_check_characters() -> None:
    """And the same number always gives the same application."""
    for n in range(300):
        made = application(1, f"MS2026{n:07}")
        who = made["sqr"]
        check = check_citizen_id if who["zjlx"] == "SFZ" else check_uscc

        assert Verdict.FINE is check(who["zjhm"])
        assert made == application(1, f"MS2026{n:07}")
        assert 1 <= len(made["sx"]) <= 7
        assert len(made["sx"]) == len({each["bm"] for each in made["sx"]})


def test_all_items_ways_and_modes_occur() -> None:
    """Else a part of the flow would never be walked."""
    made = [application(1, f"MS2026{n:07}") for n in range(200)]
    chosen = {(each["bm"], each["fs"]) for one in made for each in one["sx"]}

    assert {"ZQ", "YJ"} == {one["lq"]["fs"] for one in made}
    # Items 3, 5 and 6 know the ordinary way only.
    assert 7 + 4 == len(chosen)
    assert {1, 7} <= {len(one["sx"]) for one in made}
    assert {"PC", "APP", "CK"} == {one["ly"] for one in made}
    assert {True, False} == {"cl" in one for one in made}
