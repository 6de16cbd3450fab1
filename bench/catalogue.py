"""The benches by name."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from bench.gateway import gateway
from bench.hop.bench import hop
from bench.ledger import ledger
from bench.options import Options
from bench.outbox import outbox
from bench.places import Place
from bench.report import Report

__all__ = ["BENCHES", "Bench"]

Bench = Callable[[Place, Options, Callable[[str], None]], Coroutine[Any, Any, Report]]
BENCHES: Mapping[str, Bench] = {
    "hop": hop,
    "ledger": ledger,
    "outbox": outbox,
    "gateway": gateway,
}
