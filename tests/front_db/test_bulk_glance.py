"""Rows looked at together pass exactly where each of them passes alone (R-A6)."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from front_db.bulk import Aside, Load
from front_db.bulk_glance import compile_glance
from front_db.bulk_pages import Preparer
from front_db.contract import Column, Control, ExchangeTable, Keeps, Kind

AT = datetime(2026, 3, 2, 9, 0, 0)  # noqa: DTZ001 - Beijing time, as databases hold it
CONTROL = Control(
    row_id="x_id", row_id_length=64, operation="x_op", version="x_ver", key="x_key", state="x_state"
)
COLUMNS = (
    Column(name="name", length=4, needed=True),
    Column(name="level_", length=2, codes=("A", "B")),
    Column(name="number", length=18, identifier="citizen-id"),
    Column(name="days", kind=Kind.WHOLE, digits=3),
    Column(name="fee", kind=Kind.DECIMAL, digits=4, places=2),
    Column(name="share", kind=Kind.DECIMAL, digits=2, places=2),
    Column(name="day", kind=Kind.DATE),
    Column(name="at", kind=Kind.MOMENT),
    Column(name="paid", kind=Kind.FLAG),
    Column(name="remark", kind=Kind.LONG),
)
OUT = ExchangeTable(
    name="out",
    columns=COLUMNS,
    control=CONTROL.model_copy(update={"counted": True}),
)
INTO = ExchangeTable(name="into", columns=COLUMNS, control=CONTROL, keeps=Keeps.LATEST)
# Of each column, what a database may hold there: right and wrong.
TEXTS = (
    ("民宿", "z\0", "a\\b", "tab\tx", "𠮷𠮷𠮷𠮷", "far too long", ""),
    ("A", "B", "C", ""),
    ("11010519491231002X", "110105194912310021", "12", ""),
    ("0", "-7", "999", "1000", ""),
    ("0", "12.5", "-99.99", "100", "1.234", ""),
    ("0.5", "0", "0.99", "5.5", ""),
    ("2026-03-02", "2024-02-29", "2026-02-29", "2026-13-01", ""),
    ("2026-03-31 09:00:00", "2026-03-02T09:00:00", "2026-03-02 09:00:00.25", "2026-03-02 25:00:00", ""),
    ("0", "1", ""),
    ("长\n文", "zero\0", "x\r", ""),
)  # fmt: skip
CONTROLS = some.tuples(
    some.sampled_from([*(f"K{n}" for n in range(60)), " K", ""]),
    some.sampled_from(["1"] * 20 + ["2", "0", ""]),
    some.sampled_from(["I"] * 20 + ["U ", "D", "X"]),
)
MOSTLY_GOOD = [some.sampled_from([each[0]] * 40 + list(each)) for each in TEXTS]
ROWS = some.lists(some.tuples(CONTROLS, some.tuples(*MOSTLY_GOOD)), max_size=5)


def prepared(rows: list[list[str]], *, together: bool) -> tuple[list[list[str]], list[Aside]]:
    """The values of each line, and what is left aside."""
    load = Load("test", OUT, INTO)
    preparer = Preparer(load)
    assert preparer._glance is not None
    if not together:
        preparer._glance = None
    found = preparer.prepare(rows, AT)
    lines = [each.line.removesuffix("\n").split("\t") for each in found.good]
    return [[value.replace("T", " ") for value in line] for line in lines], list(found.aside)


GOOD = [each[0] for each in TEXTS]
EACH = [[*GOOD[:n], text, *GOOD[n + 1 :]] for n, texts in enumerate(TEXTS) for text in texts]


@pytest.mark.parametrize("texts", EACH)
def test_one_text_is_judged_as_it_is_alone(texts: list[str]) -> None:
    """Each right and each wrong text of each column, in a row that is good besides."""
    rows = [["1", "K1", "1", "I", *texts]]

    assert prepared(rows, together=False) == prepared(rows, together=True)


@given(ROWS)
def test_together_they_are_what_each_is_alone(
    told: list[tuple[tuple[str, str, str], tuple[str, ...]]],
) -> None:
    """Whatever stands in keys, versions and operations, and in whatever order."""
    rows = [[str(n), *controls, *texts] for n, (controls, texts) in enumerate(told, 1)]

    assert prepared(rows, together=False) == prepared(rows, together=True)


def test_good_rows_are_not_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the speed of the batch path lives on."""
    good = ["民宿", "A", "", "7", "12.5", "0.5", "2026-03-31", "2026-03-31 09:00:00", "1", "长"]
    rows = [[str(n), f"K{n}", "1", "I", *good] for n in range(1, 2001)]
    rows[700][4] = "far too long"
    looked_at: list[int] = []
    alone = Preparer._one_by_one

    def counted(self: Preparer, rows: list[list[str]], versions: dict[str, int]) -> object:
        looked_at.append(len(rows))
        return alone(self, rows, versions)

    monkeypatch.setattr(Preparer, "_one_by_one", counted)

    found = Preparer(Load("test", OUT, INTO)).prepare(rows, AT)

    assert [500] == looked_at
    assert (1999, [701]) == (len(found.good), [each.row_id for each in found.aside])


def test_tables_that_differ_are_looked_at_row_by_row() -> None:
    """A text that becomes a number, and a column that the source has not."""
    names = [each.name for each in COLUMNS]
    texts = tuple(each.model_copy(update={"kind": Kind.TEXT}) for each in COLUMNS)

    assert compile_glance(OUT, INTO.model_copy(update={"columns": texts}), names) is None
    assert compile_glance(OUT.model_copy(update={"columns": COLUMNS[1:]}), INTO, names[1:]) is None
