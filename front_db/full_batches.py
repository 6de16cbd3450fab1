"""Capture by full batches (整表批次): a writer hands in its whole table each time; what is not in it is deleted.

Form       a sealed batch of a standard table, with count and digest, in state "checked" while it is compared
           with what was told before (`front_db.key_set`); its rows' operation counts only where it is "D",
           which is as if the row were not there, and their versions are not compared: changes have ours
Promises   a batch that is short, wrong, older, or changed while it is read deletes nothing, and its header
           says why; a bad row is answered and keeps what was told of its key. Killed at any point it goes on
           where it was. Rows are marked, and the batch is closed, when all that it led to is safe
Careful    between two checks of the digest a row might be changed: before anything is deleted, and before
           the batch is closed, the digest is looked at again
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from dataclasses import replace as replaced
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, cast

import orjson
from sqlalchemy import Connection, Table, func, select, update

from front_db.batches import (
    PATIENCE,
    BatchOutcome,
    Header,
    batch_digest,
    check_batch,
    counts_of,
    move_batch,
)
from front_db.beside import HUB, beat, beside, paused
from front_db.books import Capture
from front_db.capture import Outgoing
from front_db.changes import Change
from front_db.contract import Control
from front_db.full_rows import answer_outside, mark_page, refuse_page, refused_keys, whole_batch
from front_db.handing import Hander
from front_db.key_set import Comparison, Place
from front_db.modes import FullBatchMode
from front_db.origin import Origin
from front_db.receipts import Receipt, write_receipts
from front_db.states import BATCH_CODES, BatchState, RowState
from schemas.errors import Misconfigured, Rejected
from schemas.message import Operation
from schemas.texts import say

__all__ = ["FullBatchReader"]

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")


@dataclass(slots=True)
class _State:
    """
    *batch*: under way, or the last one; *phase*: ``compare`` or ``close`` while it is under way; *fused*:
    it was refused because it would take too much away; *done*, *done_at*: the last one that was closed,
    and when it was sealed.
    """

    batch: str = ""
    phase: str = ""
    fused: str = ""
    done: str = ""
    done_at: str = ""
    place: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class FullBatchReader:
    """One table in the mode ``full-batch``: see `front_db.changes.ChangeReader`."""

    origin: Origin
    mode: FullBatchMode
    _outgoing: Outgoing = field(init=False)
    _hander: Hander = field(init=False)
    _state: _State = field(default_factory=_State)
    _comparison: Comparison | None = None
    _figures: dict[str, int | float | str | None] = field(default_factory=dict)
    _capture: int = 0

    def __post_init__(self) -> None:
        table = cast("Table", self.origin.table)
        self._outgoing = Outgoing(self.origin.described, table, beside(table.metadata))
        self._hander = Hander(self._rows_of(""), self._position, lambda: self._figures)

    async def changes(self) -> AsyncIterator[Change]:
        """What the batches that are sealed, one after another, have changed."""
        capture = await self._open()
        header = await self._write(partial(self._next, capture))
        while header is not None:
            if self._state.phase == "compare":
                async for change in self._compared(capture, header):
                    yield change
            if self._hander.kept != self._position():
                return  # closed once all of it is safe
            if self._state.phase == "close":
                await self._close(header)
            capture = await self._open()
            header = await self._write(partial(self._next, capture))
        if error := capture.still():
            raise error

    async def safe(self, changes: Sequence[Change], /) -> None:
        if gone := [each.key for each in changes if each.operation is Operation.DELETED]:
            await self._write(partial(self._told_absent, gone))
        await self._hander.safe(self._capture, changes)

    async def close(self) -> None:
        """Nothing is held open between two calls."""

    async def _open(self) -> Capture:
        capture = await self.origin.book.open()
        self._capture = capture.id
        self._state = _State(**orjson.loads(capture.position)) if capture.position else _State()
        self._figures = dict(capture.figures)
        self._comparison = None
        self._hander.begin(capture.position)
        if not capture.position:
            self._hander.kept = self._position()
        return capture

    def _position(self) -> str:
        if self._comparison is not None:
            self._state.place = asdict(self._comparison.place)
        return orjson.dumps(asdict(self._state)).decode()

    async def _keep(self) -> None:
        self._hander.reached()
        await self._hander.keep()

    # Which batch is next.

    def _next(self, capture: Capture, connection: Connection) -> Header | None:
        """The header of the batch to go on with; what is wrong with others is answered."""
        outgoing, at = self._outgoing, self._at()
        beat(connection, outgoing.beside, HUB, at)
        if paused(connection, outgoing.beside, outgoing.described.name):
            return None
        current = self._header(connection, self._state.batch)
        if current is not None and self._under_way(connection, current, capture, at):
            return self._header(connection, self._state.batch)
        answer_outside(connection, outgoing, self._state.batch, at)
        for header in self._sealed(connection):
            if self._checked(connection, header, at):
                first = bool(self._state.place.get("first", True))
                self._state.batch, self._state.phase, self._state.fused = (
                    header["b_no"],
                    "compare",
                    "",
                )
                self._state.place = asdict(Place(first=first))
                return self._header(connection, header["b_no"])
        return None

    def _under_way(
        self, connection: Connection, header: Header, capture: Capture, at: datetime
    ) -> bool:
        state = header["b_state"]
        if state == BATCH_CODES[BatchState.CHECKED]:
            return bool(self._state.phase)
        if state == BATCH_CODES[BatchState.MISMATCH] and capture.allowed and self._state.fused:
            self._answer(
                connection, header, BatchState.MISMATCH, BatchState.CHECKED, "batch.checked", at
            )
            self._state.phase = "compare"
            return True
        # A row that was refused is mended: the batch is compared once more.
        if state == BATCH_CODES[BatchState.CLOSED_WITH_REFUSALS]:
            control = self._outgoing.described.control
            counts = counts_of(connection, self._outgoing, header["b_no"])
            if counts.get(control.word(RowState.NEW)):
                self._found(connection, header["b_no"])
                self._state.phase = "compare"
                return True
        return False

    def _sealed(self, connection: Connection) -> list[Header]:
        table = self._outgoing.beside.batch
        asked = select(table).where(
            table.c.b_table == self._outgoing.described.name,
            table.c.b_state.in_([BATCH_CODES[s] for s in (BatchState.SEALED, BatchState.CHECKED)]),
        )
        ordered = asked.order_by(table.c.b_sealed_at, table.c.b_no)
        return list(connection.execute(ordered).mappings())

    def _header(self, connection: Connection, number: str) -> Header | None:
        table = self._outgoing.beside.batch
        mine = (table.c.b_table == self._outgoing.described.name, table.c.b_no == number)
        return connection.execute(select(table).where(*mine)).mappings().first()

    def _checked(self, connection: Connection, header: Header, at: datetime) -> bool:
        """Count and digest agree, every key is there once, and no newer batch was first."""
        outgoing, number = self._outgoing, header["b_no"]
        source = _state_of(header)
        if self._state.done and str(header["b_sealed_at"] or "") <= self._state.done_at:
            facts = {"batch": self._state.done}
            self._answer(connection, header, source, BatchState.MISMATCH, "batch.older", at, facts)
            return False
        if self.mode.digest and not (header["b_digest"] or "").strip():
            self._answer(connection, header, source, BatchState.MISMATCH, "batch.no-digest", at)
            return False
        if source is BatchState.SEALED:
            check_batch(connection, outgoing, header, at, PATIENCE)
        told = self._header(connection, number)
        if told is None or told["b_state"] != BATCH_CODES[BatchState.CHECKED]:
            return False
        table, control = outgoing.table, outgoing.described.control
        key, row_id = table.c[str(control.key)], table.c[control.row_id]
        mine = (
            table.c[str(control.batch)] == number,
            table.c[str(control.state)].not_in(_aside(control)),
        )
        count, keys = connection.execute(
            select(func.count(row_id), func.count(func.distinct(func.nullif(key, "")))).where(*mine)
        ).one()
        if count != keys:
            facts = {"count": count, "keys": keys}
            self._answer(
                connection, told, BatchState.CHECKED, BatchState.MISMATCH, "batch.keys", at, facts
            )
            return False
        return True

    def _answer(
        self,
        connection: Connection,
        header: Header,
        source: BatchState,
        target: BatchState,
        code: str,
        at: datetime,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        told = {"count": header["b_found_count"] or 0} if code == "batch.checked" else (facts or {})
        outcome = BatchOutcome(target=target, code=code, facts=told)
        move_batch(connection, self._outgoing, header, source, outcome, at)

    # What is in it.

    async def _compared(self, capture: Capture, header: Header) -> AsyncIterator[Change]:
        number = header["b_no"]
        await self._refuse_bad(number)
        comparison = self._comparison = Comparison(
            self._rows_of(number),
            self._hander,
            self.mode.range_rows,
            self.mode.fuse,
            0,
            Place(**self._state.place) if self._state.place else Place(),
            held=await self._read(lambda c: refused_keys(c, self._outgoing, number)),
            certain=partial(self._certain, header),
        )
        comparison.figures = self._figures
        try:
            if len(comparison.held) > self.mode.refused_rows:
                limit = self.mode.refused_rows
                await self._give_up(header, "batch.dirty", {"refused": limit, "limit": limit})
                return
            async for change in comparison.changes(capture):
                yield change
        except Misconfigured as error:
            if error.code == "front-db.fuse":
                self._state.fused = number
                await self._give_up(header, "batch.fuse", dict(error.facts))
            raise
        except Rejected as error:
            await self._give_up(header, error.code, {})
            return
        self._figures = dict(comparison.figures)
        self._state.phase, self._state.fused = "close", ""
        await self._keep()

    async def _give_up(self, header: Header, code: str, facts: Mapping[str, Any]) -> None:
        """The batch is refused as a whole; the next one is compared from the beginning."""
        at = self._at()

        def given_up(connection: Connection) -> None:
            now = self._header(connection, header["b_no"])
            if now is not None and now["b_state"] == BATCH_CODES[BatchState.CHECKED]:
                self._answer(
                    connection, now, BatchState.CHECKED, BatchState.MISMATCH, code, at, facts
                )

        await self._write(given_up)
        first = bool(self._comparison and self._comparison.place.first)
        self._comparison = None
        self._state.phase = ""
        self._state.place = asdict(Place(first=first))
        await self.origin.book.keep(position=self._position())
        # Nor do the marks of what was handed on of it count any more, once that is safe.
        self._hander.begin(self._position())

    async def _certain(self, header: Header) -> None:
        """Raises `Rejected` where the batch is not what was checked."""
        if await self._read(partial(self._digest_now, header["b_no"])) != header["b_found_digest"]:
            raise Rejected("batch.changed", "The batch was changed after it was checked")

    def _digest_now(self, number: str, connection: Connection) -> str:
        return batch_digest(connection, self._outgoing, number)

    async def _refuse_bad(self, number: str) -> None:
        """Answer the rows that cannot be handed on, page by page."""
        after: Any = None
        while True:
            page = partial(
                refuse_page,
                outgoing=self._outgoing,
                number=number,
                after=after,
                limit=self.origin.page_rows,
                at=self._at(),
            )
            after = await self._write(page)
            if after is None:
                return

    def _told_absent(self, keys: Sequence[str], connection: Connection) -> None:
        reason = say("row.absent", {}, "zh")
        receipts = [
            Receipt(
                table=self._outgoing.described.name,
                batch=self._state.batch,
                key=key,
                stage="absent",
                code="row.absent",
                reason=reason,
            )
            for key in keys
        ]
        write_receipts(connection, self._outgoing.beside, receipts, self._at())

    def _rows_of(self, number: str) -> Origin:
        plain, rows = whole_batch(self._outgoing.described, self._outgoing.table, number)
        return replaced(self.origin, described=plain, table=rows)

    # Its end.

    async def _close(self, header: Header) -> None:
        """Mark what is not marked yet, and close it; or compare again where it has changed meanwhile."""
        number = header["b_no"]
        while await self._write(
            partial(
                mark_page,
                outgoing=self._outgoing,
                number=number,
                limit=self.origin.page_rows,
                at=self._at(),
            )
        ):
            pass
        again = await self._write(partial(self._ended, number))
        self._comparison = None
        self._state.phase = "compare" if again else ""
        if not again:
            self._state.done, self._state.done_at = number, str(header["b_sealed_at"] or "")
        await self.origin.book.keep(position=self._position(), figures=self._figures)
        self._hander.kept = self._position()

    def _ended(self, number: str, connection: Connection) -> bool:
        """Close the batch; whether it was changed since it was checked, and is not closed therefore."""
        outgoing, at = self._outgoing, self._at()
        header = self._header(connection, number)
        if header is None:
            return False
        counts = counts_of(connection, outgoing, number)
        control = outgoing.described.control
        if self._found(connection, number) != header["b_found_digest"]:
            return True
        refused = counts.get(control.word(RowState.REFUSED), 0)
        source = _state_of(header)
        target = BatchState.CLOSED_WITH_REFUSALS if refused else BatchState.CLOSED
        if source in {target, BatchState.CLOSED}:
            return False
        receipt = outgoing.beside.receipt
        absent = select(func.count()).where(
            receipt.c.r_table == outgoing.described.name,
            receipt.c.r_batch == number,
            receipt.c.r_stage == "absent",
        )
        taken = sum(counts.values()) - refused
        outcome = BatchOutcome(
            target=target,
            code="batch.full-closed",
            facts={
                "count": sum(counts.values()),
                "refused": refused,
                "deleted": connection.scalar(absent) or 0,
            },
            taken=taken,
            refused=refused,
        )
        move_batch(connection, outgoing, header, source, outcome, at)
        return False

    def _found(self, connection: Connection, number: str) -> str:
        """The digest of a batch as it is now, which its header shows from now on."""
        batch, digest = (
            self._outgoing.beside.batch,
            batch_digest(connection, self._outgoing, number),
        )
        mine = (batch.c.b_table == self._outgoing.described.name, batch.c.b_no == number)
        connection.execute(update(batch).where(*mine).values(b_found_digest=digest))
        return digest

    # Lines.

    def _at(self) -> datetime:
        return self.origin.now().astimezone(BEIJING).replace(tzinfo=None)

    async def _write(self, work: Any) -> Any:
        return await self.origin.database.write(work, self._outgoing.described)

    async def _read(self, work: Any) -> Any:
        return await self.origin.database.read(work, self._outgoing.described)


def _aside(control: Control) -> list[str]:
    """Words of the states of rows that are none of a batch."""
    return [control.word(each) for each in (RowState.DRAFT, RowState.WITHDRAWN)]


def _state_of(header: Header) -> BatchState:
    return next(state for state, code in BATCH_CODES.items() if code == header["b_state"])
