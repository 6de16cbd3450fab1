"""Bodies made up for simulators, demonstrations and tests: valid, plausible, and of nobody.

Promises   every body passes its resource's validator, without faults and without doubts; the same
           state of *rng* gives the same body
Careful    nothing here can belong to a real person or enterprise: identity numbers carry the order
           000, which is never given out, credit codes the region 130199, which does not exist
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil, floor
from random import Random

from stdnum.iso7064 import mod_11_10, mod_37_36

from catalog.model import Catalogue, DataElement, DataType, Item, Resource
from schemas.errors import Misconfigured
from schemas.formats import Format, parse_format
from schemas.identifiers import (
    citizen_check_character,
    organisation_check_character,
    uscc_check_character,
)
from schemas.message import Body, Json

__all__ = ["sample_body", "sample_citizen_id", "sample_uscc"]

OPTIONAL_GIVEN = 0.7
MOST_IN_LIST = 3
_FAMILY_NAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_DISTRICTS = ("长安区", "桥西区", "新华区", "裕华区", "正定县", "鹿泉区")
_STREETS = ("示范路", "样例街", "演练大街", "测绘巷")
_TRADES = ("民宿", "客栈", "食品", "机械", "电子", "医药")
_UPPER = string.digits + string.ascii_uppercase
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_LARGEST_WHOLE = 30
_LARGEST_DECIMAL = 100_000
_FIRST_SECOND = datetime(2026, 1, 5, 9)  # noqa: DTZ001 - times in bodies are Beijing's
_SECONDS_OF_A_YEAR = 31_000_000


def sample_body(
    resource: Resource, catalogue: Catalogue, rng: Random, *, whole: bool = False
) -> Body:
    """A body of *resource*; optional items are left out now and then, unless *whole*."""
    return _group(resource.items, catalogue, rng, 1 if whole else OPTIONAL_GIVEN)


def sample_uscc(rng: Random) -> str:
    """A credit code whose check characters fit and whose region does not exist."""
    body = "".join(rng.choices(_CREDIT, k=8))
    organisation = body + organisation_check_character(body)
    first_17 = f"91130199{organisation}"
    return first_17 + uscc_check_character(first_17)


def sample_citizen_id(rng: Random) -> str:
    """An identity number whose check character fits and whose order is never given out."""
    born = datetime(1950, 1, 1) + timedelta(days=rng.randrange(20_000))  # noqa: DTZ001 - a birthday
    first_17 = f"130102{born:%Y%m%d}000"
    return first_17 + citizen_check_character(first_17)


def _licence_id(rng: Random) -> str:
    kind = f"{sample_uscc(rng)}{rng.randrange(1, 100):03}"
    parts = (kind, sample_uscc(rng), f"2026{rng.randrange(10**7):07}", "001")
    check = mod_37_36.calc_check_digit("".join(parts))
    return f"1.2.156.3005.2.{'.'.join(parts)}.{check}"


def _food_licence(rng: Random) -> str:
    first_13 = f"2130199{rng.randrange(10**6):06}"
    return f"JY{first_13}{mod_11_10.calc_check_digit(first_13)}"


def _organisation_code(rng: Random) -> str:
    body = "".join(rng.choices(_UPPER, k=8))
    return body + organisation_check_character(body)


_IDENTIFIERS: Mapping[str, Callable[[Random], str]] = {
    "uscc": sample_uscc,
    "organisation-code": _organisation_code,
    "citizen-id": sample_citizen_id,
    "licence-id": _licence_id,
    "food-licence": _food_licence,
}


def _group(
    items: tuple[Item, ...], catalogue: Catalogue, rng: Random, share: float
) -> dict[str, Json]:
    """*share* of the optional items is given."""
    given = [item for item in items if item.required or rng.random() < share]
    body: dict[str, Json] = {}
    # What depends on the code beside it comes after that code.
    for item in sorted(given, key=lambda each: _depends(each, catalogue)):
        if item.is_list:
            most = item.max_occurs if isinstance(item.max_occurs, int) else MOST_IN_LIST
            count = rng.randint(1, min(most, MOST_IN_LIST))
            body[item.wire_name] = [_one(item, catalogue, rng, share, body) for _ in range(count)]
        else:
            body[item.wire_name] = _one(item, catalogue, rng, share, body)
    _put_in_order(given, body, catalogue)
    return {item.wire_name: body[item.wire_name] for item in given}


def _put_in_order(items: list[Item], body: dict[str, Json], catalogue: Catalogue) -> None:
    """Times as a resource lists them follow one another: a start, then its end."""
    for form in ("d8", "d10", "dt14", "dt19"):
        names = [
            item.wire_name
            for item in items
            if not item.is_list
            and (element := catalogue.elements.get(item.wire_name)) is not None
            and element.format == form
        ]
        times = sorted(str(body[name]) for name in names)
        body.update(zip(names, times, strict=True))


def _depends(item: Item, catalogue: Catalogue) -> bool:
    element = catalogue.elements.get(item.element or "")
    return element is not None and element.domain.identifier_by is not None


def _one(
    item: Item, catalogue: Catalogue, rng: Random, share: float, beside: Mapping[str, Json]
) -> Json:
    if item.group:
        return _group(item.items, catalogue, rng, share)
    element = catalogue.elements.get(item.element or "")
    if element is None:
        raise Misconfigured("catalog.unknown-element", "No such element", element=item.wire_name)
    return _value(element, catalogue, rng, beside)


def _value(
    element: DataElement, catalogue: Catalogue, rng: Random, beside: Mapping[str, Json]
) -> Json:
    form = parse_format(element.format)
    match element.type:
        case DataType.BOOLEAN:
            return rng.random() < 0.5
        case DataType.BINARY:
            return "5qC35L6L"
        case DataType.NUMBER:
            return _number(element, form, rng)
        case DataType.DATE | DataType.DATETIME | DataType.TIME:
            at = _FIRST_SECOND + timedelta(seconds=rng.randrange(_SECONDS_OF_A_YEAR))
            return at.strftime(form.layout)
        case DataType.STRING:
            return _string(element, form, catalogue, rng, beside)


def _number(element: DataElement, form: Format, rng: Random) -> Json:
    """A whole number where one lies within the limits, otherwise the decimals between them."""
    domain = element.domain
    unit = Decimal(1).scaleb(-(form.places or 0))
    edge = (10 ** Decimal(form.most) - 1) * unit
    high = min(Decimal(domain.maximum), edge) if domain.maximum else edge
    largest = _LARGEST_WHOLE if form.places is None else _LARGEST_DECIMAL
    low = Decimal(0) if high >= 0 else high - largest
    low = max(Decimal(domain.minimum) if domain.minimum else low, -edge)
    high = min(high, low + largest)
    step = unit if ceil(low) > floor(high) else Decimal(1)
    number = rng.randint(ceil(low / step), floor(high / step)) * step
    return int(number) if form.places is None else f"{number:.{form.places}f}"


def _string(
    element: DataElement,
    form: Format,
    catalogue: Catalogue,
    rng: Random,
    beside: Mapping[str, Json],
) -> str:
    domain = element.domain
    if domain.codes is not None:
        return rng.choice(list(catalogue.code_lists[domain.codes].codes))
    kind = domain.identifier
    if domain.identifier_by is not None:
        kind = domain.identifiers.get(str(beside.get(domain.identifier_by)))
    if kind is not None:
        return _IDENTIFIERS[kind](rng)
    if form.pattern:
        return "".join(
            rng.choice(string.digits if c == "n" else string.ascii_uppercase)
            for c in form.notation.partition("(")[2].rstrip(")")
        )
    known = _BY_NAME.get(element.short_name) or _by_ending(element.short_name)
    if form.digits and known is None:
        length = max(form.least, min(form.most, 6))
        return "".join(rng.choices(string.digits, k=length))
    text = known(rng) if known else f"{element.name.zh}{rng.randrange(1000):03}"
    if form.least <= len(text) <= form.most:
        return text
    if form.least == form.most:
        return "".join(rng.choices(string.digits if form.digits else _UPPER, k=form.most))
    return text[: form.most].ljust(form.least, "样")


def _person(rng: Random) -> str:
    return f"{rng.choice(_FAMILY_NAMES)}某{rng.choice(_STEMS)}"


def _enterprise(rng: Random) -> str:
    return f"石家庄示例{rng.choice(_STEMS)}{rng.choice(_STEMS)}{rng.choice(_TRADES)}有限公司"


def _address(rng: Random) -> str:
    place = f"河北省石家庄市{rng.choice(_DISTRICTS)}{rng.choice(_STREETS)}"
    return f"{place}{rng.randint(1, 200)}号"


def _digest(rng: Random) -> str:
    return f"{rng.getrandbits(256):064x}"


def _mobile(rng: Random) -> str:
    return f"1990000{rng.randrange(10_000):04}"


def _task_code(rng: Random) -> str:
    return f"{sample_uscc(rng)}3{rng.randrange(10**12):012}"


_BY_NAME: Mapping[str, Callable[[Random], str]] = {
    "applicationNo": lambda rng: f"MS2026{rng.randrange(10**8):08}",
    "caseNo": lambda rng: f"MS2026{rng.randrange(10**8):08}-{rng.randint(1, 7)}",
    "applicantName": lambda rng: rng.choice((_person, _enterprise))(rng),
    "premisesName": lambda rng: f"示例{rng.choice(_STEMS)}{rng.choice(_STEMS)}民宿",
    "enterpriseName": _enterprise,
    "legalRepresentative": _person,
    "platformLeader": _person,
    "holderName": _enterprise,
    "fileDigest": _digest,
    "email": lambda rng: f"sample{rng.randrange(1000)}@example.com",
    "taskCode": _task_code,
    "licenceTypeCode": lambda rng: f"{sample_uscc(rng)}{rng.randrange(1, 100):03}",
    "statPeriod": lambda rng: f"2026{rng.randint(1, 12):02}",
    "listYear": lambda rng: str(rng.randint(2022, 2026)),
    "ratingYear": lambda rng: str(rng.randint(2022, 2025)),
    "mobileNumber": _mobile,
    "contactPhone": _mobile,
    "certNumber": lambda rng: f"E{rng.randrange(10**8):08}",
    "holderCode": lambda rng: f"E{rng.randrange(10**8):08}",
}
_ENDINGS: Mapping[str, Callable[[Random], str]] = {
    "Address": _address,
    "address": _address,
    "HandlerName": _person,
    "acceptorName": _person,
    "recipientName": _person,
    "contactName": _person,
    "personName": _person,
    "shareholderName": _person,
}


def _by_ending(name: str) -> Callable[[Random], str] | None:
    return next((make for ending, make in _ENDINGS.items() if name.endswith(ending)), None)
