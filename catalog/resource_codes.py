"""Codes of information resources (信息资源代码): generated, and judged with what repairs them.

Standard   2017 compiling guide: class (1 digit), item (2), topic (3), detail (any) ``/`` sequence
Careful    provinces lengthen the detail: a code is text of at most 64 characters
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["next_code", "repair_of"]

_CODE = re.compile(r"[0-9]{6,}/[0-9]+")
_ITEMS = {"1": 5, "3": 8}  # the guide numbers the themes of class 2 as they come
_WIDTH = 6


def next_code(prefix: str, used: Iterable[str]) -> str:
    """
    The first code after all that were ever used under *prefix*; a code is never used again.

    >>> next_code("307013", ["307013/000009", "307013/000310", "101001/000999"])
    '307013/000311'
    """
    taken = [code.partition("/")[2] for code in used if code.partition("/")[0] == prefix]
    latest = max((int(each) for each in taken), default=0)
    width = max((len(each) for each in taken), default=_WIDTH)
    return f"{prefix}/{latest + 1:0{width}}"


def repair_of(code: str) -> str | None:
    """
    What to change so that *code* is one of the guide's, in Chinese; None where it is.

    >>> repair_of("307013/000310") is None, repair_of("407013/1")
    (True, '首位为类：1 基础、2 主题、3 部门')
    """
    if _CODE.fullmatch(code) is None:
        return "类1位、项2位、目3位、细目，加“/”和顺序号，均为数字"
    if code[0] not in "123":
        return "首位为类：1 基础、2 主题、3 部门"
    most = _ITEMS.get(code[0], 99)
    if not 1 <= int(code[1:3]) <= most:
        return f"第2–3位为项：01–{most:02}"
    return None
