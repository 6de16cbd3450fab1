"""A grant by way of a database, on the databases themselves: granted items, and nothing after the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, MetaData, create_engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

from catalog.lifecycle.items import compile_only, reduced
from catalog.lifecycle.kept import Grant
from catalog.model import Item
from front_db.ddl import sql_table
from front_db.derived import column_name, in_table, out_table
from front_db.rows import row_of
from hub.registry.grant_route import GrantRoute, route_text
from routes.examples import run
from routes.route import compile_route
from routes.site import read_declarations
from schemas.errors import Misconfigured
from shuniu.granted_parts import granted_part
from shuniu.granted_views import account_name, bring_in_line, ending, granting, view_name
from tests.catalog.a_catalogue import small

# The accounts of one server are everybody's: two of these at once would take each other's away.
pytestmark = pytest.mark.xdist_group("granted_accounts")
CATALOGUE = small()
RESOURCE = CATALOGUE.resources["caseAcceptance"]
SECRET = "hM3-of-a-test_q7Zk0cXvB2nR5sT8uW1yA4dE6f"
AT = datetime(2026, 3, 2, 9, tzinfo=UTC).replace(tzinfo=None)  # as the table has it: no zone
NOW = datetime.now(UTC).replace(microsecond=0)
GRANT = Grant(
    number="G2026-000001",
    application="A2026-000001",
    resource="caseAcceptance",
    system="fire",
    unit="市消防支队",
    route="",
    # Of the list Material the names alone.
    items=("caseNo", "acceptanceResult", "Place", "Material/materialName"),
    purpose="核对",
    per_day=None,
    state="active",
    since=NOW,
    ends=NOW + timedelta(days=30),
    way="database",
)
GRANTED = {"x_op", "x_ver", "x_time", "case_no", "acceptance_result", "place", "material"}
MATERIALS = {
    "A1": '[{"stepNo": 2, "materialName": "申请书"}, {"stepNo": 1}, {"materialName": "平面图\\n第二页"}]',
    "A4": None,
}


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """The provider's, with rows in three states of the standard table."""
    url = request.getfixturevalue(
        "postgres_url" if request.param == "postgresql" else "mariadb_url"
    )
    engine = create_engine(url)
    metadata = MetaData()
    table = sql_table(out_table(RESOURCE, CATALOGUE), metadata)
    with engine.begin() as connection:
        metadata.create_all(connection)
        for key, state in (("A1", "1"), ("A2", "0"), ("A3", "3"), ("A4", "2")):
            row = {"x_op": "I", "x_key": key, "x_ver": 1, "x_time": AT}
            connection.execute(
                table.insert(),
                row
                | {"x_state": state, "case_no": key, "applicant_name": "张三"}
                | {"material": MATERIALS.get(key), "place": '{"address": "示范路1号"}'},
            )
    yield engine
    with engine.begin() as connection:
        for number in (GRANT.number, "G2026-000002"):
            run_all(connection, ending(number, dialect_of(engine)))
    engine.dispose()


def dialect_of(engine: Engine) -> str:
    """The address of MariaDB and that of MySQL are alike; known once somebody was connected."""
    return "mariadb" if getattr(engine.dialect, "is_mariadb", False) else engine.dialect.name


def run_all(connection: Connection, statements: list[str]) -> None:
    for each in statements:
        connection.execution_options(no_parameters=True).exec_driver_sql(each)


@contextmanager
def as_grantee(engine: Engine, number: str = GRANT.number) -> Iterator[Connection]:
    url = make_url(engine.url).set(username=account_name(number), password=SECRET)
    mine = create_engine(url)
    try:
        with mine.connect() as connection:
            yield connection
    finally:
        mine.dispose()


def seen(connection: Connection, number: str = GRANT.number) -> list[dict[str, Any]]:
    found = connection.execute(text(f"SELECT * FROM {view_name(number)}"))  # noqa: S608 - a name of ours
    return [dict(row) for row in found.mappings()]


def test_the_grantee_sees_what_is_granted_until_it_ends(database: Engine) -> None:
    """With its secret: the granted items of rows that the hub has taken, of no other table; run again
    nothing changes; in line with a grant that is over, neither view nor account is left."""
    with database.begin() as connection:
        first = bring_in_line(connection, [(GRANT, SECRET)], CATALOGUE, at=NOW)
        again = bring_in_line(connection, [(GRANT, SECRET)], CATALOGUE, at=NOW)
    assert (([GRANT.number], []),) * 2 == (first, again)
    with as_grantee(database) as connection:
        rows = seen(connection)
        assert {"A1", "A4"} == {row["case_no"] for row in rows}
        assert GRANTED == set(rows[0])
        told = {row["case_no"]: row["material"] for row in rows}
        wanted = [{"materialName": "申请书"}, {}, {"materialName": "平面图\n第二页"}]
        assert wanted == json.loads(told["A1"])
        assert told["A4"] is None
        assert {"address": "示范路1号"} == json.loads(rows[0]["place"])
    for forbidden in (
        "SELECT * FROM o_case_acceptance",
        f"DELETE FROM {view_name(GRANT.number)}",  # noqa: S608 - as above
    ):
        with as_grantee(database) as connection, pytest.raises(DBAPIError, match="denied"):
            connection.execute(text(forbidden))

    with as_grantee(database) as connection:
        with database.begin() as owner:
            over = bring_in_line(owner, [(GRANT, SECRET)], CATALOGUE, at=GRANT.ends)
        assert ([], [GRANT.number]) == over
        # The session that was open sees nothing more either.
        with pytest.raises(DBAPIError):
            seen(connection)
    assert [] == inspect(database).get_view_names()
    with pytest.raises(DBAPIError), as_grantee(database):
        pass


