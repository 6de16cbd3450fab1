"""A function being written: lines, names bound to what they stand for, and its compilation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import CodeType
from typing import Any

__all__ = ["Source"]

# Twice the functions of a site of some fifty routes: a release that changes one of them compiles one.
MOST_KEPT = 1024


class Source:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._namespace: dict[str, Any] = {}
        self._depth = 1
        self._variables = 0

    def bind(self, thing: object) -> str:
        """A name by which the function finds *thing*."""
        name = f"c{len(self._namespace)}"
        self._namespace[name] = thing
        return name

    def fresh(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def line(self, text: str) -> None:
        self._lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, opening: str) -> Iterator[None]:
        self.line(opening)
        self._depth += 1
        yield
        self._depth -= 1

    def compiled(self, arguments: str) -> Callable[..., Any]:
        text = "\n".join([f"def compiled({arguments}):", *self._lines])
        namespace = dict(self._namespace)
        # Written by us alone: no text of a declaration is in it (see the package's promise).
        exec(_code(text), namespace)  # noqa: S102 - the text is ours; no declaration is in it
        function: Callable[..., Any] = namespace["compiled"]
        return function


@lru_cache(MOST_KEPT)
def _code(text: str) -> CodeType:
    return compile(text, "<mapping>", "exec")
