"""What is done to one value at run time: small functions, made once with all they need.

Form       a step takes ``(value, at, faults)`` and returns the new value, None (absent) or `BAD`
Promises   raises nothing on any JSON value; a fault is told once and the value is `BAD` from then on
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from routes.dates import reader, spoken, writer
from routes.numbers import decimal_of, scale
from schemas.errors import Fact, Facts, Fault

__all__ = [
    "BAD",
    "Place",
    "Step",
    "boolean_of",
    "date_read",
    "date_written",
    "decimal_step",
    "deeper",
    "each_of",
    "integer_of",
    "joined",
    "kind_of",
    "listed",
    "looked_up",
    "missing",
    "part_of",
    "scalar_of",
    "scaled",
    "text_of",
    "texted",
]

MOST_FAULTS = 100
MOST_SHOWN = 40
MOST_CODES = 20
LONGEST_NUMBER = 10**30
MOST_INTEGER = 2**63 - 1  # what JSON writers, brokers and databases hold
Step = Callable[[Any, str, list[Fault]], Any]


class _Bad:
    """What became of a value that was at fault; it never leaves a mapping."""

    __slots__ = ()


BAD: Final = _Bad()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in its scope, and what is said of it. *shown*: may it be quoted?"""

    pointer: str
    facts: Facts = field(default_factory=dict)
    shown: bool = False

    def fault(self, code: str, at: str, faults: list[Fault], **facts: Fact) -> _Bad:
        if len(faults) < MOST_FAULTS:
            faults.append(Fault(code, at + self.pointer, {**self.facts, **facts}))
        return BAD

    def quoted(self, value: object) -> str:
        """The value as it may be told: cut, or only its sort where it is personal."""
        if not self.shown or not isinstance(value, str | int | float):
            return kind_of(value)
        if isinstance(value, int) and abs(value) >= LONGEST_NUMBER:
            return kind_of(value)
        return str(value)[:MOST_SHOWN]


def kind_of(value: object) -> str:
    """The sort of a JSON value, in one word."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "text"
        case int() | float():
            return "number"
        case Mapping():
            return "object"
        case _:
            return "list"


def missing(place: Place) -> Callable[[str, list[Fault]], None]:
    def tell(at: str, faults: list[Fault]) -> None:
        place.fault("map.missing", at, faults)

    return tell


def deeper(place: Place, name: str) -> Step:
    """One step down from what is no object: an element of a list by its number, or a fault."""

    def step(value: Any, at: str, faults: list[Fault]) -> Any:
        if isinstance(value, Mapping):
            return value.get(name)
        # An empty XML element reads as an empty text: nothing is in it.
        if value is None or value == "" or value is BAD:
            return value or None
        if isinstance(value, list | tuple) and name.isdecimal() and len(name) < 10:
            return value[int(name)] if int(name) < len(value) else None
        return place.fault("map.type", at, faults, expected="object", found=kind_of(value))

    return step


def scalar_of(place: Place) -> Step:
    def step(value: Any, at: str, faults: list[Fault]) -> Any:
        if value is None or value == "":
            return None
        if value is BAD or isinstance(value, str | bool):
            return value
        if isinstance(value, int | float) and abs(value) <= MOST_INTEGER:
            return value
        return place.fault("map.type", at, faults, expected="text", found=kind_of(value))

    return step


def text_of(place: Place) -> Step:
    def step(value: Any, at: str, faults: list[Fault]) -> Any:
        if value is None or value == "":
            return None
        if value is BAD or isinstance(value, str):
            return value
        if type(value) is int and abs(value) < LONGEST_NUMBER:
            return str(value)
        return place.fault("map.type", at, faults, expected="text", found=kind_of(value))

    return step


def integer_of(place: Place) -> Step:
    def step(value: Any, at: str, faults: list[Fault]) -> Any:
        if value is None or value == "":
            return None
        if value is BAD:
            return value
        if value.__class__ is str and value.isascii() and value.isdigit() and len(value) < 19:
            return int(value)
        number = decimal_of(value)
        if number is None or number != int(number) or abs(number) > MOST_INTEGER:
            found = place.quoted(value)
            return place.fault("map.number", at, faults, expected="integer", found=found)
        return int(number)

    return step


def decimal_step(place: Place) -> Step:
    """Text of a number with decimals, as bodies carry it."""

    def step(value: Any, at: str, faults: list[Fault]) -> Any:
        if value is None or value == "":
            return None
        if value is BAD:
            return value
        number = decimal_of(value)
        if number is None:
            found = place.quoted(value)
            return place.fault("map.number", at, faults, expected="decimal", found=found)
        return format(number, "f")

    return step


_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def boolean_of(place: Place) -> Step:
    def step(value: Any, at: str, faults: list[Fault]) -> Any:
        if value is None or value == "":
            return None
        if value is BAD or isinstance(value, bool):
            return value
        truth = _TRUTH.get(value.lower()) if isinstance(value, str) else None
        if type(value) is int and value in (0, 1):
            truth = value == 1
        if truth is None:
            return place.fault("map.type", at, faults, expected="boolean", found=kind_of(value))
        return truth

    return step


_CHANGES: Mapping[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "strip": str.strip,
}


def texted(change: str) -> Step:
    changed = _CHANGES[change]

    def step(value: Any, at: str, faults: list[Fault]) -> Any:  # noqa: ARG001 - one form for all steps
        return changed(value) or None if isinstance(value, str) else value

    return step


def looked_up(place: Place, table: str, codes: Mapping[str, str]) -> Step:
    """Translate by *codes*; a code that is not in the table is a fault that tells the table's."""
    known = sorted(codes)
    allowed = ", ".join(known[:MOST_CODES]) + (", …" if len(known) > MOST_CODES else "")

    def step(value: Any, at: str, faults: list[Fault]) -> Any:
        if value is None or value == "":
            return None
        if value is BAD:
            return BAD
        key = value
        if isinstance(value, bool):
            key = "true" if value else "false"
        elif isinstance(value, int) and abs(value) < LONGEST_NUMBER:
            key = str(value)
        code = codes.get(key) if isinstance(key, str) else None
        if code is None:
            found = place.quoted(value)
            return place.fault("map.code", at, faults, table=table, allowed=allowed, found=found)
        return code

    return step


