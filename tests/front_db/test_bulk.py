"""The batch path between two tables (R-A6, R-B3): what is good goes by pages, the rest stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from front_db.bulk import Load, Take, loadable
from front_db.bulk_journal import LoadJournal
from front_db.contract import Keeps
from front_db.database import Limits, make_engine
from hub.store import Store
from hub.store.tables import ledger
from schemas.errors import Misconfigured
from tests.front_db.loading import Kept, load_and_die, loader
from tests.front_db.standard import Standard, good_row
from tests.front_db.tables import CASES
from tests.records import shape

MODULUS = 2**64


@pytest.fixture
def target(url: str, tmp_path: Path) -> Iterator[Engine]:
    """The receiver's own line. In SQLite it has a file of its own: there is one writer to a file."""
    other = f"sqlite:///{tmp_path / 'target.db'}" if url.startswith("sqlite") else url
    engine = make_engine(other, Limits())
    yield engine
    engine.dispose()


def shapes(partner: Engine, target: Engine, left: Keeps) -> Standard:
    """Both tables, in the databases of both sides."""
    standard = Standard(partner, left=left)
    if target.url != partner.url:
        Standard(target, left=left)
    return standard


def found(engine: Engine, standard: Standard) -> dict[str, tuple[int, str]]:
    """Of the receiver's table: key to version and applicant."""
    c = standard.in_sql.c
    with engine.connect() as connection:
        rows = connection.execute(select(c.x_key, c.x_ver, c.applicant_name)).all()
    assert len(rows) == len({key for key, _, _ in rows})
    return {key: (version, name) for key, version, name in rows}


def states(standard: Standard) -> dict[str, str]:
    """Of the sender's table: key/version to state."""
    c = standard.table.c
    with standard.engine.connect() as connection:
        asked = select(c.x_key, c.x_ver, c.x_state)
        return {f"{key}/{version}": state for key, version, state in connection.execute(asked)}


def test_what_is_good_goes_and_the_rest_stays(partner: Engine, target: Engine) -> None:
    """A wrong row, what follows it, a draft, a row behind a refused one and one that was handled
    before are left for the ordinary way; a newer state that is there is not overwritten."""
    standard = shapes(partner, target, Keeps.LATEST)
    for n in range(20):
        standard.leave(f"K{n:02}", applicant_name="反斜\\杠\t民宿" if n == 3 else f"𠮷宿{n}")
    standard.leave("wrong", level_="Z")
    standard.leave("wrong", 2)
    standard.leave("draft", x_state="9")
    standard.leave("barred", x_state="3")
    standard.leave("barred", 2)
    standard.leave("mended", 2, x_done_ver=1)
    standard.leave("twice", 1)
    standard.leave("twice", 2, applicant_name="新名")
    standard.leave("gone", 3, x_op="D", applicant_name=None)
    with target.execution_options(shuniu_write=True).begin() as connection:
        newer = {**good_row("K07", 9), "x_id": "there", "applicant_name": "更新"}
        connection.execute(standard.in_sql.insert(), newer)
    load = Load("test", standard.out, standard.into)
    journal = Kept()

    done = loader(load, standard, partner, target, journal).run()

    there = found(target, standard)
    assert {f"K{n:02}" for n in range(20)} | {"twice", "gone"} == set(there)
    assert (9, "更新") == there["K07"]
    assert (1, "反斜\\杠\t民宿") == there["K03"]
    assert (2, "新名") == there["twice"]
    left = {key: state for key, state in states(standard).items() if state != "1"}
    assert {
        "wrong/1": "0",
        "wrong/2": "0",
        "draft/1": "9",
        "barred/1": "3",
        "barred/2": "0",
        "mended/2": "0",
    } == left
    assert (23, 2) == (done.rows, done.left)
    assert ["row.domain", "row.behind"] == [each.faults[0].code for each in done.aside]
    keys = [f"K{n:02}" for n in range(20)] + ["twice", "twice", "gone"]
    wanted = sum(int(sha256(key.encode()).hexdigest()[:16], 16) for key in keys) % MODULUS
    assert wanted == sum(int(page.keys) for page in journal.pages) % MODULUS
    again = loader(load, standard, partner, target, journal).run()
    assert 0 == again.rows
    assert there == found(target, standard)


@pytest.mark.parametrize("take", list(Take))
def test_killed_in_any_gap_it_goes_on_where_it_was(
    partner: Engine, target: Engine, tmp_path: Path, take: Take
) -> None:
    """Killed before a page is journaled, and after that before the source has committed: nothing is
    lost or doubled, and the ledger holds each row once (R-B3)."""
    standard = shapes(partner, target, Keeps.EVERY)
    for n in range(30):
        standard.leave(f"K{n:02}")
    records = f"sqlite:///{tmp_path / 'hub.db'}"
    store = Store(records)
    shape(store)
    urls = (
        partner.url.render_as_string(hide_password=False),
        target.url.render_as_string(hide_password=False),
        records,
    )
    for before in (True, False):
        process = get_context("fork").Process(
            target=load_and_die, args=(urls, take, 2), kwargs={"before": before}
        )
        process.start()
        process.join(60)
        assert -9 == process.exitcode
    journal = LoadJournal(store, "tax", "library", lambda: datetime.now(UTC))
    load = Load("test", standard.out, standard.into, take)

    loader(load, standard, partner, target, journal).run()

    assert {f"K{n:02}" for n in range(30)} == set(found(target, standard))
    marked = {"1"} if take is Take.STATE else {"0"}
    assert marked == set(states(standard).values())
    told = store.read_now(
        lambda c: c.execute(
            select(ledger.c.number, ledger.c.digest).where(ledger.c.event == "load.page")
        ).all()
    )
    assert 30 == sum(int(number) for number, _ in told)
    assert all(len(digest) == 64 for _, digest in told)
    store.close()


@pytest.mark.parametrize("take", list(Take))
def test_untouched_rows_pass_as_bytes(postgres_url: str, take: Take) -> None:
    """The same rows as by the way on which they are seen; loaded twice, they are there once."""
    engine = make_engine(postgres_url, Limits())
    standard = Standard(engine, left=Keeps.LATEST)
    for n in range(20):
        standard.leave(f"K{n:02}", fee="12.50", level_="A", applicant_name=f"𠮷\\{n}")
    load = Load("test", standard.out, standard.into, take, untouched=True)

    first = loader(load, standard, engine, engine, Kept()).run()
    once = found(engine, standard)
    with engine.begin() as connection:
        connection.execute(standard.table.update().values(x_state="0", x_done_ver=None))
    again = loader(load, standard, engine, engine, Kept()).run()

    assert (20, 20) == (first.rows, again.rows)
    assert {f"K{n:02}": (1, f"𠮷\\{n}") for n in range(20)} == once == found(engine, standard)
    with engine.connect() as connection:
        c = standard.in_sql.c
        asked = select(func.sum(c.fee), func.min(c.x_state), func.min(c.x_batch))
        assert (250, "0", "test") == tuple(connection.execute(asked).one())
    engine.dispose()


def test_tables_that_cannot_be_loaded_are_told() -> None:
    """Before anything is read, with what is missing."""
    with pytest.raises(Misconfigured) as told:
        loadable(Load("test", CASES, CASES))

    assert "counted" in str(told.value.facts["missing"])
