"""The bench ``front_db``: rows of 30 columns from one PostgreSQL database's table to another's.

The hub's batch path, with rows that are seen (checked, keys and versions judged) and untouched ones,
beside one binary COPY into another and dlt's incremental merge.

Form       ratio keys ``copy`` (seen), ``untouched_copy``, ``marked_copy``, ``dlt`` (untouched), ``seen_dlt``,
           ``flat``: the cost of a row in the large table to that in one of 10,000
Units      memory in megabytes, the most that was resident
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import psycopg
from psycopg import sql

from bench.children import python_program, running
from bench.dlt_program import dlt_program
from bench.front_flow import flow
from bench.options import Options
from bench.places import Place
from bench.report import Report, Target
from bench.rounds import Sample, interleaved
from bench.tables import emptied, front_databases, tables
from schemas.errors import Transient

__all__ = ["TARGETS", "front_db"]

TARGETS = {
    "copy": Target(0.20, 0.35),
    "untouched_copy": Target(0.50, 0.70),
    "dlt": Target(2.5, 5),
    "flat": Target(1.2, 1.05, below=True),
    "seen_peak_mb": Target(300, 300, below=True),
    "untouched_peak_mb": Target(300, 300, below=True),
}
DEFAULT_ROWS, FEW_ROWS = 100_000, 10_000
# dlt keeps what it extracts and normalises in files: ten million rows would be asked of the disk.
MOST_OF_DLT = 200_000
LONGEST_S = 3600.0


async def front_db(place: Place, options: Options, told: Callable[[str], None]) -> Report:
    rows = options.rows or DEFAULT_ROWS
    with (
        front_databases(place, rows) as large,
        front_databases(place, min(rows, FEW_ROWS)) as small,
    ):
        sized = {"": (large, rows), "_few": (small, min(rows, FEW_ROWS))}
        variants = {
            f"{way}{size}": partial(_sample, way, *at)
            for way in ("copy", "untouched", "seen")
            for size, at in sized.items()
        }
        for way in ("capture", "arrive"):
            variants[f"{way}_few"] = partial(flow, place, way, *sized["_few"])
        variants["marked_few"] = partial(_sample, "marked", *sized["_few"])
        peer = "" if rows <= MOST_OF_DLT else "_few"
        variants[f"dlt{peer}"] = partial(_sample, "dlt", *sized[peer])
        rounds = await interleaved(variants, options.repeats, told)
    report = Report("front_db", _conditions(options, rows), targets=TARGETS)
    report.take(rounds)
    report.compare("copy", rounds.ratio("seen", "copy"))
    report.compare("untouched_copy", rounds.ratio("untouched", "copy"))
    report.compare("marked_copy", rounds.ratio("marked_few", "copy_few"))
    report.compare("capture_copy", rounds.ratio("capture_few", "copy_few"))
    report.compare("arrive_copy", rounds.ratio("arrive_few", "copy_few"))
    # dlt takes rows as they are: what looks at every value is shown beside.
    report.compare("dlt", rounds.ratio(f"untouched{peer}", f"dlt{peer}"))
    report.compare("seen_dlt", rounds.ratio(f"seen{peer}", f"dlt{peer}"))
    report.compare("flat", rounds.ratio("seen", "seen_few", "row_us"))
    report.compare("untouched_flat", rounds.ratio("untouched", "untouched_few", "row_us"))
    return report


async def _sample(way: str, at: tuple[str, str], rows: int) -> Sample:
    """One table emptied and filled; every row must have come."""
    source, target = at
    emptied(source, target)
    spec = {"way": way, "source": source, "target": target, "rows": rows}
    spec["table"] = tables().out.name
    command = dlt_program() if way == "dlt" else python_program("front_tables")
    async with running(command, spec) as child:
        cpu = child.cpu_s
        child.go()
        found = json.loads(await child.line(LONGEST_S))
        cpu, peak = child.cpu_s - cpu, child.peak_mb
        await child.stop()
    schema = "peer" if way == "dlt" else "public"
    name = tables().out.name if way == "dlt" else tables().into.name
    with psycopg.connect(target) as connection:
        asked = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))
        arrived = (connection.execute(asked).fetchone() or (0,))[0]
    if arrived != rows:
        raise Transient("bench.short", f"{arrived} rows of {rows} came by {way}")
    per_s = rows / found["took_s"]
    return {"per_s": per_s, "row_us": 1e6 / per_s, "cpu_us": cpu / rows * 1e6, "peak_mb": peak}


def _conditions(options: Options, rows: int) -> dict[str, object]:
    return {
        "rows": rows,
        "few_rows": min(rows, FEW_ROWS),
        "repeats": options.repeats,
        "table": "30 columns of about 1 KB with 15 of the exchange; the target with all its indexes",
        "database": "PostgreSQL, private, fsync and synchronous_commit on, two databases of one server",
        "copy": "one binary COPY into another by psycopg, in one transaction",
        "seen": "batch path by position: COPY text, every row checked in Python, key-set digest, SM3,"
        " a commit a page; the journal in memory",
        "untouched": "batch path by position: binary COPY, key-set digest and SM3, a commit a page",
        "marked": "batch path by state: as seen, and each row marked in the source",
        "capture": "sources and pipeline: by state, a message a row, until the route's queue has all",
        "arrive": "delivery: from the route's queue into the table, a receipt a row",
        "dlt": "dlt 1.31.0, pyarrow, csv, incremental merge by x_id; rows as they are",
    }
