"""Payloads become rows, or every fault is named; rows read become plain text and numbers."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from front_db.contract import Column, Control, ExchangeTable
from front_db.ddl import ddl_text
from front_db.rows import Unreadable, content_of, row_of
from schemas.errors import Misconfigured, Rejected
from tests.front_db.tables import CASES, NEWS


def test_values_take_the_types_of_their_columns() -> None:
    """Text, whole numbers, decimals and Beijing times."""
    row = row_of(
        {
            "project_no": "A-1",
            "days": "5",
            "fee": "12.50",
            "day": "2026-02-28",
            "accepted": "2026-03-02T09:00:00",
        },
        CASES,
    )

    assert ("A-1", None, 5) == (row["project_no"], row["applicant"], row["days"])
    assert (Decimal("12.50"), date(2026, 2, 28)) == (row["fee"], row["day"])
    assert datetime.fromisoformat("2026-03-02T09:00:00") == row["accepted"]


def test_every_fault_of_a_payload_is_told_at_once() -> None:
    """A partner's engineer mends one record once, not eight times."""
    with pytest.raises(Rejected) as caught:
        row_of(
            {
                "applicant": "十一个汉字已经超过限长",
                "region": "999999",
                "days": "five",
                "fee": "1.005",
                "day": "2026-02-30",
                "accepted": "2026-03-02T09:00:00+08:00",
                "surprise": "x",
            },
            CASES,
        )

    assert {
        ("/project_no", "row.missing"),
        ("/applicant", "row.too-long"),
        ("/region", "row.domain"),
        ("/days", "row.number"),
        ("/fee", "row.places"),
        ("/day", "row.date"),
        ("/accepted", "row.date"),
        ("/surprise", "row.unknown-column"),
    } == {(fault.at, fault.code) for fault in caught.value.faults}


@pytest.mark.parametrize("given", [True, {"a": 1}, ["x"], 1.5, "nul\x00"])
def test_what_is_no_text_is_refused_as_text(given: object) -> None:
    """A list or an object in a column is a wrong route, never a text of brackets."""
    with pytest.raises(Rejected) as caught:
        row_of({"project_no": given}, CASES)  # type: ignore[dict-item] # wrong values are the point

    assert ["row.type"] == [fault.code for fault in caught.value.faults]


def test_a_row_read_is_plain() -> None:
    """Decimals as text, times as GB/T 7408, empty columns left out."""
    sj = datetime.fromisoformat("2026-03-02T09:00:00.250")

    assert {"xmbh": "A", "sl": "0.10", "sj": "2026-03-02T09:00:00", "bbh": 2} == content_of(
        {"xmbh": "A", "sl": Decimal("0.10"), "sj": sj, "bbh": 2, "cwyy": None}, NEWS
    )


def test_a_time_that_sqlite_keeps_as_text_looks_the_same() -> None:
    """The same record comes out of every database."""
    assert {"sj": "2026-03-02T09:00:00"} == content_of({"sj": "2026-03-02 09:00:00.000000"}, NEWS)


def test_bytes_are_no_content() -> None:
    """Guessing an encoding would change what the partner meant."""
    with pytest.raises(Unreadable) as caught:
        content_of({"xmbh": b"\xd0\xa1"}, NEWS)

    assert "xmbh" == caught.value.column


def test_a_column_named_twice_is_refused() -> None:
    """Names of databases ignore case, so those that differ only in it are the same."""
    with pytest.raises(ValueError, match="named twice"):
        ExchangeTable(name="t", columns=(Column(name="ID"),), control=Control(row_id="id"))


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mariadb"])
def test_ddl_names_the_constraint_of_a_domain(dialect: str) -> None:
    """The name is how the database's refusal leads back to the column."""
    said = ddl_text(CASES, dialect)

    assert "CREATE TABLE cases" in said
    assert "ck_cases_region" in said
    assert said.endswith(";\n")


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mariadb", "mysql", "oracle", "mssql"])
def test_ddl_is_text_to_be_run_as_it_is(dialect: str) -> None:
    """A percent sign stands once, a quote twice, whatever the driver's parameters look like; where
    the database keeps remarks, the Chinese names are there."""
    table = ExchangeTable(
        name="shares",
        title="增长 100% 的“表”",
        columns=(Column(name="share", title="占比（%）", codes=("5%", "o'clock")),),
        control=Control(row_id="id"),
    )
    said = ddl_text(table, dialect)

    assert "'5%'" in said
    assert "'o''clock'" in said
    assert "%%" not in said
    assert (dialect != "sqlite") == ("'占比（%）'" in said)


def test_an_unknown_dialect_is_told() -> None:
    """Not a traceback of SQLAlchemy's."""
    with pytest.raises(Misconfigured) as caught:
        ddl_text(CASES, "oracel")

    assert "front-db.dialect" == caught.value.code
