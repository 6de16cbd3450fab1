"""Canonical fields as a route's paths name them: what is there, and what it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from routes.lint.finding import Page, Where
from routes.paths import Path, Scope, parse_path
from routes.targets import Target

__all__ = ["Fields", "nearest"]


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that *name* was likely meant to be, or ""."""
    return next(iter(get_close_matches(name, list(known), n=1)), "")


@dataclass(frozen=True, slots=True)
class Fields:
    """
    What the paths of a route may name: *records* of its streams, by resource, and an *element*.

    None for *element* outside a list.
    """

    records: dict[str, Target]
    element: Target | None = None

    def inside(self, group: Target) -> Fields:
        return Fields(self.records, group)

    def find(self, text: str, page: Page, where: Where) -> Target | None:
        """The field at *text*; None where it is of the envelope, or wrong (then it is noted)."""
        path = parse_path(text)
        if path.scope is Scope.ENVELOPE:
            return None
        if path.scope is Scope.ELEMENT:
            if self.element is None:
                page.error("lint.element-outside", where, path=text)
                return None
            return self._down(path, self.element, "@", page, where)
        holders = {n: r for n, r in self.records.items() if path.steps[0] in r.items}
        for name, record in holders.items():
            return self._down(path, record, name, page, where)
        for name, record in self.records.items():
            near = nearest(path.steps[0], record.items)
            page.error("lint.unknown-item", where, item=text, resource=name, near=near)
            break
        return None

    def _down(
        self, path: Path, start: Target, resource: str, page: Page, where: Where
    ) -> Target | None:
        target, above = start, start
        for n, step in enumerate(path.steps):
            if n > 0 and above is not start and above.many and not step.isdigit():
                page.error("lint.list-as-value", where, item=path.text)
                return None
            if step.isdigit() and target.many:
                target = above = target.one()
                continue
            below = target.items.get(step)
            if below is None:
                near = nearest(step, target.items)
                page.error("lint.unknown-item", where, item=path.text, resource=resource, near=near)
                return None
            target = above = below
        if not target.granted:
            page.error("lint.not-granted", where, item=path.text)
        return target
