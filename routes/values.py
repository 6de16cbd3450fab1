"""The right side of a mapping, and conditions: what a person may write, checked as it is read.

Form       a value is a path, or one origin (``from const join split first when each list``) with
           modifiers, which apply in this order however they are written:
           ``text codes number date default required``
Careful    an empty text, a JSON null and an empty list count as absent (缺失)
Not here   what a value does: `routes.compiler`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Strict,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from routes.dates import check_format
from routes.paths import parse_path
from schemas.declarations import Declared

__all__ = [
    "AllOf",
    "AnyOf",
    "Case",
    "Condition",
    "DateText",
    "Equals",
    "Map",
    "Not",
    "Number",
    "PathText",
    "Scalar",
    "Some",
    "Spoken",
    "Test",
    "Value",
    "refused",
    "targets_of",
]

E = TypeVar("E")
Scalar = str | int | bool
ORIGINS = ("from", "const", "join", "split", "first", "when", "each", "list")
_TARGET = re.compile(r"[^.\s]+(\.[^.\s]+)*")
_TIMES = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


def refused(kind: str, said: str) -> PydanticCustomError:
    """An error that pydantic shows as *said*; braces in it are text."""
    return PydanticCustomError(kind, "{said}", {"said": said})


def _path(text: Any) -> str:
    if not isinstance(text, str):
        raise refused("path", f"a path is text, such as applicant.name; found {text!r}")
    try:
        parse_path(text)
    except ValueError as error:
        raise refused("path", str(error)) from error
    return text


def _date(text: Any) -> str:
    if not isinstance(text, str):
        raise refused("date", f"a date format is text, such as %Y%m%d; found {text!r}")
    try:
        check_format(text)
    except ValueError as error:
        raise refused("date", str(error)) from error
    return text


def _scalar(value: Any) -> Scalar:
    if not isinstance(value, str | int | bool):
        raise refused("scalar", "expected a text, a whole number, or true or false")
    return value


def _scalars(value: Any) -> tuple[Scalar, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise refused("scalar", "an empty list allows nothing; leave the condition out instead")
    return tuple(_scalar(each) for each in values)


def _times(text: Any) -> str:
    if not isinstance(text, str) or not _TIMES.fullmatch(text):
        raise refused("times", f'a factor is a number in quotes, such as "0.01"; found {text!r}')
    return text


RESERVED = ("all", "any", "not", "field")
_TAGS = dict(zip(RESERVED, ("all of", "any of", "not so", "a test"), strict=True))
# Below a validator of ours pydantic no longer reads JSON, and a strict tuple would refuse a list.
Some = Annotated[tuple[E, ...], Strict(strict=False), Field(min_length=1)]
_SCALAR_SCHEMA = {"type": ["string", "integer", "boolean"]}
PathText = Annotated[str, BeforeValidator(_path)]
DateText = Annotated[str, BeforeValidator(_date)]
OneScalar = Annotated[Scalar, BeforeValidator(_scalar), WithJsonSchema(_SCALAR_SCHEMA)]
Scalars = Annotated[
    tuple[OneScalar, ...],
    BeforeValidator(_scalars),
    WithJsonSchema(
        {"anyOf": [_SCALAR_SCHEMA, {"type": "array", "items": _SCALAR_SCHEMA, "minItems": 1}]}
    ),
]


class Spoken(Declared):
    """A part of the language: keys only as people write them."""

    model_config = ConfigDict(populate_by_name=False)


class Number(Spoken):
    """A number in another unit, exactly."""

    times: Annotated[str, BeforeValidator(_times), Field(description='Factor, e.g. "0.01".')] = "1"
    places: Annotated[int, Field(ge=0, le=18, description="Decimals kept.")] = 0
    rounding: Annotated[
        Literal["half-up", "down"] | None,
        Field(alias="round", description="Without it, what does not fit is a fault."),
    ] = None
    write: Annotated[
        Literal["text", "number"] | None,
        Field(
            alias="as", description="JSON string or number; without it, a number if places is 0."
        ),
    ] = None


class Case(Spoken):
    """One branch of ``when``."""

    condition: Annotated[Condition, Field(alias="if")]
    then: Value


class Value(Spoken):
    """Where a value comes from, and what is done to it. A bare path is short for ``from``."""

    path: Annotated[PathText | None, Field(alias="from", description="Path of the value.")] = None
    const: Annotated[OneScalar | None, Field(description="The same for every message.")] = None
    join: Annotated[Some[Value] | None, Field(description="Texts put together.")] = None
    between: Annotated[str, Field(alias="with", description="Text between those joined.")] = ""
    split: Annotated[PathText | None, Field(description="Path of a text to take a part of.")] = None
    on: Annotated[str | None, Field(min_length=1, description="Where to split.")] = None
    take: Annotated[int | None, Field(description="Which part: 1 is the first, -1 the last.")] = (
        None
    )
    first: Annotated[Some[Value] | None, Field(description="The first that is present.")] = None
    when: Annotated[Some[Case] | None, Field(description="The first case that holds.")] = None
    otherwise: Annotated[Value | None, Field(alias="else", description="If no case holds.")] = None
    each: Annotated[PathText | None, Field(description="Path of a list of objects.")] = None
    map: Annotated[Map | None, Field(description="What each object becomes.")] = None
    list_of: Annotated[PathText | None, Field(alias="list", description="List of values.")] = None

    text: Annotated[Literal["upper", "lower", "strip"] | None, Field()] = None
    codes: Annotated[str | None, Field(description="Code table to translate by.")] = None
    number: Annotated[Number | None, Field(description="Change of unit.")] = None
    date: Annotated[DateText | None, Field(description="The partner's date format.")] = None
    default: Annotated[OneScalar | None, Field(description="If absent; in the target's terms.")] = (
        None
    )
    required: Annotated[bool, Field(description="Absence is a fault.")] = False

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"from": given}
        if not isinstance(given, Mapping):
            raise refused(
                "value",
                f"expected a path or a value such as {{from: path}}, found {given!r}"
                " (for a fixed value write {const: …})",
            )
        return given

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "minLength": 1}, handler(core)]}

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        found = [name for name in ORIGINS if getattr(self, _FIELD[name]) is not None]
        if len(found) != 1:
            several = f"found {' and '.join(found)}" if found else "found none"
            raise refused("value", f"a value has one of {', '.join(ORIGINS)}; {several}")
        origin = found[0]
        for key, wanted, present in (
            ("with", "join", "between" in self.model_fields_set),
            ("on", "split", self.on is not None),
            ("take", "split", self.take is not None),
            ("else", "when", self.otherwise is not None),
            ("map", "each", self.map is not None),
        ):
            if present and origin != wanted:
                raise refused("value", f"{key} goes with {wanted}, not with {origin}")
        if origin == "split" and (self.on is None or not self.take):
            raise refused("value", "split needs on, and take: 1 is the first part, -1 the last")
        if origin == "each" and self.map is None:
            raise refused("value", "each needs map: what each object of the list becomes")
        modifiers = [m for m in ("text", "codes", "number", "date") if getattr(self, m) is not None]
        if origin == "each" and (modifiers or self.default is not None):
            raise refused("value", "modifiers belong on the values of map, not beside each")
        if origin == "list" and self.default is not None:
            raise refused("value", "a list has no default")
        if self.date and len(modifiers) > (2 if self.text else 1):
            raise refused("value", "a date is no code and no number")
        return self

    @property
    def origin(self) -> str:
        return next(name for name in ORIGINS if getattr(self, _FIELD[name]) is not None)

    @property
    def bare(self) -> str | None:
        """The path, where the value is nothing else."""
        return self.path if self.model_fields_set == {"path"} else None

    def parts(self) -> Iterator[Value]:
        """The values it is made of: joined, tried, or chosen between."""
        yield from self.join or ()
        yield from self.first or ()
        for case in self.when or ():
            yield case.then
        if self.otherwise is not None:
            yield self.otherwise

    def source(self) -> str | None:
        """The path it hangs on: its own, or the first of its parts'. None for a constant."""
        own = self.path or self.split or self.each or self.list_of
        return own or next((p for part in self.parts() if (p := part.source())), None)


