"""Versions: the same for what handles messages alike, another for what does not."""

from __future__ import annotations

from dataclasses import replace

from routes.model import CodeTable
from routes.versions import version_of
from tests.routes.a_site import declared


def test_a_version_tells_whether_messages_are_handled_alike() -> None:
    """Another code in a table that a declaration uses is another version; examples are not."""
    site = declared()
    using = [(n, d) for n, d in site.intakes.items() if '"codes":"' in d.model_dump_json()]
    name, intake = using[0]
    before = version_of(intake, site.tables)

    assert before == version_of(intake.model_copy(update={"examples": ()}), site.tables)
    more = {
        key: table.model_copy(update={"to_ours": {**table.to_ours, "zz": "1"}})
        for key, table in site.tables.items()
    }
    assert before != version_of(intake, more), name
    assert before != version_of(intake.model_copy(update={"otherwise": "ignore"}), site.tables)
    unused = {**site.tables, "no.such": CodeTable(table="no.such", to_ours={"1": "2"})}
    assert before == version_of(intake, replace(site, tables=unused).tables)
