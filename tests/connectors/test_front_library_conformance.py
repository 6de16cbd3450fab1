"""Exchange tables put to the suites, on the three databases; two of them over a line that goes bad."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from types import MappingProxyType

import pytest
from sqlalchemy import Engine, MetaData, Table, insert, inspect, make_url, select, text
from sqlalchemy.engine import URL

from connectors.conformance import PERSON, Fault, SinkConformance, SourceConformance
from connectors.front_library import FrontLibrary, ReadTable, Settings
from front_db.contract import Column, Control, ExchangeTable, Kind
from front_db.database import Limits, make_engine
from front_db.ddl import sql_table
from schemas.message import Body, Delivery, SystemCode
from tests.connectors.bad_line import BadLine, Trouble, bad_line
from tests.simulators.exchange import a_delivery

COLUMNS = (
    Column(name="project_no", length=50, needed=True),
    Column(name="name", length=100),
    Column(name="days", kind=Kind.WHOLE),
    # The partner allows two codes here, and our description does not know it.
    Column(name="region", length=6),
)
CASES = ExchangeTable(
    name="cases", columns=COLUMNS, control=Control(row_id="row_guid", batch="cd_batch")
)
NEWS = ExchangeTable(
    name="news",
    columns=(Column(name="said", length=100),),
    control=Control(
        row_id="id",
        version="version",
        state="state",
        written_at="changed_at",
        written_at_format="%Y%m%d%H%M%S",
    ),
)
CODES = ("130102", "130104")
PAGE_ROWS = 2
NUMBERS = count(1)
OF_ANY = {Fault.BUSY: "a database has no word for a wait"}
OF_A_FILE = {
    **OF_ANY,
    Fault.DRIPS: "a file is read at once",
    Fault.FORBIDS: "a file knows no accounts",
    Fault.LOSES_ANSWER: "no answer travels",
}
TROUBLES = {
    Fault.DOWN: Trouble.DOWN,
    Fault.HANGS: Trouble.HANGS,
    Fault.DRIPS: Trouble.DRIPS,
    Fault.GIBBERISH: Trouble.GIBBERISH,
    Fault.LOSES_ANSWER: Trouble.LOSES_COMMIT,
}


class Rig:
    """
    The partner's database, and the connector that is put to the test.

    A fault is for the next call only: asking for the connector a second time mends it.
    """

    cannot: Mapping[Fault, str] = MappingProxyType(OF_ANY)
    refused_at = "/region"
    page_rows = PAGE_ROWS

    def __init__(self, engine: Engine, library: FrontLibrary, secret: str) -> None:
        self._engine, self._library, self.secret = engine, library, secret
        self._mend: Callable[[], None] | None = None
        self._struck = self._refuses = False
        metadata = MetaData()
        strict = {"columns": (*COLUMNS[:-1], COLUMNS[-1].model_copy(update={"codes": CODES}))}
        self._cases: Table = sql_table(CASES.model_copy(update=strict), metadata)
        self._news: Table = sql_table(NEWS, metadata)
        metadata.create_all(engine)

    @property
    def sink(self) -> FrontLibrary:
        return self._called()

    @property
    def source(self) -> FrontLibrary:
        return self._called()

    def delivery(self) -> Delivery:
        region = "999999" if self._refuses else CODES[0]
        number = f"A-{next(NUMBERS)}"
        row: Body = {"project_no": number, "name": PERSON, "days": 3, "region": region}
        return a_delivery("cases", row)

    async def holds(self) -> list[Body]:
        if not inspect(self._engine).has_table("cases"):
            return []  # put away: see `_hide`
        columns = [self._cases.c[column.name] for column in COLUMNS]
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(select(*columns)).mappings()]

    async def tells(self, count: int) -> list[str]:
        ids = [f"N{next(NUMBERS):06}" for _ in range(count)]
        new = {"version": 1, "state": "0", "changed_at": "20260302090000", "said": PERSON}
        with self._engine.begin() as connection:
            connection.execute(insert(self._news), [{**new, "id": row_id} for row_id in ids])
        return [f"{row_id}/1" for row_id in ids]

    def suffers(self, fault: Fault) -> None:
        self._struck = False
        if fault is Fault.REFUSES:
            self._refuses = True
        elif fault is Fault.FORBIDS:
            self._mend = self._hide()
        else:
            self._mend = self._break(fault)

    def mended(self) -> None:
        """Whatever was broken is whole again."""
        if self._mend:
            self._mend()
            self._mend = None

    def _called(self) -> FrontLibrary:
        if self._struck:
            self.mended()
        self._struck = True
        return self._library

    def _hide(self) -> Callable[[], None]:
        """The partner has put its tables away: to us that is as good as a missing grant."""
        self._rename("", "_hidden")
        return lambda: self._rename("_hidden", "")

    def _rename(self, before: str, after: str) -> None:
        with self._engine.begin() as connection:
            for name in ("cases", "news"):
                connection.execute(text(f"ALTER TABLE {name}{before} RENAME TO {name}{after}"))

    def _break(self, fault: Fault) -> Callable[[], None]:
        raise NotImplementedError


class ServerRig(Rig):
    """PostgreSQL or MariaDB, at the other end of a line."""

    line: BadLine

    def _break(self, fault: Fault) -> Callable[[], None]:
        self.line.suffers(TROUBLES[fault])
        return lambda: self.line.suffers(Trouble.NONE)


class FileRig(Rig):
    """SQLite: the file is away, is none, or is locked by its owner."""

    cannot: Mapping[Fault, str] = MappingProxyType(OF_A_FILE)
    file: Path

    def _break(self, fault: Fault) -> Callable[[], None]:
        if fault is Fault.HANGS:
            theirs = sqlite3.connect(self.file, isolation_level=None)
            theirs.execute("BEGIN EXCLUSIVE")
            return theirs.close
        aside = self.file.rename(self.file.with_suffix(".aside"))
        if fault is Fault.GIBBERISH:
            self.file.write_bytes(b"no database " * 200)
        else:
            self.file.mkdir()
        return lambda: self._put_back(aside)

    def _put_back(self, aside: Path) -> None:
        if self.file.is_dir():
            self.file.rmdir()
        aside.replace(self.file)


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """A fresh database with its tables, and a connector that gives up soon."""
    url = make_url(request.getfixturevalue(f"{request.param}_url"))
    engine = make_engine(url.render_as_string(hide_password=False), Limits())
    async with AsyncExitStack() as stack:
        stack.callback(engine.dispose)
        rig: Rig
        if url.host is None:
            library = FrontLibrary(SystemCode("suite"), _settings(url))
            rig = FileRig(engine, library, "a file has no password")
            rig.file = Path(str(url.database))
        else:
            line = await stack.enter_async_context(bad_line(url.host, int(url.port or 0)))
            through = url.set(port=line.port)
            if (
                url.get_backend_name() == "mysql"
            ):  # the line looks for what is said; MySQL would encrypt it
                through = through.update_query_dict({"ssl_disabled": "1"})
            library = FrontLibrary(SystemCode("suite"), _settings(through))
            rig = ServerRig(engine, library, str(url.password))
            rig.line = line
        await stack.enter_async_context(library)
        yield rig
        rig.mended()


def _settings(url: URL) -> Settings:
    return Settings.model_validate(
        {
            "url": url.render_as_string(hide_password=False),
            "tables": (CASES, NEWS),
            "reads": (ReadTable(table="news", kind="news"),),
            "connect_s": 1,
            "lock_s": 0.4,
            "call_s": 1,
            "page_rows": PAGE_ROWS,
        }
    )


class TestFrontLibraryTakes(SinkConformance):
    """Rows written."""


class TestFrontLibraryTells(SourceConformance):
    """Rows read."""
