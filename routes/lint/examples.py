"""Examples beside intakes and routes: they are shown to partners, so they must be nobody's data.

Standard   个人信息保护法; R-A5
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from routes.lint.finding import Notebook, Where
from routes.model import IntakeExample, RouteExample
from routes.site import Declarations
from schemas.errors import Facts
from schemas.made_up import Real, real_in
from schemas.texts import worded

__all__ = ["check_examples"]


def check_examples(declarations: Declarations, book: Notebook) -> None:
    """A number that could be a real person's; each once for each example."""
    for kind, declared in (("intake", declarations.intakes), ("route", declarations.routes)):
        for name, each in declared.items():
            page = book.page(kind, name)
            examples: Sequence[IntakeExample | RouteExample] = each.examples
            for n, example in enumerate(examples):
                told: set[Real] = set()
                for where, real in _real(example.model_dump(mode="python", by_alias=True), ()):
                    if real not in told:
                        told.add(real)
                        what: Facts = worded("what", f"made-up.{real}")
                        here = ("examples", n, *where)
                        page.warning("lint.real-data", here, example=example.name, **what)


def _real(value: Any, where: Where) -> Iterator[tuple[Where, Real]]:
    if isinstance(value, str):
        if real := real_in(value):
            yield where, real
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _real(inner, (*where, str(key)))
    elif isinstance(value, Sequence):
        for n, inner in enumerate(value):
            yield from _real(inner, (*where, n))
