"""What is said to a database that does not run here, read by a parser of its language."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlglot
from sqlalchemy import Engine, event
from sqlalchemy.sql import ClauseElement
from sqlglot import exp

__all__ = ["LANGUAGES", "heard", "in_postgresql", "parsed", "statements_of"]

LANGUAGES = {
    "kingbase": "postgres",
    "opengauss": "postgres",
    "dm": "oracle",
    "oracle": "oracle",
    "mssql": "tsql",
}
# 达梦's own, which a parser of Oracle's language has not heard of.
UNHEARD_OF = {"dm": (" STORAGE(USING LONG ROW)",)}


def parsed(statement: str, dialect: str) -> exp.Expr:
    """Raises `sqlglot.ParseError` where the language has no such statement."""
    for words in UNHEARD_OF.get(dialect, ()):
        statement = statement.replace(words, "")
    found = sqlglot.parse_one(statement, read=LANGUAGES[dialect])
    # What it only keeps as it is, it has not understood.
    assert not isinstance(found, exp.Command), statement
    return found


def statements_of(script: str) -> list[str]:
    return [each.strip() for each in script.split(";\n") if each.strip()]


def in_postgresql(script: str) -> str:
    """The part of a script for KingbaseES or openGauss that PostgreSQL knows: all but a text's unit."""
    return script.replace(" CHAR)", ")").replace("NVARCHAR2(", "VARCHAR(")


@contextmanager
def heard(engine: Engine) -> Iterator[list[ClauseElement]]:
    """What is said to *engine* meanwhile, before it is put into its language."""
    said: list[ClauseElement] = []

    def hear(_: Any, statement: Any, *__: Any) -> None:
        # Savepoints are the driver's affair: Oracle and SQL Server release none.
        if isinstance(statement, ClauseElement) and "savepoint" not in statement.__visit_name__:
            said.append(statement)

    event.listen(engine, "before_execute", hear)
    try:
        yield said
    finally:
        event.remove(engine, "before_execute", hear)
