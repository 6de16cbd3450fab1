"""Exchange tables made from a resource: the script runs as it is, and says what each column is."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

from front_db.contract import Kind
from front_db.ddl import drop_script, script
from front_db.derived import RESERVED, column_name, in_table, out_table
from shuniu.site import read_site
from tests.front_db.standard import CATALOGUE, RESOURCE, made, run

SITE = Path(__file__).parents[2] / "sites" / "reference"


def test_the_script_alone_makes_all_tables(partner: Engine) -> None:
    """R-A6: what an administrator runs, and nothing else; the drop script takes the two away."""
    standard = made(partner)

    assert {
        "i_test_case",
        "o_test_case",
        "xch_batch",
        "xch_beat",
        "xch_check",
        "xch_receipt",
        "xch_statement",
        "xch_switch",
    } == set(inspect(partner).get_table_names())
    run(partner, drop_script([standard.out, standard.into], partner.dialect.name))
    assert {"o_test_case", "i_test_case"}.isdisjoint(inspect(partner).get_table_names())


def test_columns_carry_their_meaning_in_chinese(partner: Engine) -> None:
    """In the database itself where it keeps comments, beside the statement where it does not."""
    standard = made(partner)
    said = {each["name"]: each for each in inspect(partner).get_columns("o_test_case")}
    if partner.dialect.name == "sqlite":
        assert "--   fee: 费用；示例：12.50\n" in script([standard.out], "sqlite")
        return

    assert "费用；示例：12.50" == said["fee"]["comment"]
    assert "办件编号；必填；示例：BJ-2026-001" == said["case_no"]["comment"]
    assert "业务主键" == said["x_key"]["comment"]


def test_items_become_columns_of_their_kind() -> None:
    """A decimal keeps digits and places, a code list its codes; a reserved word gets an underscore."""
    columns = {each.name: each for each in out_table(RESOURCE, CATALOGUE).columns}

    assert (Kind.DECIMAL, 16, 2) == (
        columns["fee"].kind,
        columns["fee"].digits,
        columns["fee"].places,
    )
    assert ("A", "B") == columns["level_"].codes
    assert (Kind.DATE, Kind.MOMENT) == (columns["accept_date"].kind, columns["update_time"].kind)
    assert 40 == columns["case_no"].length


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mariadb", "mysql"])
def test_every_resource_of_the_reference_site_has_a_script(dialect: str) -> None:
    """Names fit 30 characters and are nobody's reserved words; no name comes twice."""
    catalogue = read_site(SITE).catalogue
    for resource in catalogue.resources.values():
        out, into = out_table(resource, catalogue), in_table(resource, catalogue)
        names = [out.name, into.name, *out.control.names, *(c.name for c in out.columns)]

        assert script([out, into], dialect).count("CREATE TABLE") == 8
        assert max(map(len, names)) <= 30
        assert RESERVED.isdisjoint(names)


def test_a_long_name_is_cut_and_stays_different() -> None:
    """Two that begin alike do not become one."""
    first = column_name("veryLongNameOfAnItemThatNobodyWouldWriteOne")
    second = column_name("veryLongNameOfAnItemThatNobodyWouldWriteTwo")

    assert first != second
    assert len(first) <= 30
