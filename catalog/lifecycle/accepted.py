"""What producers may send while several versions of a resource are accepted.

Publishing a version does not move its producers: until each has moved, the versions before it stay
accepted (兼容期). What an intake is asked for is what all of them ask for.
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.model import Catalogue, Item, Resource

__all__ = ["accepted"]


def accepted(resource: Resource, catalogue: Catalogue) -> Resource:
    """*resource* with the items of every accepted version; mandatory is what all of them want."""
    earlier = catalogue.earlier.get(resource.resource, ())
    items = resource.items
    for each in earlier:
        items = _merged(items, each.items)
    return resource.model_copy(update={"items": items}) if earlier else resource


def _merged(newer: Sequence[Item], older: Sequence[Item]) -> tuple[Item, ...]:
    before = {item.wire_name: item for item in older}
    merged = [_both(item, before.pop(item.wire_name, None)) for item in newer]
    merged += [item.model_copy(update={"required": False}) for item in before.values()]
    return tuple(merged)


def _both(newer: Item, older: Item | None) -> Item:
    if older is None:
        return newer.model_copy(update={"required": False})
    return newer.model_copy(
        update={
            "required": newer.required and older.required,
            "items": _merged(newer.items, older.items),
        }
    )
