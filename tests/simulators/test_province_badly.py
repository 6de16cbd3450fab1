"""The provincial library behaves badly on purpose; it holds every row once, and every receipt is right."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import MetaData, select

from connectors.front_library import FrontLibrary
from connectors.http_json import HttpJson
from connectors.http_json import Settings as HttpSettings
from front_db.database import Limits, make_engine
from front_db.ddl import sql_table
from front_db.digest import row_texts
from front_db.rows import row_of
from hub.port import Cursor
from routes.model import SystemDeclaration
from schemas.declarations import parse
from schemas.errors import HubError, Transient
from schemas.message import Answer, Delivery, Record, SystemCode
from simulators.province_library import ProvinceLibrary
from simulators.server import listening
from tests.hub.conftest import eventually
from tests.simulators.exchange import SITE, a_delivery, profile
from tests.simulators.test_province_library import accepted, result

CASES, PATIENCE_S = 10, 60.0
REFUSED_EVERY = 5
SPOT_CHECK = "抽检不合格，请核实后重新上报"


async def delivered(hub: FrontLibrary, delivery: Delivery) -> None:
    """As the ladder does it: again, under the same key, while the library is in the way; and once more."""
    answers: list[Answer] = []

    async def answered_twice() -> bool:
        with suppress(Transient):
            answers.append(await hub.deliver(delivery))
        return len(answers) == 2

    await eventually(answered_twice, bool, "a row and its repeat", within_s=PATIENCE_S)
    assert answers[1].repeated


async def receipts(library: ProvinceLibrary, count: int) -> dict[str, Record]:
    """All acknowledgements by the site's own profile, whatever its API does; by the row that each is of."""
    file = SITE / "systems/province-library-acks.yaml"
    declared = parse(file.read_text(encoding="utf-8"), SystemDeclaration, file=file.name)
    found: dict[str, Record] = {}
    async with listening(library.app) as url:
        given = {**declared.settings, "url": url, "secret": "of-the-province"}
        settings = HttpSettings.model_validate(given)
        async with HttpJson(SystemCode(declared.system), settings) as api:
            cursor: Cursor | None = None

            async def all_told() -> bool:
                nonlocal cursor
                try:
                    async for record in api.records(cursor):
                        same = found.setdefault(str(record.body["hjbh"]), record)
                        assert same.body == record.body, "told twice, and not alike"
                        cursor = Cursor(record.cursor) if record.cursor else cursor
                except HubError:
                    return False  # asked again from where it was
                return len(found) >= count

            await eventually(all_told, bool, f"{count} acknowledgements", within_s=PATIENCE_S)
    return found


@pytest.mark.parametrize("database", ["sqlite", "postgres", "mariadb"])
async def test_every_row_is_there_once_with_its_receipt(
    request: pytest.FixtureRequest, database: str, tmp_path: Path
) -> None:
    """Locks held, answers lost, broken, doubled or no documents, spot checks: each row written arrives as it
    was sent, and the one receipt that it has says what became of it. R-B1"""
    url: str = request.getfixturevalue(f"{database}_url")
    sent: dict[str, Delivery] = {}
    async with (
        ProvinceLibrary(tmp_path, url=url) as library,
        profile("province-library", url, lock_s=0.3) as hub,
    ):
        await library.misbehave(
            {
                "lock_for_s": 1.0,
                "refuse_every": REFUSED_EVERY,
                "duplicate_every": 2,
                "error_every": 3,
                "half_answer_every": 4,
                "lose_answer_every": 5,
                "malformed_every": 7,
            }
        )
        for n in range(CASES):
            for table, row in (
                ("up_pro_accept", accepted(f"BAD{n:03}-6", task_name=f"事项𠮷{n}")),
                ("up_pro_result", result(f"BAD{n:03}-6")),
            ):
                delivery = a_delivery(table, row, route=f"{table}-to-province")
                sent[delivery.message.id] = delivery
        await asyncio.gather(*(delivered(hub, each) for each in sent.values()))
        found = await receipts(library, len(sent))
        counts = await library.counts()

        tables = {each.name: each for each in hub._settings.tables}
    assert (0, 2 * CASES) == (counts["doubled"], counts["deliveries"])
    assert sent.keys() == found.keys()
    for row_id, record in found.items():
        assert sent[row_id].call == record.body["bm"]
    told = [(r.body["jszt"], r.body.get("thyy") or "") for r in found.values()]
    refused = 2 * CASES // REFUSED_EVERY
    assert refused == told.count(("2", SPOT_CHECK)) == counts["returned"]
    assert 2 * CASES - refused == told.count(("1", ""))
    engine = make_engine(url, Limits())
    for name in ("up_pro_accept", "up_pro_result"):
        described = tables[name]
        with engine.connect() as connection:
            rows = connection.execute(select(sql_table(described, MetaData()))).mappings().all()
        content = described.model_copy(
            update={"control": described.control.model_copy(update={"operation": None})}
        )
        theirs = {row["row_guid"]: row_texts(dict(row), content) for row in rows}
        ours = {
            row_id: row_texts(row_of(each.payload, described), content)
            for row_id, each in sent.items()
            if each.call == name
        }
        assert ours == theirs
    engine.dispose()
