"""A finding about the catalogue, and the note-book that gives each its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from catalog.model import Catalogue, Place
from schemas.errors import Fact, Facts
from schemas.texts import say

__all__ = ["Finding", "Notebook", "Severity", "nearest"]

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What would fail or mislead (error), or is likely a slip (warning).

    *place* names the declaration (``element caseNo``); *line* counts from 1.
    """

    severity: Severity
    place: str
    file: str
    line: int
    code: str
    facts: Facts = field(default_factory=dict)

    def say(self, lang: str) -> str:
        """What a person reads, in ``zh`` or ``en``."""
        return say(self.code, self.facts, lang)

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return f"{where}: {self.severity}: {self.place}: {self.say('en')} [{self.code}]"


class Notebook:
    """Where the rules note what they find."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._places = catalogue.places
        self.findings: list[Finding] = []
        self._seen: dict[tuple[str, str], list[Finding]] = {}

    def error(self, place: str, code: str, /, **facts: Fact) -> None:
        self._note("error", place, code, facts)

    def warning(self, place: str, code: str, /, **facts: Fact) -> None:
        self._note("warning", place, code, facts)

    def _note(self, severity: Severity, place: str, code: str, facts: Facts) -> None:
        read = self._places.get(place) or Place("", 1)
        finding = Finding(severity, place, read.file, read.line, code, facts)
        beside = self._seen.setdefault((place, code), [])
        if finding not in beside:
            beside.append(finding)
            self.findings.append(finding)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was likely meant, or ""."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.5)), "")
