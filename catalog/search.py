"""Search in the catalogue: Chinese words, initials of their pinyin, short names, codes, synonyms.

Standard   GB/T 2312-1980: its first level lists 3755 characters in the order of their pinyin, which
           gives each its initial
Promises   a query of several words finds what has all of them; what is named so comes before what
           merely mentions it
Careful    characters of the second level, and readings other than the first, have no initial here
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from catalog.model import Catalogue, Item

__all__ = ["Hit", "Index", "initials"]

# Where each initial begins in the first level; I, U and V begin no syllable.
_STARTS = (
    0xB0A1, 0xB0C5, 0xB2C1, 0xB4EE, 0xB6EA, 0xB7A2, 0xB8C1, 0xB9FE, 0xBBF7, 0xBFA6, 0xC0AC, 0xC2E8,
    0xC4C3, 0xC5B6, 0xC5BE, 0xC6DA, 0xC8BB, 0xC8F6, 0xCBFA, 0xCDDA, 0xCEF4, 0xD1B9, 0xD4D1,
)  # fmt: skip
_LETTERS = "abcdefghjklmnopqrstwxyz"
_LAST = 0xD7F9
NAMED, CALLED, MENTIONED = 100, 40, 10


@dataclass(frozen=True, slots=True)
class Hit:
    """*name*: of the resource, or short name of the element."""

    kind: Literal["resource", "element"]
    name: str
    weight: int


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: Literal["resource", "element"]
    name: str
    texts: tuple[tuple[int, str], ...]


class Index:
    """Built once for a catalogue; searching reads it through, which is a few thousand lines."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._entries = (*_resources(catalogue), *_elements(catalogue))

    def find(self, query: str, most: int = 200) -> list[Hit]:
        """The heaviest first. An empty query finds nothing."""
        words = query.lower().split()
        found = []
        for entry in self._entries:
            weights = [_weight(word, entry.texts) for word in words]
            if weights and all(weights):
                found.append(Hit(entry.kind, entry.name, sum(weights)))
        return sorted(found, key=lambda hit: (-hit.weight, hit.kind != "resource", hit.name))[:most]


@cache
def initials(text: str) -> str:
    """
    The first letters of a text's characters; others stay as they are.

    >>> initials("行政处罚信息"), initials("A级纳税人")
    ('xzcfxx', 'ajnsr')
    """
    return "".join(map(_initial, text.lower()))


def _initial(character: str) -> str:
    try:
        told = character.encode("gb2312")
    except UnicodeEncodeError:
        return character
    if len(told) != 2 or not _STARTS[0] <= (place := int.from_bytes(told, "big")) <= _LAST:
        return character
    return _LETTERS[bisect_right(_STARTS, place) - 1]


def _resources(catalogue: Catalogue) -> Iterator[_Entry]:
    for name, resource in catalogue.resources.items():
        texts = [
            (NAMED, resource.name.zh),
            (NAMED, resource.name.en),
            (NAMED, name),
            (NAMED, resource.code),
            (CALLED, initials(resource.name.zh)),
            (MENTIONED, resource.provider),
            (MENTIONED, resource.summary),
            *((MENTIONED, text) for text in _items(resource.items, catalogue)),
        ]
        yield _Entry("resource", name, _lower(texts))


def _elements(catalogue: Catalogue) -> Iterator[_Entry]:
    for name, element in catalogue.elements.items():
        texts = [
            (NAMED, element.name.zh),
            (NAMED, element.name.en),
            (NAMED, name),
            (NAMED, element.identifier),
            *((CALLED, synonym) for synonym in element.synonyms),
            (CALLED, initials(element.name.zh)),
            (MENTIONED, element.definition),
        ]
        yield _Entry("element", name, _lower(texts))


def _items(items: Sequence[Item], catalogue: Catalogue) -> Iterator[str]:
    for item in items:
        element = catalogue.elements.get(item.element or "")
        if element is not None:
            yield from (element.name.zh, element.name.en, element.short_name, *element.synonyms)
        if item.name is not None:
            yield from (item.name.zh, item.name.en)
        yield from _items(item.items, catalogue)


def _lower(texts: Sequence[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    return tuple((weight, text.lower()) for weight, text in texts)


def _weight(word: str, texts: Sequence[tuple[int, str]]) -> int:
    """Of the best text that has *word*; whole texts and beginnings weigh more."""
    best = 0
    for weight, text in texts:
        if word in text:
            more = 3 if text == word else 2 if text.startswith(word) else 1
            best = max(best, weight * more)
        elif weight > MENTIONED and _in_pieces(word, text):
            best = max(best, weight // 2)
    return best


def _in_pieces(word: str, text: str) -> bool:
    """Whether *word* is made of pieces of two characters or more that all stand in *text*: 食品许可
    in 食品经营许可证."""
    if len(word) < 4 or word.isascii():
        return False
    reached = {0}
    for end in range(2, len(word) + 1):
        if any(end - start >= 2 and word[start:end] in text for start in reached):
            reached.add(end)
    return len(word) in reached
