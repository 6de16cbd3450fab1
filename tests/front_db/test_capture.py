"""Capture by state: nothing is lost, a bad row holds its key alone, and every row is answered."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from front_db.capture import (
    Captured,
    DirtyLimits,
    Outgoing,
    Page,
    acknowledge,
    begin,
    next_page,
)
from front_db.contract import Keeps
from front_db.database import Limits, make_engine
from front_db.digest import row_digest
from schemas.errors import Misconfigured
from tests.front_db.standard import LEFT_AT, Standard, good_row, made

AT = LEFT_AT + timedelta(minutes=1)


@pytest.fixture
def standard(partner: Engine) -> Standard:
    return made(partner)


def outgoing(standard: Standard, **limits: Any) -> Outgoing:
    return Outgoing(standard.out, standard.table, standard.beside, DirtyLimits(**limits))


def poll(standard: Standard, *, limit: int = 100, **limits: Any) -> list[Captured]:
    """All pages of one poll, none of it acknowledged."""
    return [row for page in pages(standard, limit=limit, **limits) for row in page.rows]


def pages(standard: Standard, *, limit: int = 100, **limits: Any) -> list[Page]:
    source, found, place = outgoing(standard, **limits), list[Page](), None
    with standard.engine.begin() as connection:
        progress = begin(connection, source, AT)
    while progress is not None:
        with standard.engine.begin() as connection:
            page = next_page(connection, source, progress, after=place, limit=limit, at=AT)
        found.append(page)
        if (place := page.place) is None:
            break
    return found


def take(standard: Standard, rows: list[Captured]) -> int:
    with standard.engine.begin() as connection:
        return acknowledge(connection, outgoing(standard), rows, AT)


def keys(rows: list[Captured]) -> list[str]:
    return [f"{row.judged.key}/{row.seen.version}" for row in rows]


def change(standard: Standard, row_id: int, **values: object) -> None:
    table = standard.table
    with standard.engine.begin() as connection:
        connection.execute(update(table).where(table.c.x_id == row_id).values(values))


def rows_of(standard: Standard) -> list[Any]:
    with standard.engine.connect() as connection:
        return list(connection.execute(select(standard.table).order_by(standard.table.c.x_id)))


def receipts(standard: Standard) -> list[Any]:
    table = standard.beside.receipt
    with standard.engine.connect() as connection:
        return list(connection.execute(select(table).order_by(table.c.r_row, table.c.r_field)))


def states(standard: Standard) -> str:
    return "".join(row.x_state for row in rows_of(standard))


def test_rows_come_in_pages_and_are_marked_once_safe(standard: Standard) -> None:
    """Until they are acknowledged they come again; afterwards never, and each has its receipt."""
    for n in range(5):
        standard.leave(f"k{n}")

    first, again = poll(standard, limit=2), poll(standard, limit=2)
    assert keys(first) == keys(again) == [f"k{n}/1" for n in range(5)]
    assert 5 == take(standard, first)

    assert [] == poll(standard)
    assert [("taken", "1"), ("taken", "2")] == [(r.r_stage, r.r_row) for r in receipts(standard)][
        :2
    ]
    assert 5 == len(receipts(standard))


def test_a_late_commit_cannot_escape(partner: Engine) -> None:
    """Its id is lower than what was taken already: a watermark on the id would skip it for ever."""
    standard = made(partner)
    if partner.dialect.name == "sqlite":
        pytest.skip("cannot: SQLite has one writer at a time, so no commit is late")
    with partner.connect() as late:
        late.execute(insert(standard.table), good_row("late"))
        standard.leave("soon")
        found = poll(standard)
        assert ["soon/1"] == keys(found)
        take(standard, found)
        late.commit()

    assert ["late/1"] == keys(poll(standard))


def test_a_change_between_reading_and_marking_is_not_swallowed(partner: Engine) -> None:
    """One row a key, changed in place: the mark misses it, and the newer version comes out."""
    standard = made(partner, keeps=Keeps.LATEST)
    standard.leave("a")
    seen = poll(standard)
    change(standard, 1, x_ver=2, x_op="U", applicant_name="新")

    assert 0 == take(standard, seen)
    found = poll(standard)
    assert ["a/2"] == keys(found)
    assert "新" == found[0].content["applicant_name"]
    assert 1 == take(standard, found)


def test_a_row_left_again_without_a_higher_version_is_told(partner: Engine) -> None:
    """The hub would take it for an echo of the first, and the change would be lost in silence."""
    standard = made(partner, keeps=Keeps.LATEST)
    standard.leave("a", 4)
    take(standard, poll(standard))
    change(standard, 1, x_state="0", applicant_name="新")

    assert [] == poll(standard)
    assert "row.version-not-raised" == rows_of(standard)[0].x_code
    change(standard, 1, x_state="0", x_ver=5)
    assert ["a/5"] == keys(poll(standard))


def test_a_refusal_says_which_field_why_and_what_is_right(standard: Standard) -> None:
    """In plain Chinese, every fault at once, and never the wrong value itself."""
    standard.leave("a", applicant_name=None, level_="Z", days=12345)

    assert [] == poll(standard)

    row = rows_of(standard)[0]
    assert ("3", AT) == (row.x_state, row.x_done)
    assert "字段“申请人（applicant_name）”必填，却没有值。正确示例：甲某。" in row.x_msg
    told = {r.r_field: (r.r_code, r.r_example) for r in receipts(standard)}
    assert {
        "applicant_name": ("row.missing", "甲某"),
        "level_": ("row.domain", told["level_"][1]),
        "days": ("row.digits", "5"),
    } == told
    assert told["level_"][1] in {"A", "B"}
    assert "12345" not in row.x_msg + "".join(r.r_msg for r in receipts(standard))


def test_a_bad_row_holds_its_key_and_nothing_else(standard: Standard) -> None:
    """Later rows of the key wait, in later polls too; all others flow on."""
    standard.leave("a", 1, applicant_name=None)
    standard.leave("a", 2)
    standard.leave("b", 1)

    assert ["b/1"] == keys(poll(standard))
    standard.leave("a", 3)
    assert ["b/1"] == keys(poll(standard))
    assert "3404" == states(standard)

    change(standard, 1, applicant_name="甲", x_state="0", x_ver=1)
    assert ["b/1"] == keys(poll(standard)), "the version was not raised"


def test_what_was_held_follows_in_order_once_the_row_is_corrected(standard: Standard) -> None:
    """Corrected in place with a higher version: it goes first, the held ones after it."""
    standard.leave("a", 10, applicant_name=None)
    standard.leave("a", 20)
    standard.leave("a", 30)
    assert [] == poll(standard)
    assert "344" == states(standard)

    change(standard, 1, applicant_name="甲", x_state="0", x_ver=11)

    found = poll(standard, limit=2)
    assert ["a/11", "a/20", "a/30"] == keys(found)
    assert 3 == take(standard, found)
    assert "111" == states(standard)


def test_a_row_mended_behind_the_page_that_is_read_still_goes_first(standard: Standard) -> None:
    """Between two pages its state is new again; what follows it must not slip past."""
    standard.leave("a", 10, applicant_name=None)
    standard.leave("b", 1)
    assert ["b/1"] == keys(poll(standard))
    standard.leave("a", 20)
    source = outgoing(standard)
    with standard.engine.begin() as connection:
        progress = begin(connection, source, AT)
        assert progress
        first = next_page(connection, source, progress, after=None, limit=1, at=AT)
    change(standard, 1, applicant_name="甲", x_ver=11, x_state="0")
    with standard.engine.begin() as connection:
        second = next_page(connection, source, progress, after=first.place, limit=5, at=AT)

    assert ["b/1"] == keys([*first.rows, *second.rows])
    assert "000" == states(standard)
    assert ["a/11", "b/1", "a/20"] == keys(poll(standard))


def test_a_withdrawn_row_holds_nothing(standard: Standard) -> None:
    """The writer gave it up; what waited behind it goes."""
    standard.leave("a", 1, applicant_name=None)
    standard.leave("a", 2)
    assert [] == poll(standard)

    change(standard, 1, x_state="5")

    assert ["a/2"] == keys(poll(standard))


def test_a_row_may_be_corrected_by_another(standard: Standard) -> None:
    """It goes in the place of the refused one; what waited and is older than it is superseded."""
    standard.leave("a", 1, applicant_name=None)
    standard.leave("a", 2)
    assert [] == poll(standard)
    standard.leave("a", 3, x_corrects=1)

    found = poll(standard)
    assert ["a/3"] == keys(found)
    take(standard, found)
    assert [] == poll(standard)

    assert "661" == states(standard)
    assert {"row.corrected", "row.superseded"} <= {r.r_code for r in receipts(standard)}


def test_an_older_version_never_follows_a_newer_one(standard: Standard) -> None:
    """Its transaction was late: it is answered, not sent; a re-used number is refused by name."""
    standard.leave("a", 5)
    take(standard, poll(standard))
    standard.leave("a", 4)
    standard.leave("b", 1)
    take(standard, poll(standard))
    standard.leave("b", 1, applicant_name="另")

    assert [] == poll(standard)
    assert "1613" == states(standard)
    assert "row.version-used" == rows_of(standard)[3].x_code


def test_a_delete_needs_its_key_alone(standard: Standard) -> None:
    """And the key may live again, with a higher version."""
    standard.leave("a", 1)
    standard.leave("a", 2, x_op="D", case_no=None, applicant_name=None)
    standard.leave("a", 3, x_op="I")

    assert [("a/1", "I"), ("a/2", "D"), ("a/3", "I")] == [
        (keys([row])[0], row.content["x_op"]) for row in poll(standard)
    ]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"x_op": "X"}, "row.operation"),
        ({"x_key": " "}, "row.key"),
        ({"x_key": "b"}, "row.key-differs"),
        ({"x_ver": 0}, "row.version"),
        ({"applicant_name": ""}, "row.missing"),
        ({"x_digest": "0" * 16}, "row.digest"),
    ],
)
def test_what_breaks_the_contract_is_refused_by_name(
    standard: Standard, wrong: dict[str, Any], code: str
) -> None:
    """Control columns are checked as strictly as content; '' is no value in any database."""
    standard.leave("a", **wrong)

    assert [] == poll(standard)
    assert [("3", code)] == [(row.x_state, row.x_code) for row in rows_of(standard)]


def test_a_text_that_is_too_long_is_told_where_the_database_lets_it_in(sqlite_url: str) -> None:
    """SQLite does not look at lengths; the others refuse the writer's own INSERT."""
    partner = make_engine(sqlite_url, Limits())
    standard = made(partner)
    standard.leave("a", applicant_name="民" * 11)

    assert [] == poll(standard)

    said = "超长：最多 10 个字符，实为 11 个。"
    assert said in rows_of(standard)[0].x_msg
    partner.dispose()


