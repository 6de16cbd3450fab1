"""Daily statements: a line a day and table, corrected by another line, beside the partner's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from sqlalchemy import Engine, MetaData, insert

from front_db.beside import beside
from front_db.selfcheck import Checked, self_check
from front_db.statement import (
    Figures,
    Statement,
    StatementState,
    can_state,
    statements,
    write_statement,
)
from tests.front_db.standard import LEFT_AT, made

DAY = date(2026, 3, 1)
FOUND = Figures(3, "0" * 15 + "a", "0" * 15 + "b")
AGREES = Statement(
    table="o_test_case", day=DAY, state=StatementState.AGREES, theirs=FOUND, ours=FOUND, refused=1
)


def test_the_same_figures_are_written_once_and_others_beside_them(partner: Engine) -> None:
    """Nothing that was told is changed: a correction is the next line (R-B: 对账单)."""
    standard = made(partner)
    differs = replace(
        AGREES, state=StatementState.DIFFERS, theirs=Figures(2, "1" * 16, "2" * 16), missing=1
    )
    added = []
    for each in (AGREES, AGREES, differs, AGREES):
        with partner.execution_options(shuniu_write=True).begin() as connection:
            added.append(write_statement(connection, standard.beside, each, LEFT_AT))
    with partner.connect() as connection:
        lines = statements(connection, standard.beside, "o_test_case", DAY)

    assert [True, False, True, True] == added
    assert [(1, "agrees", 3), (2, "differs", 2), (3, "agrees", 3)] == [
        (line["s_no"], line["s_state"], line["s_rows"]) for line in lines
    ]
    assert "缺少 1" in lines[1]["s_msg"]
    assert LEFT_AT == lines[0]["s_at"]


def test_the_partners_own_line_is_compared(partner: Engine) -> None:
    """It writes what it has counted; our next line says whether we found the same."""
    standard = made(partner)
    own = {
        "s_table": "o_test_case",
        "s_day": DAY,
        "s_side": "partner",
        "s_state": "agrees",
        "s_at": LEFT_AT,
    }
    said = []
    for number, rows in ((1, 3), (2, 4)):
        with partner.execution_options(shuniu_write=True).begin() as connection:
            place = standard.beside.statement
            connection.execute(insert(place), {**own, "s_no": number, "s_rows": rows})
            write_statement(connection, standard.beside, AGREES, LEFT_AT)
            lines = statements(connection, standard.beside, "o_test_case", DAY)
            said.append([line["s_msg"] for line in lines if line["s_side"] == "hub"][-1])

    assert said[0].endswith("与贵方填写的数字一致。")
    assert said[1].endswith("与贵方填写的数字不一致，请核对贵方的统计口径。")


def test_a_database_of_before_has_no_place_for_it(partner: Engine) -> None:
    """Exchange goes on; the self-check says what is missing, and does not fail for it."""
    standard = made(partner)
    with partner.execution_options(shuniu_write=True).begin() as connection:
        standard.beside.statement.drop(connection)
    with partner.execution_options(shuniu_write=True).begin() as connection:
        assert not can_state(connection, beside(MetaData()))
        tables = [Checked(standard.out, standard.table, written=False)]
        found = self_check(connection, tables, standard.beside, LEFT_AT)

    told = {each.item: each.result for each in found}
    assert "WARN" == told["xch_statement"]
    assert "FAIL" not in told.values()
