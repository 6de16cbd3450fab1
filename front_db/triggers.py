"""Capture by triggers: a partner's own table writes its changes into a standard table by itself.

Form       one script: triggers for insert, update and delete, and the first load of what is there.
           The change table is the resource's ``o_`` table, captured by state as any other
Speaks to  PostgreSQL, KingbaseES and openGauss; MariaDB, MySQL; SQLite
Promises   a change and its row are committed together or not at all; rows of a key are in the order
           of its changes; a key that changes is a delete and an insert; nothing is written where no
           watched column changed. The first load locks the table against writers while it reads
Careful    the version is a sequence's, drawn while the row is locked: a clock may go back. MySQL has
           none and counts with UUID_SHORT() from the second in which it started, so its clock may not go back
           over a restart. TRUNCATE fires no row trigger: PostgreSQL's is watched
           too, in MariaDB and MySQL it escapes, so there the right to it is taken away
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from front_db.contract import ExchangeTable
from front_db.dialects import family_of
from schemas.errors import Misconfigured

__all__ = ["Watched", "drop_triggers", "trigger_script"]

Texts = list[str]


@dataclass(frozen=True, slots=True)
class Watched:
    """
    A partner's table. *columns*: our column to theirs; *key*: theirs that is the business key.

    Names are checked by whoever makes it (`front_db.contract.Name`).
    """

    table: str
    key: str
    columns: Mapping[str, str]


def trigger_script(watched: Watched, out: ExchangeTable, dialect: str) -> str:
    """Statements that make the triggers and load what is there. Raises `Misconfigured` for a
    dialect without triggers here, and for a column that the exchange table has not."""
    if unknown := [name for name in watched.columns if out.column(name) is None]:
        raise Misconfigured(
            "row.unknown-column", "No such column", column=unknown[0], table=out.name
        )
    return "".join(f"{each};\n" for each in _dialect(dialect)(watched, out))


def drop_triggers(out: ExchangeTable, dialect: str) -> str:
    """Statements that take the triggers away; rows that they left stay."""
    _dialect(dialect)
    letters = ("i", "u", "d") if dialect == "sqlite" else ("i", "k", "u", "d")
    names = [f"tr_{out.name}_{each}" for each in letters]
    if family_of(dialect) == "postgresql":
        drops = [f"DROP FUNCTION tr_{out.name}() CASCADE", f"DROP SEQUENCE sq_{out.name}"]
    else:
        drops = [f"DROP TRIGGER {name}" for name in names]
        drops += [f"DROP SEQUENCE sq_{out.name}"] if dialect == "mariadb" else []
    return "".join(f"{each};\n" for each in drops)


@dataclass(frozen=True, slots=True)
class _Words:
    """How a dialect says version, Beijing time and key as text."""

    version: str
    time: str
    text: str


def _insert(
    watched: Watched, out: ExchangeTable, words: _Words, operation: str, row: str, source: str
) -> str:
    """One row for the change table. *row*: ``NEW``, ``OLD`` or an alias; *source*: what follows."""
    names, values = ["x_op", "x_key", "x_ver", "x_time"], [f"'{operation}'"]
    values += [words.text.format(f"{row}.{watched.key}"), words.version, words.time]
    if operation != "D":
        names += watched.columns
        values += [f"{row}.{theirs}" for theirs in watched.columns.values()]
    said = f"INSERT INTO {out.name} ({', '.join(names)}) SELECT {', '.join(values)}"
    return f"{said} {source}".rstrip()


def _changed(watched: Watched, differ: str) -> str:
    columns = dict.fromkeys((watched.key, *watched.columns.values()))
    return " OR ".join(differ.format(f"OLD.{each}", f"NEW.{each}") for each in columns)


def _postgresql(watched: Watched, out: ExchangeTable) -> Texts:
    name, table = f"tr_{out.name}", watched.table
    words = _Words(
        f"nextval('sq_{out.name}')",
        "(now() AT TIME ZONE 'Asia/Shanghai')::timestamp(0)",
        "{}::text",
    )

    def row(operation: str, of: str) -> str:
        return _insert(watched, out, words, operation, of, "") + "; "

    moved = f"OLD.{watched.key} IS DISTINCT FROM NEW.{watched.key}"
    changed = _changed(watched, "{} IS DISTINCT FROM {}")
    all_rows = _insert(watched, out, words, "D", "t", f"FROM {table} t")
    first_load = _insert(watched, out, words, "I", "t", f"FROM {table} t")
    body = (
        f"BEGIN IF TG_OP = 'INSERT' THEN {row('I', 'NEW')}"
        f"ELSIF TG_OP = 'DELETE' THEN {row('D', 'OLD')}"
        f"ELSIF TG_OP = 'TRUNCATE' THEN {all_rows}; "
        f"ELSIF {moved} THEN {row('D', 'OLD')}{row('I', 'NEW')}"
        f"ELSIF {changed} THEN {row('U', 'NEW')}"
        "END IF; RETURN NULL; END"
    )
    return [
        f"CREATE SEQUENCE sq_{out.name}",
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$ {body} $body$",
        (
            f"CREATE TRIGGER {name}_c AFTER INSERT OR UPDATE OR DELETE ON {table}"
            f" FOR EACH ROW EXECUTE PROCEDURE {name}()"
        ),
        (
            f"CREATE TRIGGER {name}_t BEFORE TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE PROCEDURE {name}()"
        ),
        # One statement, so that the lock lasts as long as the reading.
        f"DO $body$ BEGIN LOCK TABLE {table} IN SHARE MODE; {first_load}; END $body$",
    ]


def _mysql_like(watched: Watched, out: ExchangeTable, version: str) -> Texts:
    words = _Words(
        version,
        "CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', '+08:00')",
        "CAST({} AS CHAR CHARACTER SET utf8mb4)",
    )
    # By their bytes: most collations hold "a", "A", "á" and "a " for equal.
    differ = "NOT (CAST({} AS BINARY) <=> CAST({} AS BINARY))"
    moved = differ.format(f"OLD.{watched.key}", f"NEW.{watched.key}")
    return _row_triggers(
        watched,
        out,
        words,
        moved=f"FROM DUAL WHERE {moved}",
        changed=f"FROM DUAL WHERE {_changed(watched, differ)}",
        load=f"FROM {watched.table} t LOCK IN SHARE MODE",
    )


def _mariadb(watched: Watched, out: ExchangeTable) -> Texts:
    # Without a cache: what is cached is given out in no order.
    sequence = f"CREATE SEQUENCE sq_{out.name} NOCACHE"
    return [sequence, *_mysql_like(watched, out, f"NEXTVAL(sq_{out.name})")]


def _mysql(watched: Watched, out: ExchangeTable) -> Texts:
    # Without the server's number, which fills the highest 8 bits: from 128 on it is too large for the column,
    # and another server that takes over would be lower or higher for ever.
    return _mysql_like(watched, out, f"MOD(UUID_SHORT(), {2**56})")


def _sqlite(watched: Watched, out: ExchangeTable) -> Texts:
    # Counted with the ids, which are never given twice; there is one writer at a time.
    seen = f"(SELECT seq FROM sqlite_sequence WHERE name = '{out.name}')"  # noqa: S608 - our own name
    words = _Words(f"COALESCE({seen}, 0) + 1", "datetime('now', '+8 hours')", "CAST({} AS TEXT)")
    key = watched.key
    insert, delete_moved, update, delete, load = _row_triggers(
        watched,
        out,
        words,
        moved=f"WHERE OLD.{key} IS NOT NEW.{key}",
        changed=f"WHERE {_changed(watched, '{} IS NOT {}')}",
        load=f"FROM {watched.table} t",
    )
    # In which order several triggers fire is nowhere said, so the two for an update are one here.
    deleted = delete_moved.partition(" FOR EACH ROW ")[2]
    update = update.replace(" FOR EACH ROW ", f" FOR EACH ROW {deleted}; ")
    made = [
        each.replace(" FOR EACH ROW ", " FOR EACH ROW BEGIN ") + "; END"
        for each in (insert, update, delete)
    ]
    return [*made, load]


def _row_triggers(
    watched: Watched, out: ExchangeTable, words: _Words, *, moved: str, changed: str, load: str
) -> Texts:
    """Triggers of one statement each: an administrator's tool may end one at every semicolon."""

    def trigger(letter: str, event: str, operation: str, row: str, source: str = "") -> str:
        said = _insert(watched, out, words, operation, row, source)
        head = f"CREATE TRIGGER tr_{out.name}_{letter} AFTER {event} ON {watched.table}"
        return f"{head} FOR EACH ROW {said}"

    return [
        trigger("i", "INSERT", "I", "NEW"),
        # The old key goes first, so that both may be the same but for their case.
        trigger("k", "UPDATE", "D", "OLD", moved),
        trigger("u", "UPDATE", "U", "NEW", changed),
        trigger("d", "DELETE", "D", "OLD"),
        _insert(watched, out, words, "I", "t", load),
    ]


_DIALECTS: Mapping[str, Callable[[Watched, ExchangeTable], Texts]] = {
    "postgresql": _postgresql,
    "kingbase": _postgresql,
    "opengauss": _postgresql,
    "mariadb": _mariadb,
    "mysql": _mysql,
    "sqlite": _sqlite,
}


def _dialect(name: str) -> Callable[[Watched, ExchangeTable], Texts]:
    if name not in _DIALECTS:
        raise Misconfigured("front-db.dialect", "No triggers for this database", dialect=name[:32])
    return _DIALECTS[name]