_FIELD = {name: name for name in ORIGINS} | {"from": "path", "list": "list_of"}


def _map(given: Mapping[str, Value]) -> Mapping[str, Value]:
    if not given:
        raise refused("map", "an empty map makes nothing")
    groups: set[str] = set()
    for target in given:
        if not _TARGET.fullmatch(target):
            raise refused("map", f"{target!r} is no name, nor names with dots between them")
        steps = target.split(".")
        groups.update(".".join(steps[:n]) for n in range(1, len(steps)))
    if twice := sorted(groups & given.keys()):
        raise refused("map", f"{twice[0]!r} is mapped twice: as a value and as an object")
    return given


Map = Annotated[
    Mapping[str, Value],
    AfterValidator(_map),
    Field(description="Target name to value; dots in a name make nested objects."),
]


def targets_of(mapping: Mapping[str, Value]) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Each value with the steps of the place it is written to."""
    for target, value in mapping.items():
        yield tuple(target.split(".")), value


class Equals(Spoken):
    """``{path: value}``, ``{path: [values]}``: each path has one of its values."""

    items: Annotated[Mapping[PathText, Scalars], Field(alias="=", min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        return {"=": given}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        whole = handler.resolve_ref_schema(handler(core))
        items: JsonSchemaValue = whole["properties"]["="]
        return {**items, "not": {"anyOf": [{"required": [key]} for key in RESERVED]}}


class Test(Spoken):
    """One field put to the test. Bounds written as numbers compare numbers, as texts compare text."""

    __test__ = False  # no test of pytest's

    field: Value
    equals: Annotated[OneScalar | None, Field(alias="is")] = None
    among: Annotated[Scalars | None, Field(alias="in")] = None
    exists: bool | None = None
    at_least: OneScalar | None = None
    at_most: OneScalar | None = None
    above: OneScalar | None = None
    below: OneScalar | None = None

    @model_validator(mode="after")
    def _something_asked(self) -> Self:
        if not self.model_fields_set - {"field"}:
            raise refused("test", "a test needs is, in, exists, at_least, at_most, above or below")
        return self


class AllOf(Spoken):
    conditions: Annotated[Some[Condition], Field(alias="all")]


class AnyOf(Spoken):
    conditions: Annotated[Some[Condition], Field(alias="any")]


class Not(Spoken):
    negated: Annotated[Condition, Field(alias="not")]


def _kind(given: Any) -> str:
    if isinstance(given, Mapping):
        return next((_TAGS[key] for key in RESERVED if key in given), "some items")
    # Never anything but a mapping from a file; a built one is told by its class.
    by_type = ((AllOf, "all of"), (AnyOf, "any of"), (Not, "not so"), (Test, "a test"))
    return next((tag for kind, tag in by_type if isinstance(given, kind)), "some items")


# No tag is a key of the language: the place of an error then is the place in the file.
Condition = Annotated[
    Annotated[AllOf, Tag("all of")]
    | Annotated[AnyOf, Tag("any of")]
    | Annotated[Not, Tag("not so")]
    | Annotated[Test, Tag("a test")]
    | Annotated[Equals, Tag("some items")],
    Discriminator(_kind),
    Field(description="{path: value or [values]} · {field: path, is: …} · all, any, not"),
]
