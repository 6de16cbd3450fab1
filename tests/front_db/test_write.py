"""Rows into a partner's table: once each, in batches, and a refusal names the column."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import (
    Engine,
    ForeignKeyConstraint,
    MetaData,
    Table,
    event,
    func,
    select,
    text,
)

from front_db.contract import ControlValue, ExchangeTable, Keeps
from front_db.ddl import sql_table
from front_db.rows import Row, control_of, row_of
from front_db.write import Outcome, Written, row_id_of, write_rows
from schemas.errors import Misconfigured, Rejected, Transient
from tests.front_db.standard import made as standard_tables
from tests.front_db.tables import AT, CASES, LATEST, written_row


def made(partner: Engine, described: ExchangeTable) -> Table:
    table = sql_table(described, MetaData())
    table.create(partner)
    return table


def write(partner: Engine, described: ExchangeTable, table: Table, *rows: Row) -> Sequence[Outcome]:
    with partner.begin() as connection:
        return write_rows(connection, described, table, rows)


def column_of(partner: Engine, table: Table, name: str) -> list[object]:
    with partner.connect() as connection:
        return list(connection.scalars(select(table.c[name]).order_by(table.c[name])))


def blinded() -> ExchangeTable:
    """Our description knows no domain here, so only the database can refuse."""
    return CASES.model_copy(
        update={"columns": tuple(c.model_copy(update={"codes": ()}) for c in CASES.columns)}
    )


def test_a_row_arrives_with_its_control_columns(partner: Engine) -> None:
    """In the partner's names and words, Chinese included."""
    table = made(partner, CASES)
    row = written_row(CASES, {"project_no": "A-1", "applicant": "测试民宿"}, version=3)

    outcomes = write(partner, CASES, table, row)

    assert [Written(str(row["row_guid"]))] == outcomes
    with partner.connect() as connection:
        found = connection.execute(select(table)).mappings().one()
    assert ("测试民宿", "I", "001", 3, "cases-to-partner") == (
        found["applicant"],
        found["cd_operation"],
        found["data_source"],
        found["cd_version"],
        found["cd_batch"],
    )


def test_a_repeat_writes_nothing(partner: Engine) -> None:
    """Neither in a later transaction nor in the same batch."""
    table = made(partner, CASES)
    row = written_row(CASES, {"project_no": "A-1"})

    first = write(partner, CASES, table, row, row)
    second = write(partner, CASES, table, row)

    row_id = str(row["row_guid"])
    assert [Written(row_id), Written(row_id, repeated=True)] == first
    assert [Written(row_id, repeated=True)] == second
    assert ["A-1"] == column_of(partner, table, "project_no")


def test_one_bad_row_does_not_hold_up_its_batch(partner: Engine) -> None:
    """The others are written; the bad one is refused with its column."""
    table = made(partner, CASES)
    blind = blinded()
    rows = [written_row(blind, {"project_no": f"A-{n}", "region": "130102"}) for n in range(5)]
    rows[2] = written_row(blind, {"project_no": "bad", "region": "999999"})

    outcomes = write(partner, blind, table, *rows)

    refused = outcomes[2]
    assert isinstance(refused, Rejected)
    assert ("target.refused", "/region") == (refused.code, refused.at)
    assert ["A-0", "A-1", "A-3", "A-4"] == column_of(partner, table, "project_no")


def test_a_unique_key_of_the_partners_own_is_no_repeat(partner: Engine) -> None:
    """``ON DUPLICATE KEY`` would have overwritten another case's row here."""
    table = made(partner, LATEST)
    write(partner, CASES, table, written_row(CASES, {"project_no": "A-1", "applicant": "甲"}))

    outcome = write(
        partner, CASES, table, written_row(CASES, {"project_no": "A-1", "applicant": "乙"})
    )[0]

    assert isinstance(outcome, Rejected)
    assert ["甲"] == column_of(partner, table, "applicant")


def test_two_routes_into_one_table_are_told(partner: Engine) -> None:
    """They would take each other's rows for repeats, and one route's would be lost."""
    table = made(partner, CASES)
    row_id = str(uuid4())
    write(partner, CASES, table, written_row(CASES, {"project_no": "A-1"}, row_id=row_id))

    outcome = write(
        partner, CASES, table, written_row(CASES, {"project_no": "A-1"}, row_id=row_id, batch="b")
    )[0]

    assert isinstance(outcome, Misconfigured)
    assert "front-db.two-routes" == outcome.code


def test_a_table_of_latest_states_never_goes_back(partner: Engine) -> None:
    """Versions 2, 3, 1 in this order: 3 stays, and 1 is answered as done."""
    table = made(partner, LATEST)
    rows = [
        written_row(LATEST, {"project_no": "A-1", "days": version}, version=version)
        for version in (2, 3, 1)
    ]

    outcomes = [write(partner, LATEST, table, row)[0] for row in rows]

    stale = Written(str(rows[2]["row_guid"]), stale=True)
    assert [Written(str(rows[0]["row_guid"])), Written(str(rows[1]["row_guid"])), stale] == outcomes
    assert [3] == column_of(partner, table, "days")


def test_a_repeat_of_the_latest_state_is_known(partner: Engine) -> None:
    """The same delivery again: nothing changes, and the answer says so."""
    table = made(partner, LATEST)
    row = written_row(LATEST, {"project_no": "A-1"}, version=1)

    write(partner, LATEST, table, row)

    assert [Written(str(row["row_guid"]), repeated=True)] == write(partner, LATEST, table, row)


