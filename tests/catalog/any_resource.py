"""Resources that hypothesis makes up: any element that the linter would let pass, in any place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from hypothesis import strategies as st

from catalog.model import (
    Catalogue,
    CodeList,
    DataElement,
    DataType,
    Item,
    Names,
    Resource,
    Share,
    UpdateCycle,
)

__all__ = ["JSON", "catalogues", "near_misses"]

MOMENTS = {
    DataType.DATE: ("d8", "d10", "YYYYMMDD"),
    DataType.DATETIME: ("dt14", "dt19", "YYYYMMDDThhmmss"),
    DataType.TIME: ("t6",),
}
IDENTIFIERS = {
    "uscc": "an18",
    "organisation-code": "an9..10",
    "citizen-id": "an18",
    "licence-id": "an..100",
    "food-licence": "an16",
}
NAMES = Names(zh="名称", en="name")

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
_DAYS = st.from_regex(r"(?:000[0-9]|1900|2000|2026|2028)-[01][0-9]-[0-3][0-9]", fullmatch=True)
_TIMES = st.from_regex(r"[0-2][0-9]:[0-6][0-9]:[0-6][0-9]", fullmatch=True)
_BLANKS = "\t\n\x0b\x1c\x1f \x85\xa0\u200b\u2028\u3000\ufeff\x00\x7f\ufffe\U0001f600a名"


def near_misses() -> st.SearchStrategy[Any]:
    """Values at the edge of what some element allows."""
    moments = st.builds("{}T{}".format, _DAYS, _TIMES)
    compact = moments.map(lambda each: each.replace("-", "").replace(":", ""))
    return st.one_of(
        st.from_regex(r"-?[0-9]{0,5}(\.[0-9]{0,4})?\n?", fullmatch=True),
        st.integers(-120, 120).map(lambda n: f"{n / 10:.2f}"),
        _DAYS,
        moments,
        compact,
        compact.map(lambda each: each[:8]),
        _TIMES.map(lambda each: each.replace(":", "")),
        st.from_regex(r"[1-9][0-9]{5}[0-9]{4}[01][0-9][0-3][0-9][0-9]{3}[0-9X]\n?", fullmatch=True),
        st.from_regex(r"[0-9A-Z]{8}-?[0-9X]\n?", fullmatch=True),
        st.text(_BLANKS, max_size=8),
        st.integers(-10_001, 10_001),
        st.sampled_from(["5qC3", "5qC3\n", "5qC=", "1", "2", "10", "A1", 0.0, 1.0, 3.0, 10**18]),
    )


@st.composite
def _numbers(draw: st.DrawFn) -> dict[str, Any]:
    digits = draw(st.integers(1, 6))
    places = draw(st.none() | st.integers(0, digits))
    largest = Decimal(10) ** (digits - (places or 0)) - 1
    finest = Decimal(1).scaleb(-(places or 0))
    limits = st.none() | st.integers(-int(largest), int(largest)).map(
        lambda n: Decimal(n) + (finest if n < largest else 0)
    )
    low, high = draw(limits), draw(limits)
    if low is not None and high is not None and high < low:
        low, high = high, low
    domain = {
        "minimum": str(low) if low is not None else None,
        "maximum": str(high) if high is not None else None,
    }
    form = f"n..{digits}" if places is None else f"n..{digits},{places}"
    return {"type": DataType.NUMBER, "format": form, "domain": domain}


@st.composite
def _texts(draw: st.DrawFn) -> dict[str, Any]:
    match draw(st.sampled_from(["free", "digits", "pattern", "codes", "identifier"])):
        case "free":
            form = draw(st.sampled_from(["a..5", "an3..8", "an4", "..ul", "an1"]))
            return {"format": form}
        case "digits":
            return {"format": draw(st.sampled_from(["n1", "n..4", "n2..3", "n6"]))}
        case "pattern":
            return {"format": draw(st.sampled_from(["an5(aannn)", "n2(nn)", "a1(a)"]))}
        case "codes":
            return {"format": "an1..2", "domain": {"codes": "some"}}
        case _:
            kind = draw(st.sampled_from(sorted(IDENTIFIERS)))
            return {"format": IDENTIFIERS[kind], "domain": {"identifier": kind}}


@st.composite
def _elements(draw: st.DrawFn, number: int) -> DataElement:
    kind = draw(st.sampled_from(sorted(DataType)))
    told: dict[str, Any]
    match kind:
        case DataType.BOOLEAN:
            told = {"format": "bl"}
        case DataType.BINARY:
            told = {"format": "bn"}
        case DataType.NUMBER:
            told = draw(_numbers())
        case DataType.STRING:
            told = draw(_texts())
        case _:
            told = {"format": draw(st.sampled_from(MOMENTS[kind]))}
    return DataElement.model_validate(
        {
            "identifier": f"HUB.ANY.{number:04}",
            "name": NAMES,
            "short_name": f"item{number}",
            "definition": "任意。",
            "type": kind,
            **told,
        }
    )


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """One resource, ``any``, of a few items, some in groups and lists."""
    count = draw(st.integers(1, 5))
    elements = [draw(_elements(number)) for number in range(count)]
    occurs: st.SearchStrategy[int | Literal["N"]] = st.sampled_from([1, 1, 1, 3, "N"])
    plain = [
        Item(element=each.short_name, required=draw(st.booleans()), max_occurs=draw(occurs))
        for each in elements
    ]
    grouped = draw(st.integers(0, count))
    items: tuple[Item, ...] = tuple(plain[grouped:])
    if grouped:
        group = Item(
            group="Some",
            name=NAMES,
            items=tuple(plain[:grouped]),
            required=draw(st.booleans()),
            max_occurs=draw(occurs),
        )
        items = (*items, group)
    resource = Resource(
        resource="any",
        code="307013/900001",
        name=NAMES,
        summary="任意。",
        provider="某部门",
        category="ZA",
        cycle=UpdateCycle.DAY,
        share=Share(type="unconditional", way="file"),
        subject="item0",
        items=items,
    )
    some = CodeList(name="some", title=NAMES, codes={"1": "一", "2": "二", "A1": "甲"})
    return Catalogue(
        elements={each.short_name: each for each in elements},
        resources={"any": resource},
        code_lists={"some": some},
    )
