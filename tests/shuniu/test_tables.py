"""Exchange tables of resources and systems, and their masked views, made by the databases' own drivers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
import psycopg
import pymysql
import pytest
from pymysql.constants import CLIENT
from sqlalchemy import MetaData, make_url, select
from sqlalchemy import Table as SqlTable

from catalog.derive.mask import Showing, showing_of
from catalog.derive.sample import sample_body
from catalog.model import Catalogue, DataElement, Item, Resource
from front_db.contract import ControlValue, ExchangeTable
from front_db.database import Limits, make_engine
from front_db.ddl import sql_table
from front_db.rows import control_of, row_of
from schemas.errors import Misconfigured
from shuniu.masked_views import masked_views
from shuniu.site import read_site
from shuniu.tables import agreed_tables, items_of_columns, resource_tables, tables_text
from tests.catalog.a_catalogue import dice, reference_site
from tests.shuniu.a_gateway import SITE

CATALOGUE = reference_site()
AT = datetime(2026, 3, 2, 9, 30, 15)  # noqa: DTZ001 - rows hold Beijing time without zone


def run_sqlite(url: str, text: str) -> None:
    with sqlite3.connect(str(make_url(url).database)) as line:
        line.executescript(text)
    line.close()


def run_postgresql(url: str, text: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as line:
        line.execute(text.encode())


def run_mariadb(url: str, text: str) -> None:
    at = make_url(url)
    line = pymysql.connect(
        host=at.host,
        port=at.port or 3306,
        user=at.username,
        password=at.password or "",
        database=at.database,
        unix_socket=at.query.get("unix_socket"),
        client_flag=CLIENT.MULTI_STATEMENTS,
    )
    with line, line.cursor() as cursor:
        cursor.execute(text)
        while cursor.nextset():
            pass


RUNS: Mapping[str, Callable[[str, str], None]] = {
    "sqlite": run_sqlite,
    "postgresql": run_postgresql,
    "mariadb": run_mariadb,
}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A dialect, and the address of a fresh database that speaks it."""
    name = "postgres_url" if request.param == "postgresql" else f"{request.param}_url"
    return str(request.param), str(request.getfixturevalue(name))


def row_for(resource: Resource, table: ExchangeTable, number: int) -> dict[str, Any]:
    """A made-up body of *resource* as a row of *table*."""
    body = sample_body(resource, CATALOGUE, dice(number))
    value = ControlValue(row_id="r1", batch="b", operation="created", version=1, key="k")
    return {**row_of(content(resource, body), table), **control_of(value, table.control, AT)}


def content(resource: Resource, body: Mapping[str, Any]) -> dict[str, Any]:
    """Lists and groups are JSON in one column."""
    made = {}
    for column, item in items_of_columns(resource).items():
        given = body.get(item.wire_name)
        if given is not None:
            whole = item.is_list or item.group
            made[column] = orjson.dumps(given).decode() if whole else given
    return made


def test_a_masked_view_shows_nobody(database: tuple[str, str]) -> None:
    """For each resource that we ship: tables and views are made by the database's own driver; of a
    made-up row the view shows what is open as it is, a name's first character, a number's ends, and
    nothing else of a person."""
    dialect, url = database
    resources = list(CATALOGUE.resources.values())
    tables = [each for r in resources for each in resource_tables(r, CATALOGUE)]
    RUNS[dialect](url, tables_text(tables, dialect))
    RUNS[dialect](url, "\n".join(masked_views(r, CATALOGUE, dialect) for r in resources))
    engine, personal = make_engine(url, Limits()), 0
    try:
        with engine.begin() as line:
            for resource in resources:
                _, table = resource_tables(resource, CATALOGUE)
                row = row_for(resource, table, 4)
                line.execute(sql_table(table, MetaData()).insert().values(row))
                view = SqlTable(f"{table.name}_masked", MetaData(), autoload_with=line)
                (seen,) = line.execute(select(view)).mappings()
                assert "r1" == seen[table.control.row_id]
                for name, item in items_of_columns(resource).items():
                    if item.is_list or item.group:
                        personal += hides_parts(item, row[name], seen[name])
                    else:
                        personal += hides(CATALOGUE.elements[item.wire_name], row[name], seen[name])
    finally:
        engine.dispose()
    assert personal > 10


def hides(element: DataElement, kept: Any, shown: Any) -> int:
    """Whether there was something to hide; it is hidden."""
    match showing_of(element):
        case Showing.ALL | Showing.TEXT:
            assert kept is None or str(kept)[:10] == str(shown)[:10]
            return 0
        case Showing.NAME if kept is not None:
            assert f"{str(kept)[0]}＊＊＊" == shown
        case Showing.NUMBER if kept is not None:
            assert f"{str(kept)[:3]}＊＊＊{str(kept)[-2:]}" == shown
        case _:
            assert shown == (None if kept is None else "＊＊＊")
    return int(kept is not None)


def hides_parts(item: Item, kept: Any, shown: Any) -> int:
    names = [below.wire_name for below in item.items] or [item.wire_name]
    showings = {showing_of(CATALOGUE.elements[name]) for name in names}
    if showings <= {Showing.ALL, Showing.TEXT}:
        assert kept == shown
        return 0
    assert shown == (None if kept is None else "＊＊＊")
    return int(kept is not None)


def known(name: str) -> Resource:
    return CATALOGUE.resources[name]


def test_tables_that_were_agreed_are_those_of_the_profile() -> None:
    """Of a system that exchanges by tables; another has none; a wrong one is told."""
    systems = read_site(SITE).systems
    library = systems["province-library"]
    wrong = library.model_copy(update={"settings": {"tables": [{"name": "x"}]}})

    assert "up_pro_accept" in [each.name for each in agreed_tables(library)]
    assert () == agreed_tables(systems["one-window"])
    with pytest.raises(Misconfigured) as caught:
        agreed_tables(wrong)
    assert "connector.settings" == caught.value.code


def test_an_item_bound_to_nothing_has_no_column() -> None:
    """As with every other derivation."""
    with pytest.raises(Misconfigured) as caught:
        resource_tables(known("caseStep"), Catalogue())

    assert "catalog.unknown-element" == caught.value.code