NESTED = Item(
    group="Visit",
    max_occurs="N",
    items=(
        Item(element="visitDate"),
        Item(group="Person", items=(Item(element="personName"), Item(element="phoneNo"))),
        Item(group="Room", max_occurs="N", items=(Item(element="roomNo"), Item(element="price"))),
    ),
)
VISITS: Any = [
    {
        "visitDate": "2026-03-02",
        "Person": {"personName": "张三", "phoneNo": "13900000000"},
        "Room": [{"roomNo": "101", "price": "9.90"}, {"price": "8.80"}],
    },
    {"visitDate": "2026-03-03", "Person": None},
]


@pytest.mark.parametrize(
    "granted",
    [
        ("Visit/visitDate",),
        ("Visit/Person/personName", "Visit/Room/roomNo"),
        ("Visit/visitDate", "Visit/Room"),
        ("Visit/Room/price",),
    ],
)
def test_parts_within_parts_are_those_that_are_sent(
    database: Engine, granted: tuple[str, ...]
) -> None:
    """Lists in lists, and groups in them: the view shows what the grant's route would let pass; what is
    absent, or null, which counts as absent, is left out of both."""
    part = granted_part(NESTED, granted, "t.visit", dialect_of(database))
    with database.connect() as connection:
        query = text(f"SELECT {part} FROM (SELECT :told AS visit) AS t".replace("::", "\\:\\:"))  # noqa: S608 - our own
        shown = connection.execute(query, {"told": json.dumps(VISITS)}).scalar_one()

    passed = compile_only(granted)({"Visit": without_null(VISITS)})["Visit"]
    assert passed == without_null(json.loads(shown))


def without_null(told: Any) -> Any:
    """What is null, or a group of nothing, is absent."""
    if isinstance(told, list):
        return [without_null(each) for each in told]
    if isinstance(told, dict):
        kept = {name: without_null(value) for name, value in told.items()}
        return {name: value for name, value in kept.items() if value not in (None, {})}
    return told


def test_the_view_ends_by_itself(database: Engine) -> None:
    """By the database's own clock: nobody has to run anything for it."""
    number = "G2026-000002"
    ended = replace(GRANT, number=number, ends=NOW - timedelta(seconds=1))
    with database.begin() as connection:
        dialect = dialect_of(database)
        run_all(connection, granting(ended, RESOURCE, CATALOGUE, secret=SECRET, dialect=dialect))
        assert [] == seen(connection, number)


def test_a_database_without_accounts_is_told() -> None:
    """Rather than a script that gives everybody everything."""
    with pytest.raises(Misconfigured, match="share\\.dialect"):
        granting(GRANT, RESOURCE, CATALOGUE, secret=SECRET, dialect="sqlite")


def test_a_script_holds_no_secret() -> None:
    """What a secret is checked by, and not the secret."""
    for dialect in ("postgresql", "mariadb", "mysql"):
        said = granting(GRANT, RESOURCE, CATALOGUE, secret=SECRET, dialect=dialect)
        assert SECRET not in "\n".join(said)


def test_a_front_end_database_gets_columns() -> None:
    """The grant's route calls items as the standard table does, groups and lists too: what it passes is
    a row of the table that holds the granted items (R-A6)."""
    made = GrantRoute(
        number=GRANT.number, system="fire", call="i_case_acceptance", items=GRANT.items,
        ends=GRANT.ends,
    )  # fmt: skip
    said = route_text(made, RESOURCE, CATALOGUE, column_name)
    system = "system: fire\nname: {zh: 消防, en: fire}\nowner: 消防\nconnector: memory\n"
    files = {"routes/grant-2026-000001.yaml": said, "systems/fire.yaml": system}
    declarations = read_declarations(files, CATALOGUE)
    (outcome,) = run(declarations)
    declared = declarations.routes["grant-2026-000001"]
    assert compile_route(declared, declarations)
    expected = declared.examples[0].expect
    assert isinstance(expected, dict)
    payload = expected["fire"]
    table = in_table(reduced(RESOURCE, GRANT.items), CATALOGUE)

    assert outcome.passed
    row = row_of(payload, table)
    assert {"case_no", "acceptance_result", "place", "material"} == set(row)
    assert row["case_no"]
