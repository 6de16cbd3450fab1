"""What a receiver says about the rows that we left for it comes back, once each."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, update

from front_db.contract import ControlValue
from front_db.feedback import Result, mark_told, results
from front_db.rows import control_of, row_of
from front_db.states import RowState
from front_db.write import write_rows
from tests.front_db.standard import LEFT_AT, Standard, made


@pytest.fixture
def standard(partner: Engine) -> Standard:
    """Three rows that we left."""
    standard = made(partner)
    rows = []
    for key in ("a", "b", "c"):
        value = ControlValue(row_id=key, batch="to-test", operation="created", version=1, key=key)
        content = row_of({"case_no": key, "applicant_name": "甲"}, standard.into)
        rows.append(content | control_of(value, standard.into.control, LEFT_AT))
    with partner.begin() as connection:
        write_rows(connection, standard.into, standard.in_sql, rows)
    return standard


def says(standard: Standard, row_id: str, **values: object) -> None:
    table = standard.in_sql
    with standard.engine.begin() as connection:
        connection.execute(update(table).where(table.c.x_id == row_id).values(values))


def told(standard: Standard, *, mark: bool = True) -> list[Result]:
    with standard.engine.begin() as connection:
        found = results(connection, standard.into, standard.in_sql, 10)
        if mark:
            mark_told(connection, standard.into, standard.in_sql, found)
    return found


def test_ends_are_told_once_with_their_reason(standard: Standard) -> None:
    """Applied and refused; what is only taken is no end yet."""
    says(standard, "a", x_state="2", x_done=LEFT_AT)
    says(standard, "b", x_state="3", x_code="E702", x_msg="证件号码与已有记录重复")
    says(standard, "c", x_state="1")

    assert told(standard, mark=False) == (found := told(standard))
    assert [] == told(standard)

    assert [("a", True, "", LEFT_AT), ("b", False, "E702", None)] == [
        (r.row_id, r.applied, r.code, r.at) for r in found
    ]
    assert ("to-test", "b", 1, "证件号码与已有记录重复") == (
        found[1].route,
        found[1].key,
        found[1].version,
        found[1].reason,
    )


def test_an_end_that_changes_is_told_again(standard: Standard) -> None:
    """Refused, then applied after all; also when it changed between reading and marking."""
    says(standard, "a", x_state="3")
    assert [RowState.REFUSED] == [r.state for r in told(standard)]
    says(standard, "a", x_state="2")
    seen = told(standard, mark=False)
    says(standard, "a", x_state="3")
    with standard.engine.begin() as connection:
        mark_told(connection, standard.into, standard.in_sql, seen)

    assert [] == told(standard), "refused was told already"
    says(standard, "a", x_state="2")
    assert [RowState.DELIVERED] == [r.state for r in told(standard)]
