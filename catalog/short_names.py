"""Short names (短名): what R-A4 asks of them.

Standard   GB/T 19488.1-2004, as the tenders cite it; GB/T 21063.3-2007 for composite entities
Form       items lowerCamelCase, groups UpperCamelCase; English words or customary abbreviations; no
           blank, dash, underscore or separator; no plural unless the word has only that one
Not here   whether a name is unique: `catalog.lint`
"""

from __future__ import annotations

import re

__all__ = ["WORDS_IN_S", "is_group_name", "is_item_name", "plural_in", "words_of"]

_ITEM = re.compile(r"[a-z][A-Za-z0-9]*")
_GROUP = re.compile(r"[A-Z][A-Za-z0-9]*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

# Words that end as plurals do and are none, or have no other form. A word that is missing is added
# here when a name needs it, not when a linter is in the way.
WORDS_IN_S = frozenset(
    {
        "access",
        "address",
        "analysis",
        "arrears",
        "basis",
        "bonus",
        "business",
        "class",
        "copies",  # 份数: how many, with no singular
        "customs",
        "days",  # 天数: how many, with no singular
        "earnings",
        "express",
        "gas",
        "gross",
        "headquarters",
        "is",
        "less",
        "loss",
        "mass",
        "news",
        "plus",
        "premises",
        "press",
        "process",
        "progress",
        "series",
        "status",
        "stress",
        "surplus",
    }
)


def is_item_name(name: str) -> bool:
    """
    >>> is_item_name("caseNo"), is_item_name("case_no"), is_item_name("CaseNo")
    (True, False, False)
    """
    return _ITEM.fullmatch(name) is not None


def is_group_name(name: str) -> bool:
    """
    >>> is_group_name("ChosenItem"), is_group_name("chosenItem")
    (True, False)
    """
    return _GROUP.fullmatch(name) is not None


def words_of(name: str) -> tuple[str, ...]:
    """
    The words of a camel-case name, in lower case.

    >>> words_of("applyXMLTime2")
    ('apply', 'xml', 'time', '2')
    """
    return tuple(word.lower() for word in _WORD.findall(name))


def plural_in(name: str) -> str | None:
    """
    The first word that is a plural, or None.

    >>> plural_in("supplementMaterials"), plural_in("premisesName"), plural_in("uscc")
    ('materials', None, None)
    """
    for word in words_of(name):
        if len(word) > 2 and word.endswith("s") and word not in WORDS_IN_S:
            return word
    return None
