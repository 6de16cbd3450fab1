"""What an intake's values are written to: the items of a resource, as the compiler needs them.

Not here   whether a body is valid: `catalog.derive.validator`
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from catalog.lifecycle.items import covered
from catalog.model import (
    Catalogue,
    DataElement,
    DataType,
    Domain,
    Item,
    Names,
    Resource,
    Sensitivity,
)
from routes.dates import shape_of

__all__ = ["ANYTHING", "OPERATION", "SEQUENCE", "Target", "granted_of", "target_of"]

Kind = Literal["any", "text", "integer", "decimal", "boolean", "date", "group"]
SHOWN = (Sensitivity.OPEN, Sensitivity.INTERNAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    *shape*: pattern of a date. *shown*: whether a wrong value may be told in a fault.

    *enforced*: whether absence is ours to tell, in the partner's words; else the validator's.
    *granted*: whether the route's grant lets it pass.
    """

    kind: Kind = "any"
    names: Names | None = None
    shown: bool = True
    required: bool = False
    enforced: bool = False
    granted: bool = True
    many: bool = False
    shape: str = ""
    element: DataElement | None = None
    items: Mapping[str, Target] = field(default_factory=dict)

    @property
    def domain(self) -> Domain:
        return self.element.domain if self.element else Domain()

    def part(self) -> Target:
        """The same, for a part of the value: its absence alone is no fault."""
        return replace(self, enforced=False)

    def one(self) -> Target:
        """One element of the list."""
        return replace(self, many=False, enforced=False)


ANYTHING = Target(shown=False)
OPERATION = Target(kind="text")
SEQUENCE = Target(kind="integer", shape="epoch_ms")


def target_of(resource: Resource, catalogue: Catalogue) -> Target:
    """*resource* as a group of targets, by short name."""
    return Target(kind="group", items=_items(resource.items, catalogue, enforced=True))


def granted_of(target: Target, granted: Collection[str], above: str = "") -> Target:
    """*target* with what is not *granted* marked as such; a group passes with any item of it."""
    items = {
        name: granted_of(item, granted, f"{above}{name}/") for name, item in target.items.items()
    }
    passes = covered(above.rstrip("/"), granted) or any(each.granted for each in items.values())
    return replace(target, items=items, granted=passes or not above)


def _items(items: tuple[Item, ...], catalogue: Catalogue, *, enforced: bool) -> dict[str, Target]:
    return {item.wire_name: _target(item, catalogue, enforced=enforced) for item in items}


def _target(item: Item, catalogue: Catalogue, *, enforced: bool) -> Target:
    if item.group is not None:
        # In a list each object that is there must be whole; a single group may be absent wholly.
        below = item.is_list or (enforced and item.required)
        return Target(
            kind="group",
            names=item.name,
            required=item.required,
            enforced=enforced and item.required,
            many=item.is_list,
            items=_items(item.items, catalogue, enforced=below),
        )
    element = catalogue.elements.get(item.wire_name)
    kind, shape = _kind(element) if element else ("any", "")
    return Target(
        kind=kind,
        names=item.name or (element.name if element else None),
        shown=element is not None and element.sensitivity in SHOWN,
        required=item.required,
        enforced=enforced and item.required,
        many=item.is_list,
        shape=shape,
        element=element,
    )


def _kind(element: DataElement) -> tuple[Kind, str]:
    match element.type:
        case DataType.NUMBER:
            return ("decimal" if "," in element.format else "integer"), ""
        case DataType.BOOLEAN:
            return "boolean", ""
        case DataType.DATE | DataType.DATETIME:
            usual = "d10" if element.type is DataType.DATE else "dt19"
            return "date", shape_of(element.format) or str(shape_of(usual))
        case DataType.STRING | DataType.TIME | DataType.BINARY:
            return "text", ""
