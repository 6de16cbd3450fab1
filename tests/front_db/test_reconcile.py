"""Two sides compared: equal in every database's own SQL, and what differs named row by row."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import Engine, delete, event, insert, select, update

from front_db.digest import row_digest
from front_db.reconcile import compare, differing_columns, rows_by_id
from front_db.sums import Bucket, Slice, bucket_of, sums
from tests.front_db.standard import LEFT_AT, Standard, made
from tests.front_db.test_digest import ROWS

COUNT = 40


def filled(partner: Engine) -> tuple[Standard, Slice, dict[str, dict[str, object]]]:
    """Rows of all kinds in the table; the part of it that is compared; the same rows, as ours."""
    standard = made(partner)
    rows = [
        {
            "x_id": f"row-{n:03}",
            "x_batch": "route",
            "x_op": "I",
            "x_ver": n + 1,
            "x_time": LEFT_AT,
            "x_state": "0",
            **ROWS[n % len(ROWS)],
        }
        for n in range(COUNT)
    ]
    with partner.execution_options(shuniu_write=True).begin() as connection:
        for row in rows:
            connection.execute(insert(standard.in_sql), row)
    part = Slice(standard.into, standard.in_sql, (standard.in_sql.c.x_batch == "route",))
    return standard, part, {str(row["x_id"]): row for row in rows}


def digested(rows: dict[str, dict[str, object]], part: Slice) -> Iterator[tuple[str, str]]:
    yield from ((row_id, row_digest(row, part.described)) for row_id, row in rows.items())


def test_sides_that_agree_are_compared_by_sums_alone(partner: Engine) -> None:
    """Four-byte characters, '' and NULL, scale, dates: the partner's own SQL and our Python give the
    same sums, and not one row crosses the line where the database can add up (R-B: 对账)."""
    _, part, ours = filled(partner)
    asked: list[str] = []
    event.listen(partner, "before_cursor_execute", lambda *told: asked.append(told[2]))

    with partner.connect() as connection:
        found = compare(connection, part, lambda: digested(ours, part))

    assert found.agree
    assert COUNT == found.ours.count == found.theirs.count
    statements = [each for each in asked if "i_test_case" in each]
    assert 1 == len(statements)
    assert ("sqlite" == partner.dialect.name) != ("GROUP BY" in statements[0])


def test_each_row_that_differs_is_named(partner: Engine) -> None:
    """One lost, one altered, one that nobody sent, one of another route: found by their buckets."""
    standard, part, ours = filled(partner)
    table = standard.in_sql
    with partner.execution_options(shuniu_write=True).begin() as connection:
        connection.execute(delete(table).where(table.c.x_id == "row-007"))
        wrong = update(table).where(table.c.x_id == "row-011")
        connection.execute(wrong.values(fee=Decimal("-7.00"), days=3))
        for row_id, route in (("stranger", "route"), ("elsewhere", "other")):
            row = {**ours["row-001"], "x_id": row_id, "x_batch": route}
            connection.execute(insert(table), row)

    with partner.connect() as connection:
        found = compare(connection, part, lambda: digested(ours, part))
        row = rows_by_id(connection, part, ["row-011"])["row-011"]
        names = differing_columns(ours["row-011"], row, part)

    assert not found.agree
    assert (("row-007",), ("stranger",), ("row-011",)) == (
        found.missing,
        found.extra,
        found.differ,
    )
    assert ("fee", "days") == names
    assert found.whole


def test_no_more_is_named_than_was_asked_for(partner: Engine) -> None:
    """A receiver that lost everything is told by its sums; the list ends."""
    _, part, ours = filled(partner)
    nothing = Slice(part.described, part.table, (part.table.c.x_batch == "nobody",))

    with partner.connect() as connection:
        found = compare(connection, nothing, lambda: digested(ours, part), most=1)

    assert (COUNT, 0) == (found.ours.count, found.theirs.count)
    assert sorted(ours) == sorted(found.missing)


@pytest.mark.parametrize("text", ["民宿𠮷", "019b8a00-0000-7000-8000-000000000001"])
def test_a_bucket_is_the_same_in_sql(partner: Engine, text: str) -> None:
    """Whatever an id is made of."""
    standard = made(partner)
    row = {"x_id": text, "x_op": "I", "x_ver": 1, "x_time": LEFT_AT, "x_state": "0", "x_key": "K"}
    with partner.execution_options(shuniu_write=True).begin() as connection:
        connection.execute(insert(standard.in_sql), row)
    part = Slice(standard.into, standard.in_sql)
    with partner.connect() as connection:
        found = sums(connection, part)
        assert 1 == len(connection.execute(select(standard.in_sql.c.x_id)).all())

    assert {bucket_of(text)} == set(found)
    assert 1 == found[bucket_of(text)].count
    assert Bucket() != found[bucket_of(text)]
