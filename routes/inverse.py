"""An intake read backwards: which column of a partner's record an item of a message was taken from.

Careful    only what was taken over as it stands goes back to its column; what was translated, joined
           or chosen does not, and stays out
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from routes.model import IntakeDeclaration
from routes.paths import Scope, parse_path
from routes.values import Value, targets_of
from schemas.message import Body, Json

__all__ = ["Inverse", "inverse_of"]


@dataclass(frozen=True, slots=True)
class Inverse:
    """*resource* is what its records lead to; *operation*: the column that says I, U or D, where one
    does."""

    resource: str
    operation: str | None
    _columns: Mapping[str, tuple[str, ...]] = field(repr=False)

    @property
    def columns(self) -> frozenset[str]:
        """Those that can be told from a message."""
        return frozenset(self._columns)

    def items(self) -> Mapping[str, str]:
        """The item that each of `columns` became, as a path with dots."""
        return {column: ".".join(steps) for column, steps in self._columns.items()}

    def record(self, body: Body) -> dict[str, Json]:
        """What stood in `columns` when *body* was made."""
        return {column: _at(body, steps) for column, steps in self._columns.items()}


def inverse_of(declared: IntakeDeclaration) -> Inverse | None:
    """None where a record leads to several messages, or to one of several."""
    if len(declared.publish) != 1 or declared.publish[0].for_each:
        return None
    (publish,) = declared.publish
    columns: dict[str, tuple[str, ...]] = {}
    for steps, value in targets_of(publish.map):
        if (name := _plain(value)) is not None:
            columns[name] = steps
    operation = publish.operation
    path = operation.path if operation.path and "." not in operation.path else None
    return Inverse(publish.resource, path, columns)


def _plain(value: Value) -> str | None:
    """The name of the field that *value* is, unchanged."""
    if value.path is None or value.text or value.codes or value.number or value.date:
        return None
    if value.default is not None:
        return None
    path = parse_path(value.path)
    one = path.scope is Scope.RECORD and len(path.steps) == 1
    return path.steps[0] if one else None


def _at(body: Body, steps: tuple[str, ...]) -> Json:
    found: Json = body
    for step in steps:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
