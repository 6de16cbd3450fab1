"""The shape of a partner's table as its database tells it, and what has become of it since (结构漂移).

Form       one question to the catalogue; a column is its type as the database writes it, whether it may be
           empty, and whether it is of the primary key
Promises   what only adds (a new column, a wider one) is told apart from what may lose content (missing,
           renamed, narrower, of another type, another key); nothing of the partner's is ever changed
Careful    Oracle, 达梦 and SQL Server are asked for columns alone: there a key that changes is not seen
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection, text

from front_db.dialects import family_of

__all__ = ["ColumnShape", "Difference", "Shape", "compared", "read_shape"]


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """*kind*: as in ``varchar(40)``."""

    kind: str
    nullable: bool = True
    key: bool = False


Shape: TypeAlias = Mapping[str, ColumnShape]


@dataclass(frozen=True, slots=True)
class Difference:
    """
    What became of one column. *before*, *after*: its type; "" where it is not there. *loses*: what is
    exchanged may lose content, so the table is not to be read on blindly.
    """

    column: str
    before: str
    after: str
    loses: bool

    @property
    def said(self) -> str:
        """In no language: ``fee: numeric(16,2) → numeric(10,2)``."""
        return f"{self.column}: {self.before or '∅'} → {self.after or '∅'}"


_POSTGRESQL = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
 EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary
  AND a.attnum = ANY (i.indkey))
 FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relname = :name AND pg_table_is_visible(c.oid) AND a.attnum > 0 AND NOT a.attisdropped
"""
_MYSQL = """
SELECT column_name, column_type, is_nullable = 'YES', column_key = 'PRI'
 FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = :name
"""
_SQLITE = 'SELECT name, type, "notnull" = 0, pk > 0 FROM pragma_table_info(:name)'
_ORACLE = """
SELECT column_name, data_type || '(' || COALESCE(data_precision, char_length) || ',' || data_scale
 || ')', CASE nullable WHEN 'Y' THEN 1 ELSE 0 END, 0 FROM user_tab_columns
 WHERE table_name = UPPER(:name)
"""
_SQL_SERVER = """
SELECT column_name, CONCAT(data_type, '(', COALESCE(character_maximum_length, numeric_precision), ',',
 numeric_scale, ')'), CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END, 0
 FROM information_schema.columns WHERE table_schema = SCHEMA_NAME() AND table_name = :name
"""
_QUESTIONS = {
    "postgresql": _POSTGRESQL,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": _SQLITE,
    "oracle": _ORACLE,
    "dm": _ORACLE,
    "mssql": _SQL_SERVER,
}


def read_shape(connection: Connection, table: str) -> dict[str, ColumnShape]:
    """The columns of *table* by name, in lower case; none where it is not there."""
    question = _QUESTIONS.get(family_of(connection.dialect.name), _POSTGRESQL)
    found = connection.execute(text(question), {"name": table})
    return {
        str(name).lower(): ColumnShape(_plain(str(kind)), bool(nullable), bool(key))
        for name, kind, nullable, key in found
    }


def compared(before: Shape, after: Shape, exchanged: Collection[str]) -> list[Difference]:
    """
    What has changed, what loses first. *exchanged*: the columns that are ours to read or write; what
    becomes of others loses nothing.
    """
    ours = {name.lower() for name in exchanged}
    found = [
        _difference(name, before.get(name), after.get(name), ours) for name in {**before, **after}
    ]
    return sorted((each for each in found if each), key=lambda each: (not each.loses, each.column))


def _difference(
    name: str, was: ColumnShape | None, now: ColumnShape | None, ours: set[str]
) -> Difference | None:
    if was == now:
        return None
    if was is None or now is None:
        lost = now is None and name in ours
        return Difference(name, _shown(was), _shown(now), loses=lost)
    narrower = not _holds(now.kind, was.kind)
    loses = was.key != now.key or (name in ours and narrower)
    return Difference(name, _shown(was), _shown(now), loses=loses)


def _shown(column: ColumnShape | None) -> str:
    if column is None:
        return ""
    return f"{column.kind}{'' if column.nullable else ' not null'}{' key' if column.key else ''}"


# Each holds all that those before it hold.
_LADDERS = (
    ("tinyint", "smallint", "mediumint", "int", "integer", "bigint"),
    ("char", "character", "varchar", "character varying", "text", "mediumtext", "longtext"),
    ("real", "float", "double", "double precision"),
    ("timestamp", "datetime"),
)
_UNSIZED = {"text", "mediumtext", "longtext", "clob"}


def _holds(now: str, was: str) -> bool:
    """
    Whether all that fitted *was* fits *now*.

    >>> _holds("varchar(200)", "varchar(100)"), _holds("numeric(16,2)", "numeric(16,4)")
    (True, False)
    """
    (base, sizes, rest), (old_base, old_sizes, old_rest) = _parts(now), _parts(was)
    if (base, rest) != (old_base, old_rest) and not _higher(base, old_base):
        return False
    if base in _UNSIZED or (not sizes and base == old_base):
        return True
    if not old_sizes:
        return not sizes or base not in {"varchar", "character varying", "char", "numeric"}
    if len(sizes) != len(old_sizes):
        return not sizes
    if len(sizes) == 1:
        # Of a whole number MySQL tells how wide it is shown.
        return sizes[0] >= old_sizes[0] or base in _LADDERS[0]
    return sizes[1] >= old_sizes[1] and sizes[0] - sizes[1] >= old_sizes[0] - old_sizes[1]


def _higher(now: str, was: str) -> bool:
    for ladder in _LADDERS:
        if now in ladder and was in ladder:
            return ladder.index(now) >= ladder.index(was)
    return False


def _parts(kind: str) -> tuple[str, tuple[int, ...], str]:
    base, _, more = kind.partition("(")
    inside, _, rest = more.partition(")")
    sizes = tuple(int(each) for each in re.findall(r"-?\d+", inside))
    return base.strip(), sizes, rest.strip()


def _plain(kind: str) -> str:
    """As one writes it: ``NUMBER(19,0)``, ``varchar(40,)`` and ``date(,)`` are tidied."""
    return re.sub(r"\(\s*,?\s*\)", "", re.sub(r",\s*\)", ")", kind.lower())).replace(", ", ",")