def test_a_large_batch_goes_in_one_transaction(partner: Engine) -> None:
    """Two hundred rows, and none is seen before all are."""
    table = made(partner, CASES)
    rows = [written_row(CASES, {"project_no": f"A-{n}"}) for n in range(200)]

    with partner.begin() as connection:
        write_rows(connection, CASES, table, rows)
        with partner.connect() as other:
            assert 0 == other.scalar(select(func.count()).select_from(table))

    assert 200 == len(column_of(partner, table, "project_no"))


def test_the_row_id_leads_to_the_trace() -> None:
    """With a batch column it is the message's id; without one, one of the delivery's own."""
    control = CASES.control
    bare = control.model_copy(update={"batch": None})

    assert "m1" == row_id_of("m1", "m1.route", control)
    assert row_id_of("m1", "m1.route", bare) == row_id_of("m1", "m1.route", bare)
    assert row_id_of("m1", "m1.route", bare) != row_id_of("m1", "m1.other", bare)


def test_a_few_bad_rows_are_found_by_halving(partner: Engine) -> None:
    """Three of 256 are refused by name; the others are written in far fewer inserts than rows."""
    table = made(partner, CASES)
    blind = blinded()
    rows = [written_row(blind, {"project_no": f"A-{n:03}", "region": "130102"}) for n in range(256)]
    for n in (7, 100, 255):
        rows[n] = written_row(blind, {"project_no": f"bad-{n}", "region": "999999"})
    inserts: list[str] = []
    event.listen(
        partner,
        "before_cursor_execute",
        lambda _c, _k, statement, *_: inserts.append(statement) if "INSERT" in statement else None,
    )

    outcomes = write(partner, blind, table, *rows)

    refused = {n for n, outcome in enumerate(outcomes) if isinstance(outcome, Rejected)}
    assert {7, 100, 255} == refused
    assert 253 == len(column_of(partner, table, "project_no"))
    assert len(inserts) < 64, "3 bad rows, 8 halvings each, two parts a halving"


def test_the_latest_of_a_batch_wins_in_any_order(partner: Engine) -> None:
    """Several messages of one key in one batch, some newer and some older than what is there."""
    table = made(partner, LATEST)

    def row(key: str, version: int) -> Row:
        return written_row(LATEST, {"project_no": key, "days": version}, version=version)

    write(partner, LATEST, table, row("A", 5), row("B", 1))
    outcomes = write(
        partner, LATEST, table, row("A", 4), row("B", 3), row("B", 2), row("C", 7), row("A", 6)
    )

    stale = [isinstance(o, Written) and o.stale for o in outcomes]
    assert [True, False, True, False, False] == stale
    with partner.connect() as connection:
        held = {r.project_no: r.days for r in connection.execute(select(table))}
    assert {"A": 6, "B": 3, "C": 7} == held


def test_a_second_unique_key_never_leads_to_another_row(partner: Engine) -> None:
    """An upsert would have overwritten B's row through its number; here A and D are refused."""
    table = made(partner, LATEST)
    with partner.begin() as connection:
        connection.execute(text("CREATE UNIQUE INDEX uq_days ON latest (days)"))

    def row(key: str, days: int, version: int) -> Row:
        return written_row(
            LATEST, {"project_no": key, "days": days, "applicant": key}, version=version
        )

    write(partner, LATEST, table, row("A", 1, 1), row("B", 2, 1))
    outcomes = write(
        partner, LATEST, table, row("C", 3, 1), row("A", 2, 2), row("D", 1, 1), row("B", 4, 2)
    )

    assert [False, True, True, False] == [isinstance(o, Rejected) for o in outcomes]
    with partner.connect() as connection:
        held = {r.project_no: (r.days, r.applicant) for r in connection.execute(select(table))}
    assert {"A": (1, "A"), "B": (4, "B"), "C": (3, "C")} == held


def test_a_row_whose_parent_is_not_there_yet_comes_again(partner: Engine) -> None:
    """Not refused for ever: the parent may be on its way. The others of the batch are written."""
    table = made(partner, CASES)
    child = CASES.model_copy(update={"name": "steps"})
    with partner.begin() as connection:
        connection.execute(text("CREATE UNIQUE INDEX uq_no ON cases (project_no)"))
        steps = sql_table(child, MetaData())
        steps.append_constraint(ForeignKeyConstraint(["project_no"], [table.c.project_no]))
        steps.create(connection)
    write(partner, CASES, table, written_row(CASES, {"project_no": "A"}))
    rows = [written_row(child, {"project_no": key}) for key in ("A", "B", "A")]

    outcomes = write(partner, child, steps, *rows)

    missing = outcomes[1]
    assert isinstance(missing, Transient)
    assert "target.parent" == missing.code
    assert ["A", "A"] == column_of(partner, steps, "project_no")
    write(partner, CASES, table, written_row(CASES, {"project_no": "B"}))
    assert [Written(str(rows[1]["row_guid"]))] == write(partner, child, steps, rows[1])


def test_a_deleted_key_is_not_revived_by_an_older_message(partner: Engine) -> None:
    """The delete stays as a row with its version; a newer message makes the key live again."""
    standard = standard_tables(partner, keeps=Keeps.LATEST)

    def row(operation: str, version: int) -> Row:
        value = ControlValue(
            row_id=str(uuid4()), batch="r", operation=operation, version=version, key="K"
        )
        content = row_of({"case_no": "K", "applicant_name": "甲"}, standard.into)
        return content | control_of(value, standard.into.control, AT)

    into, table = standard.into, standard.in_sql
    write(partner, into, table, row("created", 1))
    write(partner, into, table, row("deleted", 3))
    late = write(partner, into, table, row("updated", 2))[0]

    assert isinstance(late, Written)
    assert late.stale
    assert ["D"] == column_of(partner, table, "x_op")
    write(partner, into, table, row("created", 4))
    assert ["I"] == column_of(partner, table, "x_op")
