"""Resources: their items, the key, the region, and what is said of sharing.

Standard   GB/T 21063.3-2007, the 2017 compiling guide; R-A5
"""

from __future__ import annotations

from datetime import date

from catalog.lint.finding import Notebook, nearest
from catalog.lint.sharing import check_sharing
from catalog.lint.wording import is_placeholder
from catalog.model import Catalogue, Item, Resource
from catalog.resource_codes import repair_of
from catalog.short_names import is_group_name, plural_in
from schemas.errors import Facts
from schemas.identifiers import Verdict, check_uscc
from schemas.texts import worded

__all__ = ["check_resources"]


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
        _check_metadata(resource, place, book)
        _check_texts(resource, place, book)
        _check_items(resource.items, place, catalogue, book)
        _check_key(resource, "subject", resource.subject, book)
        if resource.region is not None:
            _check_key(resource, "region", resource.region, book)
        check_sharing(resource, place, catalogue, book)


def _check_metadata(resource: Resource, place: str, book: Notebook) -> None:
    """Code, provider's code and dates after the 2017 guide."""
    if repair := repair_of(resource.code):
        book.error(place, "catalog.resource-code", value=resource.code, repair=repair)
    for related in resource.related:
        if repair := repair_of(related):
            book.error(place, "catalog.resource-code", value=related, repair=repair)
    code = resource.provider_code
    if code is not None and (verdict := check_uscc(code)) is not Verdict.FINE:
        # Early pilot codes are legal although their check character does not fit.
        note = book.error if verdict is Verdict.FAULT else book.warning
        note(place, "catalog.provider-code", value=code)
    if resource.published is not None and not _is_day(resource.published):
        book.error(place, "catalog.published", value=resource.published)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


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
        book.error(
            place, "catalog.key-missing", role=role, name=name, near=near, **_role_words(role)
        )
    elif item.group is not None or item.is_list or not item.required:
        book.error(place, "catalog.key-optional", role=role, name=name, **_role_words(role))


def _role_words(role: str) -> Facts:
    return worded("role", f"catalogue.role.{role}")
