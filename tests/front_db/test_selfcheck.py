"""The self-check: what is missing is told with what to do, and nothing of the partner's changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert, make_url, select, text

from front_db.beside import PARTNER, beat
from front_db.database import Limits, make_engine
from front_db.selfcheck import Check, Checked, self_check
from tests.front_db.standard import LEFT_AT, Standard, made


@pytest.fixture
def standard(partner: Engine) -> Standard:
    return made(partner)


def checked(standard: Standard, engine: Engine | None = None) -> dict[str, Check]:
    tables = [
        Checked(standard.out, standard.table, written=False),
        Checked(standard.into, standard.in_sql, written=True),
    ]
    with (engine or standard.engine).begin() as connection:
        found = self_check(connection, tables, standard.beside, LEFT_AT)
    return {each.item: each for each in found}


def test_a_database_made_by_the_script_fails_nothing(standard: Standard) -> None:
    """And the results stand where its administrator can select them."""
    standard.leave("a")
    with standard.engine.begin() as connection:
        beat(connection, standard.beside, PARTNER, LEFT_AT)

    found = checked(standard)

    assert set() == {item for item, each in found.items() if each.result == "FAIL"}
    assert "PASS" == found["characters"].result == found["heartbeat"].result
    assert "PASS" == found["o_test_case.index"].result
    with standard.engine.connect() as connection:
        kept = connection.scalars(select(standard.beside.check.c.c_item)).all()
        assert 1 == len(connection.execute(select(standard.table)).all())
    assert set(kept) == set(found)


def test_what_is_missing_is_told_by_name(standard: Standard) -> None:
    """A column, an index, a table beside it, and a partner that is silent for two hours."""
    with standard.engine.begin() as connection:
        beat(connection, standard.beside, PARTNER, LEFT_AT - timedelta(hours=2))
        connection.execute(text("ALTER TABLE o_test_case DROP COLUMN fee"))
        on = " ON o_test_case" if standard.engine.dialect.name == "mysql" else ""
        connection.execute(text(f"DROP INDEX ix_o_test_case_wait{on}"))
        connection.execute(text("DROP TABLE xch_switch"))

    found = checked(standard)

    assert "表“o_test_case”缺少字段：fee。" == found["o_test_case.columns"].say("zh")
    assert ("FAIL", "WARN") == (
        found["o_test_case.grants"].result,
        found["o_test_case.index"].result,
    )
    assert "FAIL" == found["xch_switch"].result
    assert "120 分钟" in found["heartbeat"].say("zh")


@pytest.fixture
def account(postgres_url: str) -> Iterator[tuple[Standard, Engine]]:
    """The hub's own account with the rights that the guide asks for, and no more."""
    owner = make_engine(postgres_url, Limits())
    standard = made(owner)
    name = f"hub_{make_url(postgres_url).database}"
    ours = ", ".join(sorted(standard.out.control.ours))
    with owner.begin() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'of-a-test'"))
        for said in (
            "SELECT ON o_test_case, i_test_case, xch_batch, xch_receipt, xch_beat, xch_switch",
            f"UPDATE ({ours}) ON o_test_case",
            "INSERT ON i_test_case, xch_receipt, xch_check, xch_beat, xch_statement",
            "SELECT ON xch_statement",
            "UPDATE ON xch_batch, xch_beat",
        ):
            connection.execute(text(f"GRANT {said} TO {name}"))
    url = make_url(postgres_url).set(username=name, password="of-a-test")
    hub = make_engine(url.render_as_string(hide_password=False), Limits())
    yield standard, hub
    hub.dispose()
    with owner.begin() as connection:
        connection.execute(text(f"DROP OWNED BY {name}"))
        connection.execute(text(f"DROP ROLE {name}"))
    owner.dispose()


def test_the_rights_of_the_guide_are_enough_and_not_too_many(
    account: tuple[Standard, Engine],
) -> None:
    """Business columns stay out of the hub's reach; with less, the check says so."""
    standard, hub = account
    with standard.engine.begin() as connection:
        connection.execute(insert(standard.beside.beat), {"h_side": "partner", "h_at": LEFT_AT})

    found = checked(standard, hub)
    assert set() == {item for item, each in found.items() if each.result == "FAIL"}
    assert "PASS" == found["o_test_case.least-rights"].result
    assert "WARN" == checked(standard)["o_test_case.least-rights"].result

    with standard.engine.begin() as connection:
        connection.execute(text(f"REVOKE UPDATE (x_msg) ON o_test_case FROM {hub.url.username}"))
    assert "check.grants" == checked(standard, hub)["o_test_case.grants"].code
