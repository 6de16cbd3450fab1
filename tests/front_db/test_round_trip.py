"""Values go through a partner's database both ways and stay what they are, in every dialect."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, select

from front_db.capture import Outgoing, begin, next_page
from front_db.contract import Keeps
from front_db.write import write_rows
from tests.front_db.capturing import AT, incoming_row
from tests.front_db.standard import Standard

MIDNIGHT = datetime(2026, 3, 1, 0, 0, 0)  # noqa: DTZ001 - rows hold Beijing time without zone
LEFT: dict[str, dict[str, Any]] = {
    "four-byte": {"applicant_name": "民宿𠮷𝄞"},
    "quotes": {"applicant_name": "o'B\\%_;--"},
    "blank-inside": {"applicant_name": "a  b"},
    "empty-is-null": {"applicant_name": "甲", "level_": ""},
    "large-scale": {"applicant_name": "甲", "fee": Decimal("12345678901234.56")},
    "small-scale": {"applicant_name": "甲", "fee": Decimal("-0.10")},
    "day": {"applicant_name": "甲", "accept_date": date(2024, 2, 29)},
    "midnight": {"applicant_name": "甲", "update_time": MIDNIGHT},
    "Case": {"applicant_name": "大"},
    "case": {"applicant_name": "小"},
}


@pytest.mark.parametrize("left", [Keeps.EVERY, Keeps.LATEST])
def test_what_a_partner_leaves_is_what_the_other_finds(partner: Engine, left: Keeps) -> None:
    """Captured from one table and written into another: text, scale, day and time as they were."""
    standard = Standard(partner, left=left)
    for key, values in LEFT.items():
        standard.leave(key, **values)
    source = Outgoing(standard.out, standard.table, standard.beside)
    with partner.begin() as connection:
        progress = begin(connection, source, AT)
        assert progress
        page = next_page(connection, source, progress, after=None, limit=100, at=AT)
        assert len(LEFT) == len(page.rows)
        rows = [incoming_row(standard, each) for each in page.rows]
        write_rows(connection, standard.into, standard.in_sql, rows)

    with partner.connect() as connection:
        found = {
            row["x_key"]: row for row in connection.execute(select(standard.in_sql)).mappings()
        }
    assert set(LEFT) == set(found), "keys that differ in case alone are two"
    for key, values in LEFT.items():
        expected = {name: None if value == "" else value for name, value in values.items()}
        assert expected == {name: found[key][name] for name in values}, key
