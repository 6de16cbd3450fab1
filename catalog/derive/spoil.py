"""Bodies that are each wrong in exactly one way, with the fault that the validator owes for it.

For tests of partners and of ourselves: one body for each item and each rule that the item has, made
from a valid body that holds every item.

Form       *at* is the JSON Pointer (RFC 6901) of the fault, *code* its code: what
           `catalog.derive.validator` tells of the body, and all that it tells
Promises   the same state of *rng* gives the same bodies; where a rule cannot be broken alone (a code
           list without a gap, decimals that fill all digits) there is no body for it
Careful    reasoned from the declaration, never asked of the validator: it is what the validator is
           tested with
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from random import Random

from catalog.derive.checks import LONGEST_DECIMAL, MOST_DIGITS
from catalog.derive.sample import sample_body
from catalog.model import Catalogue, DataElement, DataType, Item, Resource
from schemas.formats import UNLIMITED, Format, parse_format
from schemas.identifiers import CHECKS, Verdict
from schemas.message import Body, Json

__all__ = ["Spoilt", "spoilt_bodies"]

# What one character each: of a text, of digits, and one that cannot be carried.
TEXT, DIGIT, CONTROL = "样", "0", "\x07"
_NO_MOMENT = {
    "d8": "20260230",
    "YYYYMMDD": "20260230",
    "d10": "2026-02-30",
    "t6": "246060",
    "dt14": "20260230090000",
    "YYYYMMDDhhmmss": "20260230090000",
    "YYYYMMDDThhmmss": "20260230T090000",
    "dt19": "2026-02-30T09:00:00",
}
Wrong = tuple[str, Json]


@dataclass(frozen=True, slots=True)
class Spoilt:
    """*body* has one fault: *code*, at *at*."""

    code: str
    at: str
    body: Body


def spoilt_bodies(resource: Resource, catalogue: Catalogue, rng: Random) -> Iterator[Spoilt]:
    """Raises `Misconfigured` where an item is bound to nothing known."""
    whole = sample_body(resource, catalogue, rng, whole=True)
    yield from _of_group(resource.items, catalogue, whole, "")


def _of_group(
    items: tuple[Item, ...], catalogue: Catalogue, group: Mapping[str, Json], at: str
) -> Iterator[Spoilt]:
    """*at*: the pointer of *group*, a valid one. The bodies are spoilt groups."""
    for item in items:
        name, value = item.wire_name, group[item.wire_name]
        here = f"{at}/{name}"
        if item.required:
            rest = {key: each for key, each in group.items() if key != name}
            yield Spoilt("item.missing", here, rest)
        for each in _of_item(item, catalogue, value, here):
            yield Spoilt(each.code, each.at, {**group, **each.body})
        yield from _of_kinds(item, items, catalogue, group, here)
    strange = "unknownItem"
    while strange in group:
        strange += "X"
    yield Spoilt("item.unknown", f"{at}/{strange}", {**group, strange: TEXT})


def _of_item(item: Item, catalogue: Catalogue, value: Json, at: str) -> Iterator[Spoilt]:
    """The bodies hold the item alone."""
    name = item.wire_name
    if not isinstance(value, list):
        yield from _of_one(item, catalogue, value, at)
        return
    yield Spoilt("item.type", at, {name: TEXT})
    if item.required:
        yield Spoilt("item.missing", at, {name: []})
    if isinstance(item.max_occurs, int):
        yield Spoilt("item.too-many", at, {name: [value[0]] * (item.max_occurs + 1)})
    for each in _of_one(item, catalogue, value[0], f"{at}/0"):
        yield Spoilt(each.code, each.at, {name: [each.body[name], *value[1:]]})


def _of_one(item: Item, catalogue: Catalogue, value: Json, at: str) -> Iterator[Spoilt]:
    name = item.wire_name
    if isinstance(value, Mapping):
        yield Spoilt("item.type", at, {name: TEXT})
        for each in _of_group(item.items, catalogue, value, at):
            yield Spoilt(each.code, each.at, {name: each.body})
        return
    for code, wrong in _of_element(catalogue.elements[name], catalogue):
        yield Spoilt(code, at, {name: wrong})


def _of_kinds(
    item: Item,
    beside: tuple[Item, ...],
    catalogue: Catalogue,
    group: Mapping[str, Json],
    at: str,
) -> Iterator[Spoilt]:
    """A number that is none of the kind which the code beside it tells."""
    element = catalogue.elements.get(item.element or "")
    by = element.domain.identifier_by if element else None
    others = {each.element: each for each in beside}
    if element is None or by is None or by not in others or others[by].is_list or item.is_list:
        return
    known = catalogue.code_lists.get(catalogue.elements[by].domain.codes or "")
    for code, kind in element.domain.identifiers.items():
        wrong = _no_identifier(kind, parse_format(element.format))
        if wrong is not None and (known is None or code in known.codes):
            yield Spoilt("item.identifier", at, {**group, by: code, item.wire_name: wrong})


def _of_element(element: DataElement, catalogue: Catalogue) -> Iterator[Wrong]:
    form = parse_format(element.format)
    match element.type:
        case DataType.BOOLEAN:
            yield "item.type", "true"
        case DataType.BINARY:
            yield "item.type", TEXT
        case DataType.NUMBER if form.places is None:
            yield from _of_whole(element, form)
        case DataType.NUMBER:
            yield from _of_decimal(element, form)
        case DataType.DATE | DataType.DATETIME | DataType.TIME:
            yield "item.date", 20260228
            yield "item.date", _NO_MOMENT[form.notation]
        case DataType.STRING:
            yield from _of_text(element, form, catalogue)


def _of_whole(element: DataElement, form: Format) -> Iterator[Wrong]:
    yield "item.type", "1"
    yield "item.type", 1.5
    beyond = int(10 ** min(form.most, MOST_DIGITS))
    yield "item.too-long", beyond
    domain = element.domain
    if domain.minimum is not None:
        below = int(Decimal(domain.minimum).to_integral_value(ROUND_CEILING)) - 1
        if -beyond < below < beyond:
            yield "item.range", below
    if domain.maximum is not None:
        above = int(Decimal(domain.maximum).to_integral_value(ROUND_FLOOR)) + 1
        if -beyond < above < beyond:
            yield "item.range", above


def _of_decimal(element: DataElement, form: Format) -> Iterator[Wrong]:
    places = form.places or 0
    yield "item.type", 12.5
    yield "item.type", "1,5"
    low = Decimal(element.domain.minimum) if element.domain.minimum else None
    high = Decimal(element.domain.maximum) if element.domain.maximum else None
    # A value of the domain near zero, with one decimal too many.
    middle = max(low or Decimal(0), Decimal(0)) if high is None or high >= 0 else high
    finer = f"{middle.quantize(Decimal(1).scaleb(-places - 1), ROUND_CEILING):f}"
    if _digits(finer) <= form.most and (high is None or Decimal(finer) <= high):
        yield "item.places", finer
    yield "item.too-long", "0" * (LONGEST_DECIMAL + 1)
    if high is None and form.most < LONGEST_DECIMAL:
        yield "item.too-long", "9" * (form.most + 1)
    step = Decimal(1).scaleb(-places)
    if low is not None:
        below = low.quantize(step, ROUND_CEILING) - step
        if _digits(f"{below:f}") <= form.most:
            yield "item.range", f"{below:f}"
    if high is not None:
        above = high.quantize(step, ROUND_FLOOR) + step
        if _digits(f"{above:f}") <= form.most:
            yield "item.range", f"{above:f}"


def _digits(number: str) -> int:
    """As GB/T 19488 counts them: leading zeros are none."""
    whole, _, part = number.lstrip("-").partition(".")
    return len(whole.lstrip("0")) + len(part)


def _of_text(element: DataElement, form: Format, catalogue: Catalogue) -> Iterator[Wrong]:
    one, least = DIGIT if form.digits else TEXT, max(form.least, 1)
    yield "item.type", 5
    if form.most < UNLIMITED:
        yield "item.too-long", one * (form.most + 1)
    yield "item.blank", " " * least
    if least > 1:
        yield "item.too-short", one * (least - 1)
    if form.digits or form.pattern:
        yield "item.characters", TEXT * least
    else:
        yield "item.control", CONTROL + TEXT * (least - 1)
    domain = element.domain
    if domain.codes is not None:
        code = _no_code(catalogue.code_lists[domain.codes].codes, form)
        if code is not None:
            yield "item.code", code
    elif domain.identifier is not None:
        wrong = _no_identifier(domain.identifier, form)
        if wrong is not None:
            yield "item.identifier", wrong


def _no_code(codes: Mapping[str, str], form: Format) -> str | None:
    """The first text of the right form that is none of *codes*."""
    return next((text for text in _fitting(form) if text not in codes), None)


def _no_identifier(kind: str, form: Format) -> str | None:
    """A text of the right form that has not even the form of an identifier."""
    return next((text for text in _fitting(form) if CHECKS[kind](text) is Verdict.FAULT), None)


def _fitting(form: Format) -> Iterator[str]:
    """Some texts of *form*, the shortest first."""
    least = max(form.least, 1)
    if form.pattern:
        kinds = form.notation.partition("(")[2].rstrip(")")
        for digit, letter in zip("0123456789", "ABCDEFGHIJ", strict=True):
            yield "".join(digit if kind == "n" else letter for kind in kinds)
    elif form.digits:
        for length in range(least, min(form.most, least + 1) + 1):
            yield from (f"{n:0{length}}" for n in range(min(10**length, 1000)))
    else:
        yield TEXT * least
        yield "I" * min(form.most, least + 1)
