"""The two partners that exchange by tables, met as the hub meets them: by profile and connector."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from pydantic import JsonValue

from connectors.front_library import FrontLibrary, Settings
from routes.model import SystemDeclaration
from schemas.declarations import parse
from schemas.identifiers import uscc_check_character
from schemas.message import (
    Body,
    Delivery,
    Message,
    MessageId,
    Operation,
    ResourceName,
    RouteName,
    SystemCode,
)

__all__ = ["a_delivery", "an_application", "profile", "until"]

SITE = Path(__file__).parents[2] / "sites/reference"
SOON_S = 20.0
_FIRST_17 = "91130100MA0000000"
APPLICANT = _FIRST_17 + uscc_check_character(_FIRST_17)


def profile(system: str, url: str, **more: JsonValue) -> FrontLibrary:
    """The connector of the reference site's *system*, with the database at *url*."""
    file = SITE / f"systems/{system}.yaml"
    declared = parse(file.read_text(encoding="utf-8"), SystemDeclaration, file=file.name)
    settings = Settings.model_validate({**declared.settings, "url": url, **more})
    return FrontLibrary(SystemCode(system), settings)


def a_delivery(
    call: str, payload: Body, *, route: str = "test", operation: Operation = Operation.CREATED
) -> Delivery:
    """A fresh one."""
    message = Message(
        id=MessageId(str(uuid4())),
        source=SystemCode("test"),
        resource=ResourceName("test"),
        operation=operation,
        subject="test",
        time=datetime.now(UTC),
        region="130102",
        sequence=0,
        dataschema="test/1",
        digest="",
        traceparent="",
        body={},
    )
    return Delivery(message=message, route=RouteName(route), call=call, payload=payload)


def an_application(case: str, **more: str | int) -> dict[str, str | int]:
    """A row of the construction platform's application table."""
    return {
        "sxbh": case,
        "sqbh": case.rpartition("-")[0],
        "sxdm": "000117006000",
        "ssbm": "11130100MB0000000X3000117006000",
        "sxmc": "城镇污水排入排水管网许可",
        "blms": "YB",
        "bjlx": "CB",
        "sqrmc": "测试民宿",
        "sqrlx": "QY",
        "zjlx": "001",
        "zjhm": APPLICANT,
        "tyshxydm": APPLICANT,
        "lxdh": "13000000000",
        "xmmc": "测试民宿",
        "jsdd": "测试路1号",
        "xzqh": "130102",
        "sqsj": "20260302090000",
        "cnsx": 10,
        "cnsxdw": "GR",
        "fdsx": 20,
        "fdsxdw": "GR",
        "bljgmc": "石家庄市行政审批局",
        "lqfs": "YJ",
        **more,
    }


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for a fact; fails saying *what* was missing."""
    try:
        async with asyncio.timeout(SOON_S):
            while not await holds():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"did not come true in time: {what}") from None
