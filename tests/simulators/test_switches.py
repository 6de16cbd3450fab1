"""The ways of going wrong, each seen from the other end of the socket."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from simulators.one_window import one_window
from tests.simulators.the_hub import a_partner

SYSTEM = "one-window"


async def test_every_nth_call_is_answered_500(tmp_path: Path) -> None:
    """Counted from the switch."""
    async with a_partner(one_window, tmp_path, system=SYSTEM) as line:
        await line.control("faults", {"error_every": 3})

        assert [200, 200, 500, 200, 200, 500] == [
            (await line.get("ping")).status_code for _ in range(6)
        ]


async def test_all_calls_hang_for_a_while_and_then_go_on(tmp_path: Path) -> None:
    """Until that much time has passed from the switch, whenever they came."""
    async with a_partner(one_window, tmp_path, system=SYSTEM) as line:
        began = time.monotonic()
        await line.control("faults", {"hang_for_s": 0.4})
        answer = await line.get("ping")

        assert 200 == answer.status_code
        assert 0.4 <= time.monotonic() - began


async def test_control_works_while_all_else_hangs(tmp_path: Path) -> None:
    """Else nobody could turn it off."""
    async with a_partner(one_window, tmp_path, system=SYSTEM) as line:
        await line.control("faults", {"hang_for_s": 60})
        await line.control("faults", {"hang_for_s": 0})

        assert 200 == (await line.get("ping")).status_code


async def test_an_answer_breaks_off_in_the_middle(tmp_path: Path) -> None:
    """Less came than was announced."""
    async with a_partner(one_window, tmp_path, system=SYSTEM) as line:
        await line.control("faults", {"half_answer_every": 1})

        with pytest.raises(httpx.TransportError):
            await line.get("ping")


async def test_an_answer_is_no_document(tmp_path: Path) -> None:
    """It came whole, but it is not JSON."""
    async with a_partner(one_window, tmp_path, system=SYSTEM) as line:
        await line.control("faults", {"malformed_every": 1})
        answer = await line.get("ping")

        assert 200 == answer.status_code
        with pytest.raises(ValueError):
            answer.json()


async def test_deliveries_are_refused_for_good_and_nothing_else(tmp_path: Path) -> None:
    """In the partner's own form, with the item."""
    async with a_partner(one_window, tmp_path, system=SYSTEM) as line:
        await line.control("faults", {"refuse_every": 1})
        refused, known = await line.post("api/cases", {}), await line.get("ping")

        assert (422, "item.code") == (refused.status_code, refused.json()["item"])
        assert 200 == known.status_code


@pytest.mark.parametrize("given", [{"explode": 1}, {"error_every": -1}, {"slow_s": "long"}, [1]])
async def test_an_unknown_switch_is_refused(tmp_path: Path, given: object) -> None:
    """A slip in a fault test must not pass for health."""
    async with a_partner(one_window, tmp_path, system=SYSTEM) as line:
        answer = await line.http.post(f"{line.url}/_sim/faults", json=given)

        assert 422 == answer.status_code
