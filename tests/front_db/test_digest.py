"""Digests: Python, PostgreSQL and MariaDB add up to the same number."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256

from sqlalchemy import Engine, insert, select, text

from front_db.contract import Column, ExchangeTable, Kind
from front_db.digest import row_digest, row_texts, sum_of, sum_sql
from tests.front_db.standard import LEFT_AT, Standard, made

ROWS: tuple[dict[str, object], ...] = (
    {"x_key": "1", "case_no": "1", "applicant_name": "民宿𠮷𝄞", "fee": Decimal("100.50")},
    {"x_key": "2", "case_no": "2", "applicant_name": "", "fee": Decimal("-0.10"), "days": 7},
    {"x_key": "3", "case_no": "3", "applicant_name": "a  ", "accept_date": date(2026, 3, 2)},
    {
        "x_key": "4",
        "case_no": "4",
        "fee": Decimal("12345678901234.56"),
        "update_time": datetime(2026, 12, 31, 23, 59, 59),  # noqa: DTZ001 - Beijing time
    },
)


def filled(partner: Engine) -> Standard:
    standard = made(partner)
    ruled = {"x_op": "I", "x_ver": 3, "x_time": LEFT_AT}
    with standard.engine.begin() as connection:
        for row in ROWS:
            connection.execute(insert(standard.table), {**ruled, **row})
    return standard


def test_a_partners_own_sql_gives_the_same(partner: Engine) -> None:
    """Four-byte characters, '' and NULL, blanks at the end, scale, dates: one number everywhere."""
    standard = filled(partner)
    with standard.engine.connect() as connection:
        rows = connection.execute(select(standard.table)).mappings().all()
        ours = sum_of(row_digest(dict(row), standard.out) for row in rows)
        told = sum_sql(standard.out, partner.dialect.name)
        if told is None:
            assert "sqlite" == partner.dialect.name
            theirs = sum_of(row_digest({"x_op": "I", "x_ver": 3, **r}, standard.out) for r in ROWS)
            assert ours == theirs
            return
        found = connection.execute(text(told.replace(":", "\\:"))).one()

    assert (4, ours) == (found.row_count, str(found.row_digest))


def test_no_rows_have_the_digest_nought(partner: Engine) -> None:
    """An empty batch is a batch: 0 rows, 0."""
    standard = made(partner)
    told = sum_sql(standard.out, partner.dialect.name, "x_batch = 'none'")
    if told is None:
        assert "0" == sum_of([])
        return
    with standard.engine.connect() as connection:
        found = connection.execute(text(told.replace(":", "\\:"))).one()

    assert (0, "0") == (found.row_count, str(found.row_digest))


def test_the_text_of_a_row_is_what_the_guide_says(partner: Engine) -> None:
    """Built by hand from the rule: operation, key, version, content, joined by U+001F."""
    standard = made(partner)
    row = {"x_op": "I", "x_key": "K", "x_ver": 2, "case_no": "K ", "fee": "1.5", "days": None}
    by_hand = "I|K|2|K||1.50||||".replace("|", "\x1f")

    assert sha256(by_hand.encode()).hexdigest()[:16] == row_digest(row, standard.out)


def test_a_decimal_of_38_digits_has_the_scale_of_its_column() -> None:
    """Python rounds at 28 digits by itself, and has a zero below zero: no database does."""
    described = ExchangeTable(
        name="t",
        columns=(
            Column(name="k"),
            Column(name="amount", kind=Kind.DECIMAL, digits=38, places=6),
        ),
        business_key=("k",),
    )
    given = {
        "12345678901234567890123456789012.5": "12345678901234567890123456789012.500000",
        "-0.0": "0.000000",
    }
    for told, shown in given.items():
        row = {"k": "a", "amount": Decimal(told)}
        assert shown == row_texts(row, described)["amount"]
