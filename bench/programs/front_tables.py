"""Rows from table to table, once: by a bare COPY pipe, or by the hub's batch path.

Form       spec ``{"way", "source", "target", "rows"}``; says ``{"took_s", "rows", "peak_mb"}``. Ways:
           ``copy``; ``untouched``, ``seen`` by position; ``marked``: seen, by state, marked in the source
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from bench.programs.gate import begin, read_spec, say
from bench.tables import AT, Tables, tables
from front_db.bulk import Load, PageDone, Place, Take
from front_db.bulk_pages import filled, target_content
from front_db.bulk_postgres import PostgresSource
from front_db.bulk_run import Loader
from front_db.database import Limits, make_engine
from hub.crypto import sm3
from shuniu.interpreter import tune_interpreter
from shuniu.logs import set_up_logs

__all__ = ["main"]

LIMITS = Limits(call_s=600, connections=2)
NOW = datetime.fromisoformat(AT)


class _Forgetful:
    """The journal's place in memory: what the hub's records cost, the bench of the ledger tells."""

    def __init__(self) -> None:
        self.at = Place()

    def place(self, _: Load, /) -> Place:
        return self.at

    def keep(self, _: Load, place: Place, __: PageDone, /) -> None:
        self.at = place


def main() -> None:
    spec, both = read_spec(), tables()
    tune_interpreter()
    begin()
    began = time.perf_counter()
    rows = _copied(spec, both) if spec["way"] == "copy" else _loaded(spec, both)
    took_s = time.perf_counter() - began
    say(json.dumps({"took_s": took_s, "rows": rows}))
    sys.stdin.read()


def _loaded(spec: dict[str, Any], both: Tables) -> int:
    untouched = spec["way"] == "untouched"
    take = Take.STATE if spec["way"] == "marked" else Take.POSITION
    load = Load("bench", both.out, both.into, take, untouched=untouched)
    source, target = (
        make_engine(spec[side].replace("://", "+psycopg://", 1), LIMITS)
        for side in ("source", "target")
    )
    loader = Loader(
        load, PostgresSource(source, load), target, both.in_sql, _Forgetful(), sm3, lambda: NOW
    )
    return loader.run().rows


def _copied(spec: dict[str, Any], both: Tables) -> int:
    """The limit: one binary COPY into another, the same columns into the same table."""
    load = Load("bench", both.out, both.into, Take.POSITION, untouched=True)
    asked = PostgresSource(None, load).everything(NOW)  # type: ignore[arg-type] # it only asks
    names = [*filled(load, NOW), *target_content(load)]
    into = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(both.into.name), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with (
        psycopg.connect(spec["source"]) as source,
        psycopg.connect(spec["target"]) as target,
        source.cursor() as reader,
        target.cursor() as writer,
    ):
        out = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(asked)
        with reader.copy(out) as given, writer.copy(into) as taken:
            for block in given:
                taken.write(block)
        return writer.rowcount


if __name__ == "__main__":
    set_up_logs("WARNING")
    main()
