"""What a bench found: one JSON object for programs, a table for people.

Form       ``{"bench", "figures", "ratios", "conditions"}``; figures and ratios are medians by name,
           their ``[least, most]`` stands under ``conditions.spread``
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.rounds import Rounds, Spread

__all__ = ["Report", "Target", "shown", "spread_shown"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a ratio or figure must reach and what it aims for; *below*: less is better."""

    must: float
    aim: float
    below: bool = False

    def verdict(self, value: float) -> str:
        """``aim``, ``must``, or how it fails."""
        if self._holds(value, self.aim):
            return "aim reached"
        return "good" if self._holds(value, self.must) else "MISSED"

    def _holds(self, value: float, wall: float) -> bool:
        return value <= wall if self.below else value >= wall


@dataclass(slots=True)
class Report:
    bench: str
    conditions: dict[str, Any]
    figures: dict[str, Spread] = field(default_factory=dict)
    ratios: dict[str, Spread] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)

    def take(self, rounds: Rounds, variants: Mapping[str, str] | None = None) -> None:
        """Figures of all samples, as ``<variant>_<figure>``; *variants* renames them."""
        names = {
            (variant, figure): None
            for taken in rounds.samples
            for variant, sample in taken.items()
            for figure in sample
        }
        for variant, figure in names:
            if seen := rounds.figure(variant, figure):
                self.figures[f"{(variants or {}).get(variant, variant)}_{figure}"] = seen
        if rounds.absent:
            self.conditions.setdefault("left_out", {}).update(rounds.absent)

    def compare(self, key: str, spread: Spread | None) -> None:
        """Keep a ratio; one that could not be formed is left out."""
        if spread is not None:
            self.ratios[key] = spread

    def as_json(self) -> str:
        told: dict[str, Any] = {
            "bench": self.bench,
            "figures": {name: _rounded(spread.median) for name, spread in self.figures.items()},
            "ratios": {name: _rounded(spread.median) for name, spread in self.ratios.items()},
            "conditions": {
                **self.conditions,
                "spread": {
                    name: [_rounded(spread.least), _rounded(spread.most)]
                    for name, spread in {**self.figures, **self.ratios}.items()
                },
            },
        }
        return json.dumps(told, ensure_ascii=False)

    def print(self, console: Console) -> None:
        """Two tables and the conditions."""
        for title, values in (("figures", self.figures), ("ratios", self.ratios)):
            table = Table(title=f"{self.bench}: {title}", title_justify="left")
            for head in ("name", "median", "least–most", "target"):
                table.add_column(head, justify="left" if head == "name" else "right")
            for name, spread in values.items():
                target = self.targets.get(name)
                table.add_row(
                    name, shown(spread.median), spread_shown(spread), _told(target, spread)
                )
            console.print(table)
        for name, value in self.conditions.items():
            console.print(f"{name}: {value}", style="dim", highlight=False)


def shown(value: float) -> str:
    """Three figures that count, thousands parted."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{value:,.{digits}f}"


def spread_shown(spread: Spread) -> str:
    return f"{shown(spread.least)}–{shown(spread.most)}"


def _told(target: Target | None, spread: Spread) -> str:
    if target is None:
        return ""
    sign = "≤" if target.below else "≥"
    walls = f"{sign} {shown(target.must)} (aim {shown(target.aim)})"
    return f"{walls}: {target.verdict(spread.median)}"


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
