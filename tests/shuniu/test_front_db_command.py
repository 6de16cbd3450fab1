"""``shuniu front-db``: from the script to a table that is checked, counted and purged."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from connectors.front_library import Settings
from front_db.books import Book, standing
from front_db.ddl import script
from front_db.derived import in_table, out_table
from hub.store import Store
from schemas.errors import Misconfigured
from shuniu.service_list import MIGRATIONS
from tests.commands import shuniu
from tests.front_db.standard import CATALOGUE, CODES, ELEMENTS, RESOURCE, RESOURCES
from tests.records import shape

TABLE = ("--resource", "testCase")


@pytest.fixture(autouse=True)
def _site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One resource alone: reading a whole site would be most of what a command does.
    texts = {"elements": ELEMENTS, "codes": CODES, "resources": RESOURCES}
    for folder, said in texts.items():
        (tmp_path / "site" / folder).mkdir(parents=True)
        (tmp_path / "site" / folder / "t.yaml").write_text(said, encoding="utf-8")
    monkeypatch.setenv("SHUNIU_SITE", str(tmp_path / "site"))
    monkeypatch.setenv("SHUNIU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SHUNIU_FRONT_DB_URL", f"sqlite:///{tmp_path / 'partner.db'}")


def output(*words: str) -> tuple[int, str]:
    done = shuniu("front-db", *words)
    return done.code, done.out


def told(*words: str) -> tuple[int, Any]:
    code, said = output(*words, "--json")
    return code, json.loads(said)


def test_an_administrators_first_day(tmp_path: Path) -> None:
    """Checked before there is anything, the script run, checked again, counted, purged."""
    code, before = told("check", *TABLE)
    assert (1, False) == (code, before["ok"])
    missing = {each["item"] for each in before["checks"] if each["result"] == "FAIL"}
    assert "o_test_case" in missing

    code, made = output("ddl", "--dialect", "sqlite", *TABLE)
    assert 0 == code
    partner = sqlite3.connect(tmp_path / "partner.db")
    partner.executescript(made)
    partner.execute(
        "INSERT INTO o_test_case (x_op, x_key, x_ver, x_time)"
        " VALUES ('I', 'K', 1, '2026-03-02 09:00:00')"
    )
    partner.commit()
    partner.close()

    code, after = told("check", *TABLE)
    assert (0, True) == (code, after["ok"])
    assert {"new": 1} == told("status", *TABLE)[1]["tables"][0]["rows"]
    code, gone = told("purge", *TABLE, "--older-than", "1d")
    assert (0, {"o_test_case": 0, "xch_receipt": 0}) == (code, gone["rows"])


def test_what_refers_to_others_is_purged_first(tmp_path: Path) -> None:
    """A row that has come to an end goes in the same run as the last one that refers to it (R-A6)."""
    _, made = output("ddl", "--dialect", "sqlite", "--side", "both", *TABLE)
    ended = ("K", 1, "2026-03-02 09:00:00", "2", "2026-03-02 09:01:00")
    with sqlite3.connect(tmp_path / "partner.db") as partner:
        partner.executescript(made)
        partner.execute("ALTER TABLE i_test_case ADD answers INTEGER REFERENCES o_test_case (x_id)")
        partner.execute(
            "INSERT INTO o_test_case (x_op, x_key, x_ver, x_time, x_state, x_done)"
            " VALUES ('I', ?, ?, ?, ?, ?)",
            ended,
        )
        partner.execute(
            "INSERT INTO i_test_case"
            " (x_op, x_key, x_ver, x_time, x_state, x_done, x_id, x_told, answers)"
            " SELECT 'I', ?, ?, ?, ?, ?, '7', '2', x_id FROM o_test_case",
            ended,
        )
    partner.close()

    code, gone = told("purge", *TABLE, "--side", "both", "--older-than", "1d")
    assert (0, {"o_test_case": 1, "i_test_case": 1, "xch_receipt": 0}) == (code, gone["rows"])


def test_the_profile_is_what_a_system_declares() -> None:
    """Put under ``settings`` it is read as it is."""
    code, said = output("profile", *TABLE, "--side", "both")
    declared = YAML(typ="safe").load(said)
    reads = [{"table": "o_test_case", "kind": "tax"}]
    settings = Settings.model_validate({**declared, "url": "sqlite://", "reads": reads})

    assert 0 == code
    assert [True, True] == [table.standard for table in settings.tables]
    assert ["o_test_case", "i_test_case"] == [table.name for table in settings.tables]


def test_triggers_fill_the_exchange_table_from_the_partners_own(tmp_path: Path) -> None:
    """The script runs as printed; a change of the business table is a row that waits."""
    partner = sqlite3.connect(tmp_path / "partner.db", isolation_level=None)
    partner.executescript(script([out_table(RESOURCE, CATALOGUE)], "sqlite"))
    partner.execute("CREATE TABLE ywb (bh TEXT, xm TEXT)")
    pairs = ("--column", "case_no=bh", "--column", "applicant_name=xm")
    code, said = output(
        "triggers", "--dialect", "sqlite", *TABLE, "--table", "ywb", "--key", "bh", *pairs
    )
    partner.executescript(said)
    partner.execute("INSERT INTO ywb VALUES ('K', '甲')")

    found = partner.execute("SELECT x_op, x_key, applicant_name, x_state FROM o_test_case")
    assert (0, [("I", "K", "甲", "0")]) == (code, found.fetchall())
    partner.close()


def test_a_load_fills_one_systems_table_from_anothers(tmp_path: Path) -> None:
    """As both profiles declare it; again, there is nothing left to do (R-A6)."""
    tables = {
        "tax": out_table(RESOURCE, CATALOGUE),
        "library": in_table(RESOURCE, CATALOGUE),
    }
    for name, table in tables.items():
        database = tmp_path / f"{name}.db"
        with sqlite3.connect(database) as connection:
            connection.executescript(script([table], "sqlite"))
        declared = {
            "url": f"sqlite:///{database}",
            "tables": [table.model_dump(mode="json", exclude_defaults=True)],
        }
        if name == "tax":
            declared["reads"] = [{"table": "o_test_case", "kind": "case"}]
        else:
            source = {"system": "tax", "table": "o_test_case", "into": "i_test_case"}
            declared["loads"] = [{"name": "cases", **source}]
        system = {
            "system": name,
            "name": {"zh": "系统", "en": "system"},
            "owner": "测试局",
            "connector": "front-library",
            "settings": declared,
        }
        folder = tmp_path / "site" / "systems"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yaml").write_text(json.dumps(system), encoding="utf-8")
    with sqlite3.connect(tmp_path / "tax.db") as connection:
        connection.executescript(
            "INSERT INTO o_test_case (x_op, x_key, x_ver, x_time, case_no, applicant_name) VALUES"
            " ('I', 'K', 1, '2026-03-02 09:00:00', 'K', '甲'),"
            " ('I', 'L', 1, '2026-03-02 09:00:00', 'L', '一二三四五六七八九十一')"
        )

    code, first = told("load", "--system", "library")
    again = told("load", "--system", "library", "--load", "cases")[1]

    loaded = first["loads"]["cases"]
    assert (0, 1, 1) == (code, loaded["rows"], loaded["left"])
    assert [{"row": 2, "codes": ["row.too-long"]}] == loaded["aside"]
    assert 0 == again["loads"]["cases"]["rows"]
    with sqlite3.connect(tmp_path / "library.db") as connection:
        found = connection.execute(
            "SELECT x_key, applicant_name, x_batch, x_state FROM i_test_case"
        )
        assert [("K", "甲", "cases", "0")] == found.fetchall()


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("status",), "front-db.no-target", 78),
        (
            ("triggers", "--dialect", "sqlite", *TABLE, "--table", "a;b", "--key", "k"),
            "front-db.name",
            65,
        ),
    ],
)
def test_a_mistake_is_told_with_what_to_do(
    words: tuple[str, ...], code: str, exit_code: int
) -> None:
    """By a code that scripts can act on, and a sentence in both languages."""
    found, said = told(*words)

    assert (exit_code, code) == (found, said["errors"][0]["code"])
    assert said["errors"][0]["zh"] != code != said["errors"][0]["en"]


def test_a_person_lets_a_table_go_on_that_stands_still(tmp_path: Path) -> None:
    """The fuse kept something back that is right. R-A6"""
    (tmp_path / "home").mkdir()
    store = Store(f"sqlite:///{tmp_path / 'home' / 'hub.db'}")
    shape(store, MIGRATIONS)
    book = Book(store, "tax", "qyss", "key-set", lambda: datetime(2026, 3, 2, tzinfo=UTC))
    asyncio.run(book.open())
    asyncio.run(book.stop(Misconfigured("front-db.fuse", "Too many", table="qyss", lost=9)))

    code, said = told("go-on", "--system", "tax", "--table", "qyss")
    assert (0, "qyss") == (code, said["table"])

    (capture,) = store.read_now(lambda connection: standing(connection, "tax"))
    assert (True, None) == (capture.allowed, capture.still())
    store.close()


TAX = """
system: tax
name: {{zh: 税务, en: tax}}
owner: 税务局
connector: front-library
settings:
  url: "sqlite:///{file}"
  tables: [{{name: qyss, columns: [{{name: k, length: 18}}], business_key: [k], control: {{}}}}]
"""


def test_a_table_without_its_slot_is_told_by_status_and_not_let_go_on(tmp_path: Path) -> None:
    """Whoever looks, or tries to let it go on, is told whom to ask for what. R-A6"""
    (tmp_path / "site" / "systems").mkdir()
    profile = TAX.format(file=tmp_path / "partner.db")
    (tmp_path / "site" / "systems" / "tax.yaml").write_text(profile, encoding="utf-8")
    (tmp_path / "home").mkdir()
    store = Store(f"sqlite:///{tmp_path / 'home' / 'hub.db'}")
    shape(store, MIGRATIONS)
    book = Book(store, "tax", "qyss", "logical", lambda: datetime(2026, 3, 2, tzinfo=UTC))
    asyncio.run(book.open())
    gone = Misconfigured("front-db.no-slot", "No such slot", slot="s_tax", table="qyss")
    asyncio.run(book.stop(gone))
    store.close()

    code, said = told("go-on", "--system", "tax", "--table", "qyss")
    assert (78, "front-db.no-slot") == (code, said["errors"][0]["code"])
    assert "s_tax" in said["errors"][0]["zh"]
    code, shown = output("status", "--system", "tax")
    assert (0, True) == (code, "“s_tax”" in shown), shown
