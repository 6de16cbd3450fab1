"""What is asked of one value: type, length, characters, domain, the day that exists, the check digit.

Each element becomes a closure over its own limits, which notes everything wrong with a value, and a
*glance*: the few comparisons after which a value is surely fine, written into the compiled
validator. The closure alone decides; a glance that fails only means looking properly.

Standard   GB/T 19488.1-2004 formats, GB/T 39046-2020 types
Careful    facts never hold the value of an item that is personal or sensitive
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from catalog.derive.mask import redacted
from catalog.model import Catalogue, DataElement, DataType, Names, Sensitivity
from schemas.errors import Facts, Fault, Misconfigured
from schemas.formats import Format, parse_format
from schemas.identifiers import CHECKS, Verdict

__all__ = [
    "WANTED",
    "Check",
    "Found",
    "Told",
    "check_identifier",
    "compile_check",
    "glance",
    "told_of",
    "whole_limits",
]

SHOWN_LENGTH = 40
SHOWN_CODES = 30
# More digits than a double holds exactly; beyond Python's own limit a number cannot be written.
MOST_DIGITS = 18
LONGEST_DECIMAL = 64
Found = list[Fault]
Check = Callable[[Any, str, Found, Found], None]
Told = Callable[..., Facts]
Bind = Callable[[object], str]

# What a value should have been, as people are told.
WANTED: Mapping[str, Mapping[str, str]] = {
    "text": {"wanted_zh": "文本", "wanted_en": "a text"},
    "boolean": {"wanted_zh": "true 或 false", "wanted_en": "true or false"},
    "integer": {"wanted_zh": "整数（不加引号）", "wanted_en": "an integer without quotes"},
    "decimal": {
        "wanted_zh": '写成文本的小数，如 "12.50"',
        "wanted_en": 'a decimal number as text, such as "12.50"',
    },
    "base64": {"wanted_zh": "base64 文本", "wanted_en": "text in base64"},
    "array": {"wanted_zh": "列表", "wanted_en": "a list"},
    "object": {"wanted_zh": "对象", "wanted_en": "an object"},
}
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
# XML cannot carry these and databases refuse some; line breaks and tabs are what people type.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def told_of(element: DataElement, names: Names | None = None) -> Told:
    """Makes the facts of a fault: names, limits, and the value where it may be shown."""
    names = names or element.name
    base: Facts = {"name_zh": names.zh, "name_en": names.en}
    shows = element.sensitivity in (Sensitivity.OPEN, Sensitivity.INTERNAL)

    def told(value: Any, **more: str | int) -> Facts:
        shown: Facts = {"found": _shown(value)} if shows else {}
        return {**base, **more, **shown}

    return told


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**SHOWN_LENGTH:
        return "…"
    return redacted(str(value))[:SHOWN_LENGTH] if isinstance(value, str | int | float) else "…"


def compile_check(element: DataElement, catalogue: Catalogue, told: Told) -> Check:
    """Raises `Misconfigured` for a format or a code list that is not known."""
    form = parse_format(element.format)
    match element.type:
        case DataType.BOOLEAN:
            return _boolean(told)
        case DataType.NUMBER:
            return _number(element, form, told)
        case DataType.DATE | DataType.DATETIME | DataType.TIME:
            return _moment(form, told)
        case DataType.BINARY:
            return _binary(told)
        case DataType.STRING:
            return _text(element, form, catalogue, told)


def glance(element: DataElement, catalogue: Catalogue, bind: Bind, value: str) -> str | None:
    """A condition on the variable *value* that only fine values meet, or None: always look."""
    domain = element.domain
    form = parse_format(element.format)
    match element.type:
        case DataType.BOOLEAN:
            return f"{value} is True or {value} is False"
        case DataType.NUMBER if form.places is None:
            low, high = whole_limits(element, form)
            return f"{value}.__class__ is int and {bind(low)} <= {value} <= {bind(high)}"
        case DataType.NUMBER if domain.minimum is None and domain.maximum is None:
            return f"{value}.__class__ is str and {bind(_plain_decimal(form))}({value}) is not None"
        case DataType.DATE | DataType.DATETIME | DataType.TIME:
            return f"{value}.__class__ is str and {bind(_existence(form))}({value})"
        case DataType.STRING if form.pattern or domain.identifier_by is not None:
            return None
        case DataType.STRING if domain.identifier is not None and domain.codes is None:
            # Of what has such a form every character is a letter, a digit, a dot or a dash.
            verify, fine = bind(CHECKS[domain.identifier]), bind(Verdict.FINE)
            length = f"{bind(max(form.least, 1))} <= len({value}) <= {bind(form.most)}"
            digits = f" and {value}.isdigit()" if form.digits else ""
            return f"{value}.__class__ is str and {length}{digits} and {verify}({value}) is {fine}"
        case DataType.STRING if domain.identifier is None:
            if domain.codes is not None:
                codes = _fitting_codes(_codes(element, catalogue), form)
                return f"{value}.__class__ is str and {value} in {bind(codes)}"
            least, most = bind(max(form.least, 1)), bind(form.most)
            length = f"{value}.__class__ is str and {least} <= len({value}) <= {most}"
            digits = f" and {value}.isascii() and {value}.isdigit()"
            # Printable leaves out all controls; the one blank that is printable is not enough.
            letters = f" and {value}.isprintable() and not {value}.isspace()"
            return length + (digits if form.digits else letters)
        case _:
            return None


def whole_limits(element: DataElement, form: Format) -> tuple[int, int]:
    """The smallest and the largest integer that an element takes."""
    most = 10 ** min(form.most, MOST_DIGITS) - 1
    domain = element.domain
    low = (
        int(Decimal(domain.minimum).to_integral_value("ROUND_CEILING")) if domain.minimum else -most
    )
    high = int(Decimal(domain.maximum).to_integral_value("ROUND_FLOOR")) if domain.maximum else most
    return max(low, -most), min(high, most)


def _plain_decimal(form: Format) -> Callable[[str], object]:
    """Matches decimals without sign or leading zeros that surely fit."""
    places = form.places or 0
    before = min(form.most, LONGEST_DECIMAL // 2) - places
    whole = f"(?:0|[1-9][0-9]{{0,{before - 1}}})" if before > 0 else "(?!)"
    decimals = rf"(?:\.[0-9]{{1,{places}}})?" if 0 < places < LONGEST_DECIMAL // 2 else ""
    return re.compile(whole + decimals).fullmatch


def _fitting_codes(codes: Mapping[str, str], form: Format) -> frozenset[str]:
    return frozenset(
        code
        for code in codes
        if form.least <= len(code) <= form.most
        and (not form.digits or (code.isascii() and code.isdigit()))
    )


def _boolean(told: Told) -> Check:
    def check(value: Any, at: str, faults: Found, _: Found) -> None:
        if not isinstance(value, bool):
            faults.append(Fault("item.type", at, told(value, **WANTED["boolean"])))

    return check


def _number(element: DataElement, form: Format, told: Told) -> Check:
    places, domain = form.places, element.domain
    low = Decimal(domain.minimum) if domain.minimum else None
    high = Decimal(domain.maximum) if domain.maximum else None
    wanted = WANTED["integer" if places is None else "decimal"]
    span = f"{domain.minimum or '…'}–{domain.maximum or '…'}"
    most = min(form.most, MOST_DIGITS) if places is None else form.most

    def check(value: Any, at: str, faults: Found, _: Found) -> None:
        if not _is_number(value, whole=places is None):
            faults.append(Fault("item.type", at, told(value, **wanted)))
            return
        long = abs(value) >= 10**most if places is None else len(value) > LONGEST_DECIMAL
        if long:
            faults.append(Fault("item.too-long", at, told(value, limit=most)))
            return
        number = Decimal(value)
        before, after = _digits(number)
        if before + after > most:
            faults.append(Fault("item.too-long", at, told(value, limit=most)))
        if after > (places or 0):
            faults.append(Fault("item.places", at, told(value, limit=places or 0)))
        if (low is not None and number < low) or (high is not None and number > high):
            faults.append(Fault("item.range", at, told(value, range=span)))

    return check


def _is_number(value: Any, *, whole: bool) -> bool:
    if whole:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str) and _DECIMAL.fullmatch(value) is not None


def _digits(number: Decimal) -> tuple[int, int]:
    """Digits before and after the point; leading zeros do not count, trailing decimals do."""
    _, digits, exponent = number.as_tuple()
    after = max(0, -int(exponent))
    return max(0, len(digits) - after) if digits != (0,) else 0, after


def _existence(form: Format) -> Callable[[str], bool]:
    return _CALENDAR.get(form.notation) or _by_layout(form.layout, form.most)


def _moment(form: Format, told: Told) -> Check:
    exists = _existence(form)

    def check(value: Any, at: str, faults: Found, _: Found) -> None:
        if not (isinstance(value, str) and exists(value)):
            faults.append(Fault("item.date", at, told(value, wanted=form.notation)))

    return check


def _is_day(value: str) -> bool:
    # `fromisoformat` also takes weeks (2026-W10-3), which are ten characters too.
    if len(value) != 10 or value[4] != "-" or value[7] != "-":
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_second(value: str) -> bool:
    # 2026-03-04T16:30+08 has nineteen characters too, and later Pythons read 24:00:00.
    if (
        len(value) != 19
        or value[4] != "-"
        or value[7] != "-"
        or value[10] != "T"
        or value[13] != ":"
        or value[16] != ":"
        or value[11:13] == "24"
    ):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _by_layout(layout: str, length: int) -> Callable[[str], bool]:
    """For layouts of digits: as many of them as the layout has, and a moment that exists."""

    def exists(value: str) -> bool:
        digits = value.replace("T", "", 1) if "T" in layout else value
        if len(value) != length or not (digits.isascii() and digits.isdigit()):
            return False
        try:
            datetime.strptime(value, layout)  # noqa: DTZ007 - times in bodies are Beijing's
        except ValueError:
            return False
        return True

    return exists


def _is_time(value: str) -> bool:
    if len(value) != 6 or not (value.isascii() and value.isdigit()):
        return False
    try:
        time(int(value[:2]), int(value[2:4]), int(value[4:]))
    except ValueError:
        return False
    return True


_CALENDAR: Mapping[str, Callable[[str], bool]] = {
    "d10": _is_day,
    "dt19": _is_second,
    "t6": _is_time,
}


def _binary(told: Told) -> Check:
    def check(value: Any, at: str, faults: Found, _: Found) -> None:
        if not isinstance(value, str) or not _BASE64.fullmatch(value):
            faults.append(Fault("item.type", at, told(value, **WANTED["base64"])))

    return check


def _text(element: DataElement, form: Format, catalogue: Catalogue, told: Told) -> Check:
    codes = _codes(element, catalogue) if element.domain.codes is not None else None
    allowed = " ".join(list(codes)[:SHOWN_CODES]) if codes is not None else ""
    form_of = _form_of_text(form, told)
    kind = element.domain.identifier
    verify = check_identifier(kind, told) if kind is not None else None

    def check(value: Any, at: str, faults: Found, doubts: Found) -> None:
        if not isinstance(value, str):
            faults.append(Fault("item.type", at, told(value, **WANTED["text"])))
        elif fault := form_of(value, at):
            faults.append(fault)
        elif codes is not None and value not in codes:
            faults.append(Fault("item.code", at, told(value, allowed=allowed)))
        elif verify is not None:
            verify(value, at, faults, doubts)

    return check


def _form_of_text(form: Format, told: Told) -> Callable[[str, str], Fault | None]:
    """The first thing wrong with the form of a text, or None."""
    least, most, digits = form.least, form.most, form.digits
    pattern = re.compile(form.pattern) if form.pattern else None

    def form_of(value: str, at: str) -> Fault | None:
        length = len(value)
        if length > most:
            return Fault("item.too-long", at, told(value, limit=most, found_length=length))
        if not value or value.isspace():
            return Fault("item.blank", at, told(value))
        if length < least:
            return Fault("item.too-short", at, told(value, limit=least, found_length=length))
        fits = not digits or (value.isascii() and value.isdigit())
        if not fits or (pattern is not None and not pattern.fullmatch(value)):
            return Fault("item.characters", at, told(value, wanted=form.notation))
        if not value.isprintable() and _CONTROL.search(value):
            return Fault("item.control", at, told(""))
        return None

    return form_of


def check_identifier(kind: str, told: Told) -> Check:
    """An identifier of *kind*: a wrong form is a fault, a check character that misfits a doubt."""
    verify = CHECKS[kind]

    def check(value: Any, at: str, faults: Found, doubts: Found) -> None:
        match verify(value):
            case Verdict.FAULT:
                faults.append(Fault("item.identifier", at, told(value)))
            case Verdict.DOUBT:
                doubts.append(Fault("item.check-digit", at, told(value)))
            case Verdict.FINE:
                pass

    return check


def _codes(element: DataElement, catalogue: Catalogue) -> Mapping[str, str]:
    found = catalogue.code_lists.get(element.domain.codes or "")
    if found is None:
        raise Misconfigured(
            "catalog.unknown-codes", "No such code list", code_list=element.domain.codes
        )
    return found.codes
