"""The benches by name."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from bench.backlog import backlog
from bench.front_db import front_db
from bench.front_soak.bench import front_soak
from bench.gateway import gateway
from bench.hop.bench import hop
from bench.ledger import ledger
from bench.options import Options
from bench.outbox import outbox
from bench.places import Place
from bench.report import Report
from bench.sheet import sheet
from bench.soak.bench import soak

__all__ = ["APART", "BENCHES", "Bench"]

Bench = Callable[[Place, Options, Callable[[str], None]], Coroutine[Any, Any, Report]]
BENCHES: Mapping[str, Bench] = {
    "hop": hop,
    "ledger": ledger,
    "outbox": outbox,
    "front_db": front_db,
    "gateway": gateway,
    "backlog": backlog,
    "catalogue": sheet,
    "soak": soak,
    "front_soak": front_soak,
}
# Not among all of them: they take as long as they are told to.
APART = frozenset({"soak", "front_soak"})
