"""Resources: their items, the key, the region, and what is said of sharing.

Standard   GB/T 21063.3-2007, the 2017 compiling guide; R-A5
"""

from __future__ import annotations

from catalog.lint.finding import Notebook, nearest
from catalog.lint.wording import is_placeholder
from catalog.model import Catalogue, Item, Resource, Sensitivity
from catalog.short_names import is_group_name, plural_in

__all__ = ["check_resources"]

_PERSONAL = (Sensitivity.PERSONAL, Sensitivity.SENSITIVE)


def check_resources(catalogue: Catalogue, book: Notebook) -> None:
    codes: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, resource in catalogue.resources.items():
        place = f"resource {name}"
        other = codes.setdefault(resource.code, name)
        if other != name:
            book.error(place, "catalog.duplicate-code", value=resource.code, other=other)
        other = names.setdefault(resource.name.zh, name)
        if other != name:
            book.error(place, "catalog.duplicate-name", value=resource.name.zh, other=other)
        if plural := plural_in(name):
            book.error(place, "catalog.short-name-plural", name=name, word=plural)
        _check_texts(resource, place, book)
        _check_items(resource.items, place, catalogue, book)
        _check_key(resource, "subject", resource.subject, book)
        if resource.region is not None:
            _check_key(resource, "region", resource.region, book)
        _check_sharing(resource, place, catalogue, book)


def _check_texts(resource: Resource, place: str, book: Notebook) -> None:
    texts = {
        "name.zh": resource.name.zh,
        "name.en": resource.name.en,
        "summary": resource.summary,
        "provider": resource.provider,
        "category": resource.category,
        "note": resource.note,
        "share.condition": resource.share.condition,
        "share.open_condition": resource.share.open_condition,
    }
    for field, text in texts.items():
        if text is not None and is_placeholder(text):
            book.error(place, "catalog.placeholder", field=field, text=text)


def _check_items(items: tuple[Item, ...], place: str, catalogue: Catalogue, book: Notebook) -> None:
    seen: set[str] = set()
    for item in items:
        name = item.wire_name
        at = f"{place} {name}" if name else place
        if (item.element is None) == (item.group is None):
            book.error(at, "catalog.item-kind", name=name)
        elif name in seen:
            book.error(at, "catalog.duplicate-item", name=name)
        seen.add(name)
        if item.group is not None:
            _check_group(item, at, book)
            _check_items(item.items, place, catalogue, book)
        elif item.element is not None:
            _check_plain(item, items, at, catalogue, book)


def _check_group(item: Item, at: str, book: Notebook) -> None:
    name = item.wire_name
    if not is_group_name(name):
        book.error(at, "catalog.short-name-form", name=name, wanted="UpperCamelCase")
    elif plural := plural_in(name):
        book.error(at, "catalog.short-name-plural", name=name, word=plural)
    if not item.items:
        book.error(at, "catalog.group-empty", name=name)
    if item.name is None:
        book.error(at, "catalog.group-unnamed", name=name)


def _check_plain(
    item: Item, beside: tuple[Item, ...], at: str, catalogue: Catalogue, book: Notebook
) -> None:
    name = item.wire_name
    element = catalogue.elements.get(name)
    if element is None:
        near = nearest(name, catalogue.elements)
        book.error(at, "catalog.unknown-element", element=name, near=near)
        return
    if item.items:
        book.error(at, "catalog.item-kind", name=name)
    by = element.domain.identifier_by
    if by is not None and by not in {other.element for other in beside}:
        book.warning(at, "catalog.identifier-by", name=name, by=by)


def _check_key(resource: Resource, role: str, name: str, book: Notebook) -> None:
    """The subject and the region are read from the body: plain, single, always there."""
    place = f"resource {resource.resource}"
    item = next((each for each in resource.items if each.wire_name == name), None)
    if item is None:
        near = nearest(name, [each.wire_name for each in resource.items])
        book.error(place, "catalog.key-missing", role=role, name=name, near=near)
    elif item.group is not None or item.is_list or not item.required:
        book.error(place, "catalog.key-optional", role=role, name=name)


def _check_sharing(resource: Resource, place: str, catalogue: Catalogue, book: Notebook) -> None:
    share = resource.share
    if share.type != "unconditional" and share.condition is None:
        # 有条件共享 needs the condition, 不予共享 the law or rule it rests on.
        book.error(place, "catalog.condition-missing", type=share.type)
    if share.type == "unconditional" and share.condition is not None:
        book.warning(place, "catalog.condition-idle")
    if share.open and share.type == "none":
        book.error(place, "catalog.open-unshared")
    if share.open_condition is not None and not share.open:
        book.warning(place, "catalog.open-condition-idle")
    if not share.open and share.type != "unconditional":
        return
    for name in _personal(resource.items, catalogue):
        book.error(f"{place} {name}", "catalog.personal-shared", name=name)


def _personal(items: tuple[Item, ...], catalogue: Catalogue) -> list[str]:
    found: list[str] = []
    for item in items:
        element = catalogue.elements.get(item.element or "")
        if element is not None and element.sensitivity in _PERSONAL:
            found.append(element.short_name)
        found += _personal(item.items, catalogue)
    return found
