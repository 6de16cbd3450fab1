"""Data elements: names, formats, domains, sensitivity.

Standard   GB/T 19488.1-2004; names after R-A4
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from catalog.derive.validator import compile_validator
from catalog.lint.finding import Notebook, nearest
from catalog.lint.wording import is_placeholder
from catalog.model import (
    Catalogue,
    DataElement,
    DataType,
    Item,
    Names,
    Resource,
    Sensitivity,
    Share,
    UpdateCycle,
)
from catalog.short_names import is_item_name, plural_in
from schemas.errors import Misconfigured
from schemas.formats import Format, parse_format
from schemas.made_up import real_in
from schemas.texts import worded

__all__ = ["check_elements"]

_KINDS: dict[DataType, frozenset[str]] = {
    DataType.STRING: frozenset({"text"}),
    DataType.NUMBER: frozenset({"number", "text"}),  # n..4: an integer; n..16,2: decimals
    DataType.DATE: frozenset({"date"}),
    DataType.DATETIME: frozenset({"datetime"}),
    DataType.TIME: frozenset({"time"}),
    DataType.BOOLEAN: frozenset({"boolean"}),
    DataType.BINARY: frozenset({"binary"}),
}
# What tells of a person in a name. An organisation's own address or telephone is said so.
_OF_A_PERSON = re.compile(
    r"姓名|身份证|证件号码|公民身份|手机|移动号码|移动电话|联系电话|电子信箱|住址|详细地址|通信地址|银行账号"
)


def check_elements(catalogue: Catalogue, book: Notebook) -> None:
    """Each by itself, then against one another."""
    for name, element in catalogue.elements.items():
        place = f"element {name}"
        _check_names(element, place, book)
        form = _check_format(element, place, book)
        _check_domain(element, form, place, catalogue, book)
        if form is not None:
            _check_example(element, place, catalogue, book)
        if element.sensitivity in (Sensitivity.OPEN, Sensitivity.INTERNAL) and (
            _OF_A_PERSON.search(element.name.zh)
        ):
            book.error(place, "catalog.not-marked-personal", name=element.name.zh)
    _check_unique(catalogue, book)
    _check_bound(catalogue, book)


def _check_names(element: DataElement, place: str, book: Notebook) -> None:
    name = element.short_name
    if not is_item_name(name):
        book.error(place, "catalog.short-name-form", name=name, wanted="lowerCamelCase")
    elif plural := plural_in(name):
        book.error(place, "catalog.short-name-plural", name=name, word=plural)
    texts = {
        "name.zh": element.name.zh,
        "name.en": element.name.en,
        "definition": element.definition,
        "unit": element.unit,
        "note": element.note,
        "example": element.example,
    }
    for field, text in texts.items():
        if text is not None and is_placeholder(text):
            book.error(place, "catalog.placeholder", field=field, text=text)


def _check_format(element: DataElement, place: str, book: Notebook) -> Format | None:
    try:
        form = parse_format(element.format)
    except Misconfigured as error:
        book.error(place, error.code, **error.facts)
        return None
    fits = form.kind in _KINDS[element.type]
    if element.type is DataType.NUMBER and form.kind == "text":
        fits = form.digits
    if not fits:
        words = worded("type", f"catalogue.type.{element.type}")
        book.error(place, "catalog.format-type", format=element.format, **words)
        return None
    return form


def _check_domain(
    element: DataElement, form: Format | None, place: str, catalogue: Catalogue, book: Notebook
) -> None:
    domain = element.domain
    by_sibling = domain.identifier_by is not None
    kinds = (domain.codes, domain.identifier, domain.identifier_by)
    limits = (domain.minimum, domain.maximum)
    if sum(kind is not None for kind in kinds) + any(limits) > 1 or (
        by_sibling != bool(domain.identifiers)
    ):
        book.error(place, "catalog.domain-conflict")
    textual = any(kind is not None for kind in kinds)
    if textual and element.type is not DataType.STRING:
        book.error(place, "catalog.domain-type", **worded("type", f"catalogue.type.{element.type}"))
    if any(limits) and element.type is not DataType.NUMBER:
        book.error(place, "catalog.domain-type", **worded("type", f"catalogue.type.{element.type}"))
    _check_limits(domain.minimum, domain.maximum, place, book)
    if domain.codes is None:
        return
    code_list = catalogue.code_lists.get(domain.codes)
    if code_list is None:
        near = nearest(domain.codes, catalogue.code_lists)
        book.error(place, "catalog.unknown-codes", code_list=domain.codes, near=near)
    elif form is not None:
        for code in code_list.codes:
            digits = not form.digits or (code.isascii() and code.isdigit())
            if not (form.least <= len(code) <= form.most and digits):
                book.error(
                    place,
                    "catalog.code-format",
                    code=code,
                    code_list=domain.codes,
                    format=element.format,
                )


def _check_limits(low: str | None, high: str | None, place: str, book: Notebook) -> None:
    try:
        least = Decimal(low) if low is not None else None
        most = Decimal(high) if high is not None else None
    except InvalidOperation:
        book.error(place, "catalog.limits", low=low, high=high)
        return
    if least is not None and most is not None and least > most:
        book.error(place, "catalog.limits", low=low, high=high)


def _check_example(element: DataElement, place: str, catalogue: Catalogue, book: Notebook) -> None:
    """An example that breaks its own element misleads every reader."""
    if element.example is None or element.type not in (
        DataType.STRING,
        DataType.DATE,
        DataType.DATETIME,
        DataType.TIME,
    ):
        return
    try:
        validate = compile_validator(_alone(element), catalogue)
    except Misconfigured:
        return  # told already: its code list is unknown
    found = validate({element.short_name: element.example})
    if found.faults:
        book.error(place, "catalog.example", example=element.example, rule=found.faults[0].code)
    if real := real_in(element.example):
        book.warning(place, "catalog.real-data", **worded("what", f"made-up.{real}"))


def _alone(element: DataElement) -> Resource:
    return Resource(
        resource="alone",
        code="000000/0",
        name=Names(zh="独", en="alone"),
        summary="独",
        provider="独",
        category="独",
        cycle=UpdateCycle.ON_DEMAND,
        share=Share(type="none", way="interface"),
        subject=element.short_name,
        items=(Item(element=element.short_name, required=True),),
    )


def _check_unique(catalogue: Catalogue, book: Notebook) -> None:
    said: dict[str, Callable[[DataElement], str]] = {
        "catalog.duplicate-identifier": lambda each: each.identifier,
        "catalog.duplicate-name": lambda each: each.name.zh,
        "catalog.duplicate-english": lambda each: each.name.en.lower(),
        "catalog.duplicate-short-name": lambda each: each.short_name.lower(),
    }
    for code, value_of in said.items():
        first: dict[str, str] = {}
        for name, element in catalogue.elements.items():
            value = value_of(element)
            other = first.setdefault(value, name)
            if other != name:
                book.error(f"element {name}", code, value=value, other=other)


def _check_bound(catalogue: Catalogue, book: Notebook) -> None:
    bound = {
        name for resource in catalogue.resources.values() for name in _elements_of(resource.items)
    }
    for name, element in catalogue.elements.items():
        # What is taken from a standard is declared for whoever will bind it.
        if name not in bound and element.standard is None:
            book.warning(f"element {name}", "catalog.element-unused", name=name)


def _elements_of(items: tuple[Item, ...]) -> set[str]:
    found: set[str] = set()
    for item in items:
        if item.element:
            found.add(item.element)
        found |= _elements_of(item.items)
    return found
