"""What a binary log's events mean for one table: transactions put together, told only once they are committed.

Form       pure: `Grouping.feed` takes what the log tells, event after event, and gives what became of the table
Promises   a transaction is told at its end, or, where it is larger than *part_rows*, in parts of which each is a
           place to go on from; rows that were rolled back are not told. What cannot be followed (a rollback to a
           savepoint, which the log tells only where a table without transactions took part; a prepared transaction
           (XA) that is committed later; a change of the table's shape) has the table compared
Careful    of a transaction that is told in parts, a rollback is known too late: the comparison mends it
Units      *file*, *pos*: where the log goes on behind an event, *pos* in bytes
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

import orjson

from front_db.logged import Doubtful, LogEvent, Reached, Row, Truncated, Unfollowed
from schemas.errors import Misconfigured

__all__ = ["Grouping", "Spot", "Told", "What", "number_of"]

HIGHEST = 2**32  # of a position that can be asked for
PREPARED_AT_ONCE = 1000


class What(StrEnum):
    """What an event is."""

    BEGIN = "begin"
    ROWS = "rows"
    COMMIT = "commit"
    PREPARE = "prepare"
    STATEMENT = "statement"
    FILE = "file"  # the log goes on in another file
    BORN = "born"  # `Told.text`: what no other file of that name has
    LOST = "lost"  # what is next cannot be had
    OTHER = "other"
    STRANGE = "strange"  # not to be read by us; `Told.text` is its name or number


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event. *text*: of a statement, in the database *schema*."""

    what: What
    file: str
    pos: int
    rows: Sequence[Row] = ()
    text: str = ""
    schema: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """
    Where reading goes on: between two transactions, behind the first *skip* rows of ours of the next one. *born*: of
    that file, "" where it is not known yet; *prepared*: transactions (XA) with rows of ours, neither committed nor
    rolled back.
    """

    file: str
    pos: int
    skip: int = 0
    born: str = ""
    prepared: tuple[str, ...] = ()

    @staticmethod
    def of(at: str) -> Spot:
        told = orjson.loads(at)
        return Spot(**{**told, "prepared": tuple(told["prepared"])})

    @property
    def at(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @property
    def order(self) -> tuple[int, int]:
        return number_of(self.file), self.pos


def number_of(file: str) -> int:
    """Files are counted up: ``mysql-bin.000017``."""
    return int(file.rpartition(".")[2])


@dataclass(slots=True)
class Grouping:
    """One reading of the log behind *spot*, as far as *end*, for the table *name* in the database *schema*."""

    schema: str
    name: str
    spot: Spot
    end: Spot
    part_rows: int
    _rows: list[Row] = field(default_factory=list)
    _count: int = 0  # rows of ours in this transaction, told or not
    _open: bool = False
    _parted: bool = False  # some of it is told already
    _doubt: str = ""
    _branch: str = ""  # name of the transaction (XA) that ended last

    def feed(self, told: Told) -> Iterator[LogEvent]:
        """What *told* means for the table."""
        meanings: dict[What, Callable[[Told], Iterator[LogEvent]]] = {
            What.BEGIN: self._began,
            What.ROWS: self._more,
            What.COMMIT: self._end,
            What.PREPARE: self._prepared,
            What.STATEMENT: self._statement,
            What.FILE: self._next_file,
            What.BORN: self._born,
            What.OTHER: self._other,
            What.LOST: self._lost,
            What.STRANGE: self._strange,
        }
        return meanings[told.what](told)

    def _began(self, told: Told) -> Iterator[LogEvent]:
        del told
        self._begin()
        return iter(())

    def _other(self, told: Told) -> Iterator[LogEvent]:
        return iter(()) if self._open else self._reached(told)

    def _lost(self, told: Told) -> Iterator[LogEvent]:
        yield Doubtful(self.end.at, told.text, lost=True)

    def _strange(self, told: Told) -> Iterator[LogEvent]:
        error = Misconfigured(
            "front-db.binlog-event",
            "The log tells what cannot be read",
            table=self.name,
            found=told.text,
        )
        yield Unfollowed(error)

    def _begin(self) -> None:
        self._rows, self._count, self._parted, self._doubt = [], 0, False, ""
        self._open = True

    def _more(self, told: Told) -> Iterator[LogEvent]:
        for row in told.rows:
            self._count += 1
            if self._count <= self.spot.skip:
                self._parted = True  # it was told before
                continue
            self._rows.append(row)
            if len(self._rows) >= self.part_rows and not self._doubt:
                yield from self._rows
                self._rows, self._parted = [], True
                yield Reached(replace(self.spot, skip=self._count).at)

    def _end(self, told: Told) -> Iterator[LogEvent]:
        """It is committed."""
        rows, doubt = self._rows, self._doubt
        self._begin()
        self._open = False
        if doubt:
            yield self._doubtful(told, doubt)
            return
        yield from rows
        yield from self._reached(told)

    def _drop(self, told: Told, why: str) -> Iterator[LogEvent]:
        """Its rows are not told; where some were, or a table without transactions may have kept them, the table is
        compared."""
        touched, parted = self._count > 0, self._parted
        self._begin()
        self._open = False
        if parted or (touched and why):
            yield self._doubtful(told, why or "prepared")
        else:
            yield from self._reached(told)

    def _next_file(self, told: Told) -> Iterator[LogEvent]:
        # A transaction ends in the file in which it began: one that did not was cut off by a crash.
        torn = self._open and self._parted
        self._begin()
        self._open = False
        self.spot = replace(self.spot, file=told.file, pos=told.pos, skip=0, born="")
        yield Doubtful(self.spot.at, "torn") if torn else Reached(self.spot.at)

    def _born(self, told: Told) -> Iterator[LogEvent]:
        if told.file != self.spot.file:
            return
        if self.spot.born and self.spot.born != told.text:
            # Of the same name, and another: the log was begun anew, or this is another server.
            yield Doubtful(self.end.at, "moved", lost=True)
        self.spot = replace(self.spot, born=told.text)

    def _prepared(self, told: Told) -> Iterator[LogEvent]:
        if self._count and self._branch:
            prepared = (*self.spot.prepared, self._branch)[-PREPARED_AT_ONCE:]
            self.spot = replace(self.spot, prepared=prepared)
        yield from self._drop(told, "")

    def _statement(self, told: Told) -> Iterator[LogEvent]:
        text = _plain(told.text)
        head = text[:20].upper()
        if head.startswith(("BEGIN", "START TRANSACTION", "XA START")):
            self._begin()
        elif head.startswith("COMMIT"):
            yield from self._end(told)
        elif head.startswith("ROLLBACK TO"):
            self._doubt = "savepoint" if self._count else self._doubt
        elif head.startswith("ROLLBACK"):
            yield from self._drop(told, "rollback")
        elif head.startswith(("SAVEPOINT", "RELEASE SAVEPOINT")):
            return
        elif head.startswith("XA END"):
            self._branch = _branch_of(text)
        elif head.startswith(("XA COMMIT", "XA ROLLBACK")):
            yield from self._decided(told, text)
        else:
            yield from self._meant(told, text)

    def _decided(self, told: Told, text: str) -> Iterator[LogEvent]:
        """A prepared transaction is committed or rolled back."""
        branch = _branch_of(text)
        mine = branch in self.spot.prepared
        rest = tuple(each for each in self.spot.prepared if each != branch)
        self.spot = replace(self.spot, prepared=rest)
        if mine and text.upper().startswith("XA COMMIT"):
            yield self._doubtful(told, "prepared")
        else:
            yield from self._reached(told)

    def _meant(self, told: Told, text: str) -> Iterator[LogEvent]:
        """Any other statement: it changes rows by itself, or the table, or is none of ours."""
        if _CHANGES_ROWS.match(text) and self._may_be_ours(told.schema, text):
            error = Misconfigured(
                "front-db.binlog-statement",
                "Rows are changed by statements",
                table=self.name,
                verb=text.split(maxsplit=1)[0].upper(),
            )
            yield Unfollowed(error)
        elif self._names_ours(told.schema, text) and _TRUNCATES.match(text):
            yield Truncated((self.name,))
            yield from self._reached(told)
        elif self._shapes_ours(told.schema, text):
            yield self._doubtful(told, text.split(maxsplit=1)[0].lower())
        elif not self._open:
            yield from self._reached(told)

    def _may_be_ours(self, schema: str, text: str) -> bool:
        """Triggers may carry what is done to a neighbour into the table."""
        return schema.lower() == self.schema.lower() or self._names_ours(schema, text)

    def _names_ours(self, schema: str, text: str) -> bool:
        here = schema.lower() == self.schema.lower() or _names(text, self.schema)
        return here and _names(text, self.name)

    def _shapes_ours(self, schema: str, text: str) -> bool:
        if _DROPS_ALL.match(text):
            return _names(text, self.schema)
        return bool(_SHAPES.match(text)) and self._names_ours(schema, text)

    def _reached(self, told: Told) -> Iterator[LogEvent]:
        if told.pos >= HIGHEST:
            return  # only its next file can be asked for
        self.spot = replace(self.spot, file=told.file, pos=told.pos, skip=0)
        yield Reached(self.spot.at)

    def _doubtful(self, told: Told, why: str) -> Doubtful:
        self.spot = replace(self.spot, file=told.file, pos=min(told.pos, HIGHEST - 1), skip=0)
        return Doubtful(self.spot.at, why)


_COMMENT = re.compile(r"\A(?:\s|/\*(?!M?!).*?\*/|--[^\n]*\n|#[^\n]*\n)+", re.DOTALL)
_CARRIED_OUT = re.compile(r"\A/\*M?!\d*\s*")
_CHANGES_ROWS = re.compile(
    r"\A\(*(?:SET\s+STATEMENT|INSERT|UPDATE|DELETE|REPLACE|LOAD|CALL|DO|SELECT|WITH|EXECUTE)\b",
    re.IGNORECASE,
)
_TRUNCATES = re.compile(r"\ATRUNCATE\b", re.IGNORECASE)
_SHAPES = re.compile(
    r"\A(?:ALTER\s+(?:ONLINE\s+|OFFLINE\s+|IGNORE\s+)*TABLE|RENAME\s+TABLES?|DROP\s+TABLES?"
    r"|CREATE\s+(?:OR\s+REPLACE\s+)?TABLE)\b",
    re.IGNORECASE,
)
_DROPS_ALL = re.compile(r"\ADROP\s+(?:DATABASE|SCHEMA)\b", re.IGNORECASE)


def _plain(text: str) -> str:
    """Without the comments before it; one that the server carries out is none."""
    return _CARRIED_OUT.sub("", _COMMENT.sub("", text))


def _names(text: str, name: str) -> bool:
    return bool(re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text, re.IGNORECASE))


def _branch_of(text: str) -> str:
    """The transaction's name in ``XA END X'78',X'79',3``."""
    return " ".join(text.split()[2:3]).lower()
