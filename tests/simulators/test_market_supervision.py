"""The market-supervision platform on a socket: codes in the body, and a feed behind a cursor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulators.market_supervision import market_supervision
from tests.simulators.the_hub import Line, a_partner, until

SYSTEM = "market-supervision"


def a_case(number: str, **more: Any) -> dict[str, Any]:
    return {
        "bizNo": number,
        "matterCode": "SPJY",
        "handleType": 1,
        "applicant": {"name": "测试人", "cardType": "10", "cardNo": "11010519491231002X"},
        "areaCode": 130131,
        "applyMillis": 1772413200000,
        "promiseDays": 8,
        "lawDays": 20,
        "takeWay": "HALL",
        **more,
    }


async def everything(line: Line, *, limit: int) -> list[dict[str, Any]]:
    """What the feed has, page by page, until there is no more to come."""
    found: list[dict[str, Any]] = []
    cursor = ""

    async def all_read() -> bool:
        nonlocal cursor
        page = (await line.get(f"gateway/changes?after={cursor}&limit={limit}")).json()["data"]
        assert len({each["seq"] for each in page["list"]}) <= limit
        found.extend(page["list"])
        moved, cursor = page["next"] != cursor, page["next"]
        return not moved and await line.quiet()

    await until(all_read, "the end of the feed")
    return found


async def test_a_course_is_read_page_by_page(tmp_path: Path) -> None:
    """Nothing twice, nothing left out, and quiet only when all was fetched."""
    async with a_partner(market_supervision, tmp_path, system=SYSTEM) as line:
        for n in range(5):
            answer = await line.post("gateway/apply", a_case(f"MS{n}-3"))
            assert "0" == answer.json()["code"]
        found = await everything(line, limit=3)

        assert len(found) == len({each["changeId"] for each in found})
        assert {f"MS{n}-3" for n in range(5)} == {
            each["bizNo"] for each in found if each["changeType"] == "ACC"
        }
        assert sorted(each["seq"] for each in found) == [each["seq"] for each in found]


async def test_a_repeat_has_a_code_of_its_own(tmp_path: Path) -> None:
    """With HTTP 200, like everything else here."""
    async with a_partner(market_supervision, tmp_path, system=SYSTEM) as line:
        first = await line.post("gateway/apply", a_case("MS1-3"), key="k-1")
        again = await line.post("gateway/apply", a_case("MS1-3"), key="k-1")

        assert (200, "1002") == (again.status_code, again.json()["code"])
        assert first.json()["data"] == again.json()["data"]


@pytest.mark.parametrize(
    ("path", "content", "field"),
    [
        ("gateway/apply", a_case("MS1-3", matterCode="YPJY"), "matterCode"),
        ("gateway/apply", a_case(""), "bizNo"),
        ("gateway/correct", {"bizNo": "nobody's", "no": 1, "replyTime": "x"}, "bizNo"),
    ],
)
async def test_a_refusal_has_a_code_and_a_field(
    tmp_path: Path, path: str, content: dict[str, Any], field: str
) -> None:
    """With HTTP 200 as well."""
    async with a_partner(market_supervision, tmp_path, system=SYSTEM) as line:
        answer = await line.post(path, content)

        assert (200, "4001", field) == (
            answer.status_code,
            answer.json()["code"],
            answer.json()["field"],
        )


async def test_the_feed_tells_some_changes_twice_when_told_to(tmp_path: Path) -> None:
    """Under the same id, as a source may."""
    async with a_partner(market_supervision, tmp_path, system=SYSTEM) as line:
        await line.control("faults", {"duplicate_every": 1})
        await line.post("gateway/apply", a_case("MS1-3"))
        found = await everything(line, limit=200)

        assert len(found) == 2 * len({each["changeId"] for each in found})