def test_a_digest_that_fits_passes(standard: Standard) -> None:
    """Computed by the writer as the guide says, over what it left."""
    row = {**good_row("a"), "fee": Decimal("1.50")}
    standard.leave("a", fee=row["fee"], x_digest=row_digest(row, standard.out))

    assert ["a/1"] == keys(poll(standard))


def test_too_many_bad_rows_of_a_class_stop_the_table_until_they_are_fewer(
    standard: Standard,
) -> None:
    """Counted in the table, so a restart forgets nothing; mending two of them is enough."""
    for n in range(4):
        standard.leave(f"bad{n}", applicant_name=None)
    standard.leave("good")
    assert ["good/1"] == keys(poll(standard, value_rows=3))

    with pytest.raises(Misconfigured) as caught:
        poll(standard, value_rows=3)
    assert ("front-db.too-dirty", 4) == (caught.value.code, caught.value.facts["count"])
    assert ["good/1"] == keys(poll(standard, value_rows=4, key_rows=0, form_rows=0))

    change(standard, 1, x_state="5")
    assert ["good/1"] == keys(poll(standard, value_rows=3))


def test_a_table_of_which_too_large_a_share_is_bad_stops(standard: Standard) -> None:
    """By class, and only once so many rows stand there that a share means something."""
    for n in range(3):
        standard.leave(f"bad{n}", applicant_name=None)
    standard.leave("good")
    assert ["good/1"] == keys(poll(standard))

    with pytest.raises(Misconfigured) as caught:
        poll(standard, value_share=0.7, least_rows=4)
    facts = caught.value.facts
    assert ("front-db.too-dirty-share", "value") == (caught.value.code, facts["kind"])
    assert (75.0, 70.0) == (facts["percent"], facts["limit"])
    assert ["good/1"] == keys(poll(standard, value_share=0.7, least_rows=5))
    assert ["good/1"] == keys(poll(standard, value_share=0.75, key_share=0.0, least_rows=4))


def test_the_partner_stops_a_table_itself(standard: Standard) -> None:
    """One row of SQL; and the hub's heartbeat goes on, so that both see it lives."""
    standard.leave("a")
    switch = standard.beside.switch
    with standard.engine.begin() as connection:
        connection.execute(insert(switch), {"s_table": "o_test_case", "s_paused": "Y"})

    assert [] == pages(standard)

    with standard.engine.begin() as connection:
        assert AT == connection.scalar(select(standard.beside.beat.c.h_at))
        connection.execute(update(switch).values(s_paused="N"))
    assert ["a/1"] == keys(poll(standard))


def test_the_same_answer_is_given_once(standard: Standard) -> None:
    """However often a row is refused for the same thing, its receipt stands there one time."""
    standard.leave("a", 1, applicant_name=None)
    poll(standard)
    for _ in range(2):
        change(standard, 1, x_state="0")
        poll(standard)

    assert ["row.missing", "row.version-not-raised"] == sorted(r.r_code for r in receipts(standard))
