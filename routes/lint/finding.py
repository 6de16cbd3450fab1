"""A finding of the linter, and the note-book that gives each its file and line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from routes.site import Declarations
from schemas.errors import Fact, Facts
from schemas.texts import say

__all__ = ["Finding", "Notebook", "Page", "Severity", "Where"]

Severity = Literal["error", "warning"]
Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What would fail at run time (error), or is likely a slip (warning). Lines count from 1."""

    severity: Severity
    file: str
    line: int
    code: str
    facts: Facts = field(default_factory=dict)

    def say(self, lang: str) -> str:
        """What a person reads, in ``zh`` or ``en``."""
        return say(self.code, self.facts, lang)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity}: {self.say('en')} [{self.code}]"


class Notebook:
    """Where the rules note what they find."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations
        self.findings: list[Finding] = []

    def page(self, kind: str, name: str) -> Page:
        """The notes on one declaration: ``system``, ``intake``, ``route`` or ``table``."""
        read = self._declarations.texts.get(f"{kind} {name}")
        return Page(self, name, read.file if read else "", read.text if read else "")


@dataclass(frozen=True, slots=True)
class Page:
    book: Notebook
    name: str
    file: str
    text: str

    def error(self, code: str, where: Sequence[str | int], **facts: Fact) -> None:
        self._note("error", code, where, facts)

    def warning(self, code: str, where: Sequence[str | int], **facts: Fact) -> None:
        self._note("warning", code, where, facts)

    def _note(
        self, severity: Severity, code: str, where: Sequence[str | int], facts: Facts
    ) -> None:
        finding = Finding(severity, self.file, _line(self.text, tuple(where)), code, facts)
        # One slip may be met on several ways: by each stream of a route, for example.
        if finding not in self.book.findings:
            self.book.findings.append(finding)


@lru_cache(maxsize=64)
def _document(text: str) -> Any:
    return YAML(typ="rt").load(text)


def _line(text: str, where: Where) -> int:
    """The line of the nearest node on the way to *where*."""
    if not text:
        return 1
    node, line = _document(text), 1
    for step in where:
        if isinstance(node, CommentedMap) and step in node:
            line = node.lc.key(step)[0] + 1
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            line = node.lc.item(step)[0] + 1
        else:
            break
        node = node[step]
    return line
