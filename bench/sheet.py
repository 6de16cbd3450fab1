"""The bench ``catalogue``: the official spreadsheet of 10,000 rows written, checked, marked and imported.

The resources of the reference site under other names and codes, as many as the rows need. *check* is the dry
run of a file without fault; *marked* the dry run of one in which every hundredth row has a fault, and the
file given back with its cells coloured and told; *import* the same path with the drafts kept, on PostgreSQL.

Form       ratio keys, the lower the better: ``read``: the dry run to openpyxl (read-only) walking the same
           cells and judging nothing; ``mark``: the marked dry run to openpyxl loading and saving the same
           file and marking nothing
Units      seconds of wall time
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from itertools import product
from tempfile import TemporaryDirectory

from openpyxl import load_workbook

from bench.children import ROOT
from bench.options import Options
from bench.places import Place
from bench.report import Report, Target
from bench.rounds import Sample, Spread, interleaved
from catalog.lifecycle.people import Actor, Role
from catalog.model import Catalogue, Item, Resource
from catalog.pages.importing import Imported, import_drafts
from catalog.sheet.columns import SHEET, index_of
from catalog.sheet.mark import mark_sheet
from catalog.sheet.write import write_sheet
from hub.crypto import Sm4Seal
from hub.releases import apply, plan_of
from hub.store import Store
from hub.store.migrate import migrate
from schemas.errors import Transient
from shuniu.catalogue import CatalogueHub, build_catalogue
from shuniu.clock import now
from shuniu.service_list import MIGRATIONS
from shuniu.settings import Settings
from shuniu.site import read_site, release_texts
from web.shell import Shell

__all__ = ["TARGETS", "sheet"]

TARGETS = {
    f"catalogue_{name}_s": Target(10, 5, below=True)
    for name in ("write", "check", "marked", "import")
} | {name: Target(1, 0.7, below=True) for name in ("read", "mark")}
DEFAULT_ROWS = 10_000
FAULT_EVERY = 100
SITE = ROOT / "sites" / "reference"
UNIT = "石家庄市行政审批局"
EDITOR = Actor("bench", UNIT, frozenset({Role.EDITOR}))
_LETTERS = "abcdefgh"


async def sheet(place: Place, options: Options, told: Callable[[str], None]) -> Report:
    rows = options.rows or DEFAULT_ROWS
    catalogue = read_site(SITE).catalogue
    resources, made = _resources(catalogue, rows)
    clean = write_sheet(resources, catalogue)
    variants = {
        "catalogue": partial(_ours, place, catalogue, resources, *_spoiled(clean)),
        "openpyxl": partial(_openpyxl, clean),
    }
    rounds = await interleaved(variants, options.repeats, told)
    report = Report("catalogue", _conditions(options, resources, made), targets=TARGETS)
    report.take(rounds)
    pairs = [
        (
            each["catalogue"]["check_s"] / each["openpyxl"]["read_s"],
            each["catalogue"]["marked_s"] / each["openpyxl"]["rewrite_s"],
        )
        for each in rounds.samples
    ]
    for n, name in enumerate(("read", "mark")):
        report.compare(name, Spread.of([pair[n] for pair in pairs]))
    return report


def _resources(catalogue: Catalogue, rows: int) -> tuple[list[Resource], int]:
    """Resources with *rows* items or a few more, and how many items they have."""
    made: list[Resource] = []
    items = 0
    for letters in product(_LETTERS, repeat=4):
        for resource in catalogue.resources.values():
            number = len(made) + 1
            told = {
                "resource": f"{resource.resource}X{''.join(letters)}",
                "code": f"{resource.code.partition('/')[0]}/{900_000 + number}",
                "name": resource.name.model_copy(update={"zh": f"{resource.name.zh}{number}"}),
                "provider": UNIT,
                "version": 1,
                "related": (),
            }
            made.append(resource.model_copy(update=told))
            items += sum(1 for _ in _all(resource.items))
            if items >= rows:
                return made, items
    raise Transient("bench.short", f"Only {items} rows can be made")


def _all(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _all(item.items)


def _spoiled(content: bytes) -> tuple[bytes, int]:
    """Every hundredth row says "对" where "是" or "否" is wanted; how many do."""
    book = load_workbook(BytesIO(content))
    column = index_of("required", of_item=True) + 1
    rows = range(FAULT_EVERY, book[SHEET].max_row + 1, FAULT_EVERY)
    for row in rows:
        book[SHEET].cell(row, column, "对")
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue(), len(rows)


async def _ours(
    place: Place, catalogue: Catalogue, resources: list[Resource], spoiled: bytes, planted: int
) -> Sample:
    with place.database() as database, TemporaryDirectory(prefix="shuniu-bench-") as home:
        store = Store(database)
        try:
            hub = await _hub(store, home)
            began = time.perf_counter()
            clean = write_sheet(resources, catalogue)
            wrote = time.perf_counter()
            checked = await _imported(hub, clean, dry_run=True)
            seen = time.perf_counter()
            found = await _imported(hub, spoiled, dry_run=True)
            mark_sheet(spoiled, found.reading.faults)
            marked = time.perf_counter()
            kept = await _imported(hub, clean, dry_run=False)
            ended = time.perf_counter()
        finally:
            store.close()
    if not (checked.ok and kept.kept and len(kept.drafts) == len(resources)):
        raise Transient("bench.short", f"{len(kept.drafts)} drafts of {len(resources)}")
    words = sum(each.code == "sheet.word" for each in found.reading.faults)
    if words != planted:
        raise Transient("bench.short", f"{words} faults found of {planted}")
    return {
        "write_s": wrote - began,
        "check_s": seen - wrote,
        "marked_s": marked - seen,
        "import_s": ended - marked,
    }


async def _hub(store: Store, home: str) -> CatalogueHub:
    migrate(store, MIGRATIONS)
    texts = release_texts(SITE)
    plan = plan_of(texts)
    store.write_now(lambda c: apply(c, texts, plan, at=now(), by="bench"))
    settings = Settings.read({"SHUNIU_HOME": home, "SHUNIU_SITE": str(SITE)})
    hub = build_catalogue(settings, store, Sm4Seal(bytes(16)), Shell(clock=now))
    hub.versions.releaser.know(1, plan)
    await hub.versions.adopt()
    return hub


async def _imported(hub: CatalogueHub, content: bytes, *, dry_run: bool) -> Imported:
    return await import_drafts(content, hub.desk.registry, hub.versions, EDITOR, dry_run=dry_run)


async def _openpyxl(content: bytes) -> Sample:
    began = time.perf_counter()
    book = load_workbook(BytesIO(content), read_only=True)
    cells = sum(1 for row in book[SHEET].iter_rows() for cell in row if cell.value is not None)
    read = time.perf_counter()
    load_workbook(BytesIO(content)).save(BytesIO())
    saved = time.perf_counter()
    return {"read_s": read - began, "rewrite_s": saved - read, "cells": cells}


def _conditions(options: Options, resources: list[Resource], rows: int) -> dict[str, object]:
    return {
        "rows": rows,
        "resources": len(resources),
        "repeats": options.repeats,
        "database": "PostgreSQL, private, fsync and synchronous_commit on",
        "marked": f"a fault in every {FAULT_EVERY}th row",
    }
