"""What a partner says when it refuses, made fit to be shown: its reason without the citizen.

Careful    partners quote what they dislike: a reason may hold any text of the payload, or a number of
           a document, and is logged, kept and shown on the console
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from schemas.message import Json

__all__ = ["code_word", "fit_to_show"]

SHOWN_LENGTH = 200
QUOTED, DIGIT = "…", "＊"
SHORTEST_QUOTE = 2
CODE_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,32}")


def fit_to_show(reason: str, payload: Json) -> str:
    """
    *reason* without what it quotes of *payload*, and without digits.

    >>> fit_to_show("姓名“张三”与证件 130102 不符", {"sqr": {"xm": "张三"}})
    '姓名“…”与证件 ＊＊＊＊＊＊ 不符'
    """
    # The longest first: a name may be a part of an address.
    for text in sorted(set(_texts(payload)), key=len, reverse=True):
        if len(text) >= SHORTEST_QUOTE:
            reason = reason.replace(text, QUOTED)
    return "".join(DIGIT if each.isdigit() else each for each in reason)[:SHOWN_LENGTH]


def code_word(word: object) -> str:
    """*word* where it looks like a code, else "?": what else stands in its place may be anything."""
    text = str(word)
    return text if CODE_WORD.fullmatch(text) else "?"


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from _texts(each)
