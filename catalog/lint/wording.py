"""Texts that only hold a place are no values: 待定, ``TODO``, ``xxx``."""

from __future__ import annotations

import re

__all__ = ["is_placeholder"]

_PLACEHOLDERS = re.compile(
    r"[\s.…·\-—–_?？/、。xX×]*"
    r"|(待定|待补充|待完善|待确认|暂无|暂缺|未知|同上|略|无|空|测试|示例|占位)[。.]?"
    r"|(todo|tbd|tba|fixme|n/?a|none|null|nil|unknown|placeholder|test|foo|bar|lorem ipsum)[.:]?.{0,3}",
    re.IGNORECASE,
)


def is_placeholder(text: str) -> bool:
    """
    Whether *text* says nothing.

    >>> is_placeholder("待定"), is_placeholder("n/a"), is_placeholder("——"), is_placeholder("无犯罪记录")
    (True, True, True, False)
    """
    return _PLACEHOLDERS.fullmatch(text.strip()) is not None