def scaled(place: Place, times: str, places: int, rounding: str | None, write: str) -> Step:
    change = scale(times, places, rounding, write)
    expected = f"number with at most {places} decimals" if places else "integer"

    def step(value: Any, at: str, faults: list[Fault]) -> Any:
        if value is None or value == "":
            return None
        if value is BAD:
            return BAD
        number = change(value)
        if number is None or (isinstance(number, int) and abs(number) > MOST_INTEGER):
            found = place.quoted(value)
            return place.fault("map.number", at, faults, expected=expected, found=found)
        return number

    return step


def date_read(place: Place, form: str, shape: str) -> Step:
    return _dated(place, reader(form, shape), spoken(form))


def date_written(place: Place, form: str) -> Step:
    return _dated(place, writer(form), "YYYY-MM-DDThh:mm:ss")


def _dated(place: Place, change: Callable[[object], str | int | None], expected: str) -> Step:
    def step(value: Any, at: str, faults: list[Fault]) -> Any:
        if value is None or value == "":
            return None
        if (text := change(value)) is not None:
            return text
        if value is BAD:
            return BAD
        found = place.quoted(value)
        return place.fault("map.date", at, faults, expected=expected, found=found)

    return step


def joined(between: str, constant: tuple[bool, ...]) -> Callable[[tuple[Any, ...]], Any]:
    """Put the present parts together; absent where only constants are present."""
    only_constants = all(constant)

    def join(parts: tuple[Any, ...]) -> Any:
        if not only_constants:
            try:
                return between.join(parts)
            except TypeError:
                pass  # not all of them are texts
        if any(part is BAD for part in parts):
            return BAD
        if not any(p is not None for p, c in zip(parts, constant, strict=True) if not c):
            return None
        return between.join(_plain_text(part) for part in parts if part is not None)

    return join


def _plain_text(part: Any) -> str:
    if isinstance(part, bool):
        return "true" if part else "false"
    if isinstance(part, int) and abs(part) >= LONGEST_NUMBER:
        return ""
    return str(part)


def part_of(place: Place, on: str, take: int) -> Step:
    index = take - 1 if take > 0 else take

    def step(value: Any, at: str, faults: list[Fault]) -> Any:
        if value is None or value is BAD:
            return value
        if not isinstance(value, str):
            return place.fault("map.type", at, faults, expected="text", found=kind_of(value))
        parts = value.split(on)
        return (parts[index] or None) if -len(parts) <= index < len(parts) else None

    return step


Built = Callable[[Any, Any, Any, str, list[Fault]], Any]


def each_of(place: Place, build: Built) -> Callable[[Any, Any, Any, str, list[Fault]], Any]:
    """A list of objects by *build*; a lone object counts as a list of one, as XML readers give it."""

    def rows(value: Any, record: Any, envelope: Any, at: str, faults: list[Fault]) -> Any:
        if value is None or value is BAD or value == "":
            return value or None
        here = at + place.pointer
        if isinstance(value, Mapping):
            return [build(record, envelope, value, here, faults)]
        if not isinstance(value, list | tuple):
            return place.fault("map.type", at, faults, expected="list", found=kind_of(value))
        built = []
        for n, element in enumerate(value):
            if not isinstance(element, Mapping):
                Place(f"{place.pointer}/{n}", place.facts).fault(
                    "map.type", at, faults, expected="object", found=kind_of(element)
                )
                continue
            built.append(build(record, envelope, element, f"{here}/{n}", faults))
        return built or None

    return rows


def listed(place: Place, change: Step) -> Step:
    """A list of values, each changed by *change*; a lone value counts as a list of one."""

    def step(value: Any, at: str, faults: list[Fault]) -> Any:
        if value is None or value is BAD or value == "":
            return value or None
        if not isinstance(value, list | tuple):
            one = change(value, at + place.pointer, faults)
            return None if one is None else [one]
        here = at + place.pointer
        made = (change(each, f"{here}/{n}", faults) for n, each in enumerate(value))
        return [each for each in made if each is not None] or None

    return step
