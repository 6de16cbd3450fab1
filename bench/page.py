"""The page ``docs/benchmarks.md``, written from reports.

Promises   a bench that was not run keeps the section it has
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.report import Report, shown, spread_shown

__all__ = ["write_page"]

_HEAD = """# Benchmarks

Written by `make bench` (`python -m bench all --write`). Broker, database, hub and peers share one machine;
**read the ratios**, absolute figures are of that machine and hour. A ratio is formed within a repeat; the
median of the repeats is told, with the least and the greatest. Targets: must, and aim.
"""


def write_page(reports: Sequence[Report], file: Path) -> None:
    """Replace the sections of *reports* in *file*, which is made if need be."""
    sections = _sections(file.read_text(encoding="utf-8")) if file.exists() else {}
    for report in reports:
        sections[report.bench] = _section(report)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([_HEAD, *sections.values()]), encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0].removeprefix("## `").rstrip("`"): part for part in parts}


def _section(report: Report) -> str:
    lines = [f"## `{report.bench}`", ""]
    for title, values in (("ratio", report.ratios), ("figure", report.figures)):
        lines += [f"| {title} | median | least–most | target |", "|---|---:|---:|---|"]
        for name, spread in values.items():
            target = report.targets.get(name)
            walls = ""
            if target is not None:
                sign = "≤" if target.below else "≥"
                verdict = target.verdict(spread.median)
                walls = f"{sign} {target.must:g}, aim {target.aim:g}: {verdict}"
            lines.append(
                f"| `{name}` | {shown(spread.median)} | {spread_shown(spread)} | {walls} |"
            )
        lines.append("")
    conditions = {"machine": _machine(), **report.conditions}
    lines += [f"- {name}: {_flat(value)}" for name, value in conditions.items()]
    return "\n".join([*lines, ""])


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {each}" for name, each in value.items())
    return str(value)


def _machine() -> str:
    names = re.findall(r"^model name\s*: (.*)$", _read("/proc/cpuinfo"), flags=re.MULTILINE)
    kilobytes = re.search(r"MemTotal:\s+(\d+)", _read("/proc/meminfo"))
    memory = f"{int(kilobytes[1]) / 1048576:.0f} GiB" if kilobytes else "?"
    libraries = ", ".join(
        f"{name} {version(name)}" for name in ("aio-pika", "faststream", "kombu", "SQLAlchemy")
    )
    return (
        f"{os.cpu_count()} × {names[0] if names else platform.machine()}, {memory},"
        f" Python {platform.python_version()}, {_rabbitmq()}, {libraries}"
    )


def _rabbitmq() -> str:
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    return f"RabbitMQ {found[-1].name.partition('-')[2]}" if found else "RabbitMQ elsewhere"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
