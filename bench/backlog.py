"""The bench ``backlog``: what a long queue costs the hub's process in memory.

The same hub works off a short backlog and a long one; what it holds at most must not grow with
what waits at the broker.

Form       ratio key ``memory``: the process's greatest resident size with the long backlog, to that
           with the short one; ``rate``: messages a second, likewise
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench.hop.sample import Load, hub_hop
from bench.options import Options
from bench.places import Place
from bench.report import Report, Target
from bench.rounds import interleaved

__all__ = ["backlog"]

SHORT, LONG = 5_000, 100_000
TARGETS = {"memory": Target(must=1.25, aim=1.1, below=True), "rate": Target(must=0.8, aim=0.95)}


async def backlog(place: Place, options: Options, told: Callable[[str], None]) -> Report:
    long = options.messages or LONG
    variants = {
        "short": partial(hub_hop, place, Load(SHORT, memory=True)),
        "long": partial(hub_hop, place, Load(long, memory=True)),
    }
    rounds = await interleaved(variants, options.repeats, told)
    report = Report("backlog", _conditions(options, long), targets=TARGETS)
    report.take(rounds)
    report.compare("memory", rounds.ratio("long", "short", "peak_mb"))
    report.compare("rate", rounds.ratio("long", "short"))
    return report


def _conditions(options: Options, long: int) -> dict[str, object]:
    return {
        "messages": f"{SHORT:,} wait, and {long:,} of 2 KB",
        "repeats": options.repeats,
        "hub": "pipeline alone, as in hop; memory is VmHWM, libraries and interpreter included",
    }
