"""Full batches: a writer hands in its whole table; what is not in a batch that agrees is deleted. R-A6"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, select, update

from front_db.batches import PATIENCE
from front_db.books import Book, let_go_on
from front_db.changes import Change
from front_db.database import Database, Limits
from front_db.digest import row_digest, sum_of
from front_db.modes import FullBatchMode, Fuse
from front_db.origin import Origin
from front_db.readers import ChangePoll, reader_of
from hub.store import Store
from schemas.errors import Misconfigured
from tests.front_db.plain import fresh_store, told
from tests.front_db.standard import Standard, good_row, made

BEIJING = timezone(timedelta(hours=8))
STARTED = datetime(2026, 3, 2, 21, 0, 0, tzinfo=BEIJING)
KEYS = [f"K{n:02}" for n in range(24)]
MODE = FullBatchMode(range_rows=10, refused_rows=2, fuse=Fuse(share=0.3, rows=3))


class Nightly:
    """A writer that knows nothing but its whole table, and a reader, which begins anew when told."""

    def __init__(self, partner: Engine, store: Store, mode: FullBatchMode = MODE) -> None:
        self.standard: Standard = made(partner)
        self.engine, self.store, self.mode, self.now = partner, store, mode, STARTED
        self.number = 0
        url = partner.url.render_as_string(hide_password=False)
        self.database = Database(url, Limits())
        self.database.open()
        self.restart()

    def restart(self) -> None:
        """Another process, which knows what is written down."""
        self.book = Book(self.store, "tax", "o_test_case", "full-batch", lambda: self.now)
        origin = Origin(
            database=self.database,
            described=self.standard.out,
            table=self.standard.table,
            book=self.book,
            page_rows=4,
            now=lambda: self.now,
        )
        self.poll_of = ChangePoll(reader_of(origin, self.mode))

    def leave(self, keys: Sequence[str], **more: Mapping[str, Any]) -> str:
        """The rows of a batch; *more*: by key, what else is in its row."""
        self.number += 1
        rows = [
            {**good_row(key, self.number), "x_batch": f"B{self.number}", **more.get(key, {})}
            for key in keys
        ]
        self.do(*(insert(self.standard.table).values(row) for row in rows))
        return f"B{self.number}"

    def seal(self, batch: str, *, missing: int = 0, digest: str | None = "right") -> None:
        """Declare *missing* rows more than there are."""
        out, table = self.standard.out, self.standard.table
        with self.engine.connect() as connection:
            rows = connection.execute(select(table).where(table.c.x_batch == batch)).mappings()
            digests = [row_digest(dict(row), out) for row in rows]
        header = self.standard.beside.batch
        self.do(delete(header).where(header.c.b_no == batch))
        self.now += timedelta(minutes=1)
        self.do(
            insert(header).values(
                b_table=out.name,
                b_no=batch,
                b_state="1",
                b_count=len(digests) + missing,
                b_digest=sum_of(digests) if digest == "right" else digest,
                b_sealed_at=self.now.replace(tzinfo=None),
            )
        )

    def hand_in(self, keys: Sequence[str], **more: Mapping[str, Any]) -> str:
        batch = self.leave(keys, **more)
        self.seal(batch)
        return batch

    def do(self, *statements: Any) -> None:
        with self.engine.execution_options(shuniu_write=True).begin() as connection:
            for each in statements:
                connection.execute(each)

    async def seen(self) -> list[Change]:
        return [change async for change in self.poll_of.changes()]

    async def take(self, changes: Sequence[Change]) -> None:
        await self.poll_of.acknowledge([change.id for change in changes])

    async def poll(self) -> list[str]:
        """What is told, until nothing more is; all of it made safe."""
        found: list[str] = []
        while some := await self.seen():
            await self.take(some)
            found += told(some)
        return found

    def header(self, batch: str) -> Any:
        table = self.standard.beside.batch
        with self.engine.connect() as connection:
            return connection.execute(select(table).where(table.c.b_no == batch)).one()

    def receipts(self, batch: str) -> list[tuple[str, str | None, str | None]]:
        """Stage, key and code of each."""
        table = self.standard.beside.receipt
        asked = select(table.c.r_stage, table.c.r_key, table.c.r_code)
        with self.engine.connect() as connection:
            return sorted(
                (tuple(row) for row in connection.execute(asked.where(table.c.r_batch == batch))),
                key=str,
            )

    def states(self, batch: str) -> list[str]:
        table = self.standard.table
        with self.engine.connect() as connection:
            asked = select(table.c.x_state).where(table.c.x_batch == batch)
            return sorted(connection.scalars(asked.order_by(table.c.x_id)))


@pytest.fixture
def nightly(partner: Engine, tmp_path: Path) -> Iterator[Nightly]:
    store = fresh_store(tmp_path)
    nightly = Nightly(partner, store)
    yield nightly
    nightly.database.close()
    store.close()


async def test_what_is_not_in_it_is_deleted(nightly: Nightly) -> None:
    """New, changed, deleted, unchanged, and a key that comes back; the batch and each delete have receipts."""
    first = nightly.hand_in(KEYS)
    assert [f"I {key}" for key in KEYS] == await nightly.poll()
    assert ("5", 24, 0) == (
        nightly.header(first).b_state,
        nightly.header(first).b_taken,
        nightly.header(first).b_refused,
    )
    assert ["1"] * 24 == nightly.states(first)

    second = nightly.hand_in(
        [*KEYS[:-2], "K99"],
        K05={"applicant_name": "新𠮷", "fee": Decimal("0.50")},
        K01={"x_op": "D"},
    )
    assert {"U K05", "I K99", "D K01", "D K22", "D K23"} == {*await nightly.poll()}
    assert (
        "整表批次已完成：共 23 行，驳回 0 行；本批没有而视为删除的 3 行。"
        == nightly.header(second).b_msg
    )
    assert [
        ("absent", "K01", "row.absent"),
        ("absent", "K22", "row.absent"),
        ("absent", "K23", "row.absent"),
        ("checked", None, "batch.checked"),
        ("closed", None, "batch.full-closed"),
    ] == nightly.receipts(second)

    third = nightly.hand_in([*KEYS, "K99"], K05={"applicant_name": "新𠮷", "fee": Decimal("0.50")})
    assert {"I K01", "I K22", "I K23"} == {*await nightly.poll()}
    assert "5" == nightly.header(third).b_state
    assert [] == await nightly.poll()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"missing": 1}, "batch.count"),
        ({"missing": -1}, "batch.count"),
        ({"digest": "12345"}, "batch.digest"),
        ({"digest": None}, "batch.no-digest"),
    ],
    ids=["short", "long", "digest", "no digest"],
)
async def test_a_batch_that_does_not_agree_deletes_nothing(
    nightly: Nightly, wrong: dict[str, Any], code: str
) -> None:
    """It is refused with its reason in Chinese; mended and sealed again, it counts."""
    nightly.hand_in(KEYS)
    await nightly.poll()
    batch = nightly.leave(KEYS[:-2])
    nightly.seal(batch, **wrong)
    nightly.now += PATIENCE

    assert [] == await nightly.poll()

    assert "8" == nightly.header(batch).b_state
    assert "整批未读取" in nightly.header(batch).b_msg
    assert [("mismatch", None, code)] == nightly.receipts(batch)
    assert ["0"] * 22 == nightly.states(batch)
    nightly.seal(batch)
    assert ["D K22", "D K23"] == await nightly.poll()
    assert "5" == nightly.header(batch).b_state


async def test_rows_that_are_not_committed_yet_are_waited_for(nightly: Nightly) -> None:
    """A sealed batch may be ahead of its rows; until they are there nobody is deleted."""
    nightly.hand_in(KEYS)
    await nightly.poll()
    batch = nightly.leave(KEYS[:12])
    nightly.seal(batch, missing=12, digest="0")

    assert [] == await nightly.poll()
    assert "1" == nightly.header(batch).b_state


async def test_a_key_twice_and_an_older_batch_are_refused(nightly: Nightly) -> None:
    """Which of two rows counts, and which of two nights, nobody can know."""
    nightly.hand_in(KEYS)
    await nightly.poll()
    twice = nightly.hand_in([*KEYS[:5], *KEYS[:5]])
    assert [] == await nightly.poll()
    assert [("checked", None, "batch.checked"), ("mismatch", None, "batch.keys")] == (
        nightly.receipts(twice)
    )
    old = nightly.leave(KEYS[:20])
    nightly.seal(old)
    header = nightly.standard.beside.batch
    past = (STARTED - timedelta(days=1)).replace(tzinfo=None)
    nightly.do(update(header).where(header.c.b_no == old).values(b_sealed_at=past))
    assert [] == await nightly.poll()
    assert [("mismatch", None, "batch.older")] == nightly.receipts(old)


async def test_the_fuse_keeps_a_table_that_would_vanish(nightly: Nightly) -> None:
    """A true header over a quarter of the table: refused, until a person lets it pass; or a whole one comes."""
    nightly.hand_in(KEYS)
    await nightly.poll()
    small = nightly.hand_in(KEYS[:6])

    with pytest.raises(Misconfigured) as caught:
        await nightly.poll()

    assert ("front-db.fuse", 18) == (caught.value.code, caught.value.facts["lost"])
    assert "8" == nightly.header(small).b_state
    assert "没有删除任何数据" in nightly.header(small).b_msg
    with pytest.raises(Misconfigured):
        await nightly.poll()
    nightly.restart()
    whole = nightly.hand_in(KEYS[:-1])
    assert ["D K23"] == await nightly.poll()
    assert "5" == nightly.header(whole).b_state

    other = nightly.hand_in(KEYS[:3])
    with pytest.raises(Misconfigured):
        await nightly.poll()
    assert await nightly.store.write(lambda c: let_go_on(c, "tax", "o_test_case"))
    assert [f"D {key}" for key in KEYS[3:-1]] == await nightly.poll()
    assert "5" == nightly.header(other).b_state


async def test_a_bad_row_keeps_its_key(nightly: Nightly) -> None:
    """It is answered with its reasons; what was told of its key stays, and a mended row goes by itself."""
    nightly.hand_in(KEYS)
    await nightly.poll()
    batch = nightly.hand_in(KEYS[:-1], K07={"applicant_name": None}, K08={"applicant_name": "新"})

    assert ["U K08", "D K23"] == sorted(await nightly.poll(), reverse=True)

    assert ("6", 22, 1) == (
        nightly.header(batch).b_state,
        nightly.header(batch).b_taken,
        nightly.header(batch).b_refused,
    )
    assert ("refused", "K07", "row.missing") in nightly.receipts(batch)
    table = nightly.standard.table
    mine = (table.c.x_batch == batch, table.c.x_key == "K07")
    nightly.do(update(table).where(*mine).values(applicant_name="丙", x_ver=9, x_state="0"))
    assert ["U K07"] == await nightly.poll()
    assert ("5", 23, 0) == (
        nightly.header(batch).b_state,
        nightly.header(batch).b_taken,
        nightly.header(batch).b_refused,
    )

    dirty = nightly.hand_in(KEYS[:-1], **{key: {"applicant_name": None} for key in KEYS[:3]})
    assert [] == await nightly.poll()
    assert ("mismatch", None, "batch.dirty") in nightly.receipts(dirty)


async def test_a_row_outside_of_a_batch_is_answered(nightly: Nightly) -> None:
    """It would wait for ever, and so would one that is put into a batch that is done."""
    batch = nightly.hand_in(KEYS[:2])
    await nightly.poll()
    nightly.standard.leave("alone")
    nightly.hand_in(KEYS[:2])
    await nightly.poll()
    nightly.standard.leave("late", x_batch=batch)

    assert [] == await nightly.poll()

    table = nightly.standard.table
    asked = select(table.c.x_key, table.c.x_state, table.c.x_code)
    with nightly.engine.connect() as connection:
        found = connection.execute(asked.where(table.c.x_state == "3").order_by(table.c.x_key))
        assert [("alone", "3", "row.batch-needed"), ("late", "3", "row.batch-done")] == [
            tuple(row) for row in found
        ]


async def test_a_batch_that_is_changed_while_it_is_read_deletes_nothing(nightly: Nightly) -> None:
    """Emptied after it was checked, before what is gone was told."""
    nightly.hand_in(KEYS)
    await nightly.poll()
    batch = nightly.hand_in(KEYS, **{key: {"fee": Decimal("1.00")} for key in KEYS[:3]})
    changes = nightly.poll_of.changes()
    await anext(changes)
    await changes.aclose()  # type: ignore[attr-defined]  # a generator, broken off as by a crash
    table = nightly.standard.table
    nightly.do(delete(table).where(table.c.x_batch == batch, table.c.x_key > "K00"))
    nightly.restart()

    assert [] == await nightly.seen()

    assert not [r for r in nightly.receipts(batch) if r[0] == "absent"]
    assert "8" == nightly.header(batch).b_state
    assert "核对之后又被改动" in nightly.header(batch).b_msg


async def test_killed_anywhere_it_goes_on(nightly: Nightly) -> None:
    """Three nights, broken off after every so many changes, with and without their being safe: receivers
    hold what the last batch said, and each batch is closed once."""
    nightly.mode = MODE.model_copy(update={"fuse": Fuse(share=1.0)})
    nightly.restart()
    held: dict[str, tuple[int, str]] = {}
    versions: dict[str, int] = {}
    nights = (KEYS, [*KEYS[:-5], "Z1"], [*KEYS[2:-6], "Z2", "Z3"])
    for n, keys in enumerate(nights):
        batch = nightly.hand_in(keys, **{key: {"fee": Decimal(n)} for key in keys[::4]})
        for turn in range(60):
            taken: list[Change] = []
            async for change in nightly.poll_of.changes():
                taken.append(change)
                assert change.version >= versions.get(change.key, 0)
                versions[change.key] = change.version
                if change.body["x_op"] == "D":
                    held.pop(change.key, None)
                else:
                    held[change.key] = (change.version, str(change.body.get("fee")))
                if len(taken) == 1 + turn % 4:
                    break
            if turn % 3:
                await nightly.take(taken)
            nightly.restart()
            if nightly.header(batch).b_state == "5":
                break
        assert "5" == nightly.header(batch).b_state
        assert {*keys} == {*held}
        assert {Decimal(n)} == {Decimal(held[key][1]) for key in keys[::4]}
        assert 1 == sum(stage == "closed" for stage, _, _ in nightly.receipts(batch))
