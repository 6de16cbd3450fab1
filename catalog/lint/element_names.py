"""Names of data elements: their words in order, near-synonyms, and elements that are retired.

Standard   GB/T 19488.1-2004: object class, property, representation; uniqueness of names
"""

from __future__ import annotations

import re

from catalog.lint.finding import Notebook, nearest
from catalog.model import Catalogue, DataElement, ElementStatus, Item

__all__ = ["check_element_names"]

_NOT_TOLD = re.compile(r"[\s,，.。、·/／()（）_\-—的]+")


def check_element_names(catalogue: Catalogue, book: Notebook) -> None:
    for name, element in catalogue.elements.items():
        _check_words(element, f"element {name}", book)
        _check_status(element, f"element {name}", catalogue, book)
    _check_synonyms(catalogue, book)
    for name, resource in catalogue.resources.items():
        _check_use(resource.items, f"resource {name}", catalogue, book)


def _check_words(element: DataElement, place: str, book: Notebook) -> None:
    """The declared words stand in the name, in order. One that the word before ends with is left out."""
    told = (element.object_class, element.property, element.representation)
    kept: list[str] = []
    for word in filter(None, told):
        if not (kept and kept[-1].endswith(word)):
            kept.append(word)
    if not kept:
        return
    ends = element.representation is None or element.name.zh.endswith(kept[-1])
    if re.search(".*".join(map(re.escape, kept)), element.name.zh) is None or not ends:
        book.error(place, "catalog.name-words", name=element.name.zh, repair="".join(kept))


def _check_status(element: DataElement, place: str, catalogue: Catalogue, book: Notebook) -> None:
    by = element.replaced_by
    if by is None:
        return
    if element.status is not ElementStatus.RETIRED:
        book.error(place, "catalog.replaced-alive", name=element.short_name, by=by)
    if by not in catalogue.elements:
        near = nearest(by, catalogue.elements)
        book.error(place, "catalog.unknown-element", element=by, near=near)


def _check_synonyms(catalogue: Catalogue, book: Notebook) -> None:
    """No word may mean two elements, however it is punctuated."""
    first: dict[str, str] = {}
    for name, element in catalogue.elements.items():
        first.setdefault(_bare(element.name.zh), name)
    for name, element in catalogue.elements.items():
        for word in (element.name.zh, *element.synonyms):
            other = first.setdefault(_bare(word), name)
            same_name = catalogue.elements[other].name.zh == element.name.zh  # told already
            if other != name and not same_name:
                book.error(f"element {name}", "catalog.near-synonym", word=word, other=other)


def _bare(word: str) -> str:
    return _NOT_TOLD.sub("", word).casefold()


def _check_use(items: tuple[Item, ...], place: str, catalogue: Catalogue, book: Notebook) -> None:
    for item in items:
        element = catalogue.elements.get(item.element or "")
        if element is not None and element.status is ElementStatus.RETIRED:
            at, by = f"{place} {item.wire_name}", element.replaced_by or "–"
            book.error(at, "catalog.element-retired", name=item.wire_name, by=by)
        _check_use(item.items, place, catalogue, book)
