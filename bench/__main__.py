"""``python -m bench NAME``: run a bench and print what it found.

Form       exit 0 when it ran, 1 when a sample lost a message or could not be taken, 2 for a name or
           switch that is not known; progress goes to standard error
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.catalogue import APART, BENCHES
from bench.children import ROOT
from bench.options import Options
from bench.page import write_page
from bench.places import places
from bench.report import Report
from schemas.errors import HubError
from shuniu.logs import set_up_logs

__all__ = ["main"]

ALL = "all"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; its exit code."""
    asked = _parser().parse_args(arguments)
    if asked.bench != ALL and asked.bench not in BENCHES:
        print(
            f"bench: there is no {asked.bench!r}; there are: {', '.join(BENCHES)}, and {ALL}",
            file=sys.stderr,
        )
        return 2
    set_up_logs("WARNING")
    options = Options(
        repeats=asked.repeats,
        messages=asked.messages,
        seconds=asked.seconds,
        kb=asked.kb,
        destinations=asked.destinations,
        processes=asked.processes,
        dead_receiver=asked.dead_receiver,
        ordered=asked.ordered,
        rows=asked.rows,
        minutes=asked.minutes,
    )
    names = [each for each in BENCHES if each not in APART] if asked.bench == ALL else [asked.bench]
    try:
        reports = _run(names, options, console=None if asked.json else Console())
    except HubError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    for report in reports if asked.json else ():
        print(report.as_json(), flush=True)  # last of all, when the servers have stopped
    if asked.write is not None:
        write_page(reports, asked.write)
    return 0


def _run(names: Sequence[str], options: Options, *, console: Console | None) -> list[Report]:
    reports = []
    with places() as place:
        for name in names:
            report = asyncio.run(BENCHES[name](place, options, _told))
            reports.append(report)
            if console is not None:
                report.print(console)
    return reports


def _told(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("bench", metavar="NAME", help=f"{', '.join(BENCHES)}, or {ALL}")
    add("--json", action="store_true", help="print one JSON object a bench, last")
    add("--repeats", type=_positive, default=3, help="interleaved repeats (3)")
    add("--messages", type=_positive, default=0, help="messages of one sample of the hub")
    add("--seconds", type=float, default=0.0, help="length of one sample, where it is timed")
    add("--kb", type=_sizes, default=(2.0,), metavar="2,10", help="hop: sizes besides 2 KB")
    add("--destinations", type=_positive, default=1, metavar="N", help="hop: to N routes, too")
    add("--processes", type=_positive, default=2, metavar="N", help="hop: by N processes, too (2)")
    add("--dead-receiver", action="store_true", help="hop: what a hanging system costs the others")
    add("--rows", type=_positive, default=0, help="front_db, catalogue: rows (100,000; 10,000)")
    add("--minutes", type=_minutes, default=0.0, help="soak: how long (10)")
    add("--ordered", action="store_true", help="hop: delivery in the order of each case")
    add(
        "--write",
        type=Path,
        nargs="?",
        const=ROOT / "docs" / "benchmarks.md",
        metavar="FILE",
        help="write the table of all that ran (docs/benchmarks.md)",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _minutes(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("more than none")
    return number


def _sizes(text: str) -> tuple[float, ...]:
    sizes = tuple(float(each) for each in text.split(","))
    if min(sizes) < 0.5:
        raise argparse.ArgumentTypeError("from 0.5 KB on")
    return sizes


if __name__ == "__main__":
    sys.exit(main())
