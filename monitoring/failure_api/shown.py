"""Failures, their histories and rehearsals as they are told to programs; also by the command line.

Promises   no body in clear, no sealed one, no header: bodies are masked by the desk
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hub.failure_desk import FailureDesk
from hub.rehearsal import Rehearsed
from schemas.texts import say

__all__ = ["failure", "failure_with_history", "job_row", "reasons", "rehearsed"]

SEALED = ("sealed", "edited", "mapped", "headers")
LANGUAGES = ("zh", "en")


def failure(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of the failure store, each reason in both languages."""
    told = {str(name): value for name, value in row.items() if name not in SEALED}
    return {**told, "reasons": reasons(row["faults"])}


def reasons(faults: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**fault, **{lang: say(fault["code"], fault["facts"], lang) for lang in LANGUAGES}}
        for fault in faults
    ]


async def failure_with_history(desk: FailureDesk, failure_id: str) -> dict[str, Any]:
    """One failure whole: what came, what would be sent, what the system was given, all that people
    did. Raises `Rejected` (``failure.unknown``)."""
    row, history = await desk.row(failure_id), await desk.history(failure_id)
    edits = [
        {
            **{name: edit[name] for name in ("n", "at", "by", "reason")},
            "body": desk.masked(row, edit["sealed"]),
        }
        for edit in history.edits
    ]
    return {
        "failure": failure(row),
        "body": desk.masked(row),
        "original": desk.masked(row, row["sealed"]),
        "mapped": desk.mapped(row),
        "edits": edits,
        "acts": [dict(act) for act in history.acts],
        "retries": [dict(each) for each in history.retries],
    }


def rehearsed(each: Rehearsed) -> dict[str, Any]:
    told = asdict(each)
    for place in (told, *told["legs"]):
        place["faults"] = reasons(place["faults"])
    return told


def job_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of a retry job, its outcome in both languages."""
    said = {lang: say(row["code"], {}, lang) if row["code"] else "" for lang in LANGUAGES}
    return {**{str(name): value for name, value in row.items()}, **said}
