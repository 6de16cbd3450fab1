"""A body as it may be shown on pages and in logs: personal items masked, compiled once per resource.

Form       a name keeps its first character, a number its first three and last two, an address its
           province, city and district, an e-mail address its domain; anything else that is personal
           is hidden whole
Promises   an identity number or a mobile number typed into an open text is masked there too
Careful    what is not an item of the resource is hidden: nobody knows what it holds. So is an open
           item that holds a list or an object where it should hold a plain value
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from catalog.model import Catalogue, DataElement, DataType, Item, Resource, Sensitivity
from catalog.short_names import words_of
from schemas.message import Body

__all__ = ["HIDDEN", "Showing", "compile_mask", "mask_wholly", "redacted", "showing_of"]

HIDDEN = "＊＊＊"
Mask = Callable[[Any], Any]


class Showing(StrEnum):
    """How much of an element's values may be seen."""

    ALL = "all"
    TEXT = "text"  # all but numbers of persons typed into it
    NAME = "name"
    NUMBER = "number"
    ADDRESS = "address"
    EMAIL = "email"
    NOTHING = "nothing"


# Eighteen digits with a date of birth where GB 11643 has it; eleven digits of a mobile telephone.
_IN_TEXT = re.compile(
    r"(?<![0-9A-Za-z])(?:[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    r"[0-9]{3}[0-9Xx]|1[3-9][0-9]{9})(?![0-9A-Za-z])"
)
# 小区, 园区, 社区 and 街区 are no districts: with them the address would begin to tell the house.
_DISTRICT = re.compile(
    r"(?:[^省市区县]{2,7}(?:省|自治区))?(?:[^省市区县]{2,7}(?:市|自治州|地区))?"
    r"(?:[^省市区县]{1,6}(?:(?<![小园社街])区|县|市|旗))?"
)
_NUMBER_WORDS = frozenset({"number", "no", "code", "uscc", "id", "phone", "mobile", "account"})
_NAME_WORDS = frozenset({"name", "representative", "leader", "agent", "person"})


def compile_mask(resource: Resource, catalogue: Catalogue) -> Callable[[Body], Body]:
    """A function from a body, valid or not, to what of it may be shown."""
    return _group(resource.items, catalogue)


def mask_wholly(body: Body) -> Body:
    """For a body of an unknown resource: its names, and nothing else."""
    return dict.fromkeys(body, HIDDEN)


def redacted(text: str) -> str:
    """
    *text* with the identity and mobile numbers in it masked.

    >>> redacted("申请人11010519491231002X，电话13800000000")
    '申请人110＊＊＊＊2X，电话138＊＊＊＊00'
    """
    return _IN_TEXT.sub(lambda found: _middle_hidden(found[0]), text)


def _group(items: tuple[Item, ...], catalogue: Catalogue) -> Mask:
    masks = {item.wire_name: _item(item, catalogue) for item in items}

    def mask(body: Any) -> Any:
        if not isinstance(body, Mapping):
            return HIDDEN
        return {redacted(str(name)): masks.get(name, _hide)(value) for name, value in body.items()}

    return mask


def _item(item: Item, catalogue: Catalogue) -> Mask:
    if item.group:
        one = _group(item.items, catalogue)
    else:
        element = catalogue.elements.get(item.element or "")
        one = _MASKS[showing_of(element)] if element else _hide
    if not item.is_list:
        return one

    def many(value: Any) -> Any:
        return [one(each) for each in value] if isinstance(value, list | tuple) else HIDDEN

    return many


def showing_of(element: DataElement) -> Showing:
    """By its classification, and by the words of its short name; what is unlike any is hidden."""
    if element.sensitivity in (Sensitivity.OPEN, Sensitivity.INTERNAL):
        domain = element.domain
        closed = domain.codes is not None or domain.identifier is not None
        free = element.type is DataType.STRING and not closed
        return Showing.TEXT if free else Showing.ALL
    words = set(words_of(element.short_name))
    if "address" in words:
        return Showing.ADDRESS
    if "email" in words:
        return Showing.EMAIL
    if _NUMBER_WORDS & words:
        return Showing.NUMBER
    return Showing.NAME if _NAME_WORDS & words else Showing.NOTHING


def _show(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else HIDDEN


def _show_text(value: Any) -> Any:
    return redacted(value) if isinstance(value, str) else _show(value)


def _hide(_: Any) -> Any:
    return HIDDEN


def _first(value: Any) -> Any:
    if not isinstance(value, str):
        return HIDDEN
    return value[:1] + "＊" * min(max(len(value) - 1, 1), 4)


def _numbers(value: Any) -> Any:
    return _middle_hidden(value) if isinstance(value, str) and len(value) >= 8 else HIDDEN


def _middle_hidden(number: str) -> str:
    return f"{number[:3]}＊＊＊＊{number[-2:]}"


def _address(value: Any) -> Any:
    if not isinstance(value, str):
        return HIDDEN
    found = _DISTRICT.match(value)
    return (found[0] if found else "") + HIDDEN


def _email(value: Any) -> Any:
    if not isinstance(value, str) or "@" not in value:
        return HIDDEN
    name, _, domain = value.rpartition("@")
    return f"{name[:1]}{HIDDEN}@{domain}"


_MASKS: Mapping[Showing, Mask] = {
    Showing.ALL: _show,
    Showing.TEXT: _show_text,
    Showing.NAME: _first,
    Showing.NUMBER: _numbers,
    Showing.ADDRESS: _address,
    Showing.EMAIL: _email,
    Showing.NOTHING: _hide,
}
