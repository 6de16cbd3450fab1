"""A partner's database over a network that goes bad: nothing hangs, nothing is doubled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, MetaData, Table, make_url, select

from connectors.front_library import FrontLibrary, Settings
from front_db.contract import Column, Control, ExchangeTable
from front_db.database import Limits, make_engine
from front_db.ddl import sql_table
from schemas.errors import Transient
from schemas.message import SystemCode
from tests.connectors.bad_line import BadLine, Trouble, bad_line
from tests.simulators.exchange import a_delivery, until

CASES = ExchangeTable(
    name="cases",
    columns=(Column(name="project_no", length=50, needed=True),),
    control=Control(row_id="row_guid", batch="cd_batch"),
)
CALL_S = 0.8


@dataclass
class Far:
    """The database, seen from its own machine, and the hub's line to it."""

    engine: Engine
    table: Table
    line: BadLine
    library: FrontLibrary

    def holds(self) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.scalars(select(self.table.c.project_no)))

    async def recovers(self) -> None:
        """The line is good again, and so are we."""
        self.line.suffers(Trouble.NONE)

        async def checked() -> bool:
            try:
                await self.library.check()
            except Transient:
                return False
            return True

        await until(checked, "the database is reached again")


@pytest.fixture(params=["postgres_url", "mariadb_url"])
async def far(request: pytest.FixtureRequest) -> AsyncIterator[Far]:
    url = make_url(request.getfixturevalue(request.param))
    engine = make_engine(url.render_as_string(hide_password=False), Limits())
    table = sql_table(CASES, MetaData())
    table.create(engine)
    async with bad_line(str(url.host), int(url.port or 0)) as line:
        through = url.set(host="127.0.0.1", port=line.port)
        if (
            url.get_backend_name() == "mysql"
        ):  # the line looks for what is said; MySQL would encrypt it
            through = through.update_query_dict({"ssl_disabled": "1"})
        settings = Settings.model_validate(
            {
                "url": through.render_as_string(hide_password=False),
                "tables": (CASES,),
                "connect_s": 1,
                "call_s": CALL_S,
            }
        )
        async with FrontLibrary(SystemCode("far"), settings) as library:
            await library.check()
            yield Far(engine, table, line, library)
    engine.dispose()


@pytest.mark.parametrize("trouble", [Trouble.DOWN, Trouble.HANGS, Trouble.DRIPS, Trouble.GIBBERISH])
async def test_a_bad_line_is_transient_and_ends_in_time(far: Far, trouble: Trouble) -> None:
    """Whatever it does to us, the worker is free within the call's limit."""
    far.line.suffers(trouble)
    started = time.monotonic()

    with pytest.raises(Transient):
        await far.library.deliver(a_delivery("cases", {"project_no": "A-1"}))

    assert CALL_S + 20 > time.monotonic() - started


@pytest.mark.parametrize("trouble", [Trouble.DOWN, Trouble.HANGS, Trouble.GIBBERISH])
async def test_it_recovers_by_itself(far: Far, trouble: Trouble) -> None:
    """Also after more troubles than it has connections."""
    far.line.suffers(trouble)
    told = await asyncio.gather(
        *(far.library.deliver(a_delivery("cases", {"project_no": f"A-{n}"})) for n in range(6)),
        return_exceptions=True,
    )
    assert {Transient} == set(map(type, told))

    await far.recovers()

    delivery = a_delivery("cases", {"project_no": "B-1"})
    assert delivery.message.id == (await far.library.deliver(delivery)).number
    assert "B-1" in far.holds()


async def test_a_lost_answer_is_safe_to_repeat(far: Far) -> None:
    """The commit arrived, its confirmation did not: the repeat finds the row."""
    delivery = a_delivery("cases", {"project_no": "A-1"})
    far.line.suffers(Trouble.LOSES_COMMIT)
    with pytest.raises(Transient):
        await far.library.deliver(delivery)
    assert ["A-1"] == far.holds()

    await far.recovers()

    assert (await far.library.deliver(delivery)).repeated
    assert ["A-1"] == far.holds()
