"""A glance at many rows at once, column by column: whether their texts can be written as they stand.

Form       columns of texts as PostgreSQL's COPY tells them, empty for none
Promises   what passes is what `front_db.bulk_rows.compile_texts` would make of each row; what does not
           pass is looked at row by row, and that look decides
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import partial

from front_db.contract import Column, ExchangeTable, Kind
from schemas.identifiers import CHECKS, Verdict

__all__ = ["Glance", "compile_glance"]

Texts = Sequence[str]
Glance = Callable[[Sequence[Texts]], list[Texts] | None]
"""From the source's content columns to the target's; none where a text has to be looked at."""

_Look = Callable[[set[str]], bool]
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", re.ASCII).fullmatch
_SURE_DIGITS = 18  # fit into 64 bits, whatever they are


def compile_glance(
    source: ExchangeTable, target: ExchangeTable, names: Sequence[str]
) -> Glance | None:
    """*names*: the source's columns as they are read. None where the tables' columns of one name are
    of different kinds, or the target has to have one that the source has not."""
    looks: list[tuple[int | None, Column, _Look]] = []
    for column in target.columns:
        read = source.column(column.name)
        if read is None or column.name not in names:
            if column.needed:
                return None
            looks.append((None, column, bool))
        elif read.kind is not column.kind:
            return None
        else:
            looks.append((names.index(column.name), column, _look(column)))
    return partial(_glance, looks)


def _glance(
    looks: Sequence[tuple[int | None, Column, _Look]], content: Sequence[Texts]
) -> list[Texts] | None:
    found: list[Texts] = []
    count = len(content[0]) if content else 0
    for at, column, look in looks:
        texts = [""] * count if at is None else content[at]
        if at is not None:
            if column.kind is Kind.MOMENT:
                texts = [text.partition(".")[0] for text in texts]
            distinct = set(texts)
            if "" in distinct:
                distinct.remove("")
                if column.needed:
                    return None
            if not look(distinct):
                return None
        found.append(texts)
    return found


def _look(column: Column) -> _Look:
    """Whether each of some texts, none of which is empty, is a value of *column*."""
    match column.kind:
        case Kind.TEXT:
            return partial(_are_texts, column)
        case Kind.LONG:
            return lambda texts: not any("\0" in text for text in texts)
        case Kind.FLAG:
            return {"0", "1"}.issuperset
        case Kind.WHOLE:
            digits = min(column.digits, _SURE_DIGITS)
            return _all(re.compile(rf"0|-?[1-9]\d{{0,{digits - 1}}}", re.ASCII).fullmatch)
        case Kind.DECIMAL:
            whole = column.digits - column.places
            before = rf"\d{{1,{whole}}}" if whole > 0 else "0"
            point = rf"(?:\.\d{{1,{column.places}}})?" if column.places else ""
            return _all(re.compile(rf"-?{before}{point}", re.ASCII).fullmatch)
        case Kind.DATE:
            return _all(lambda text: _DAY(text) and _is_real(date.fromisoformat, text))
        case Kind.MOMENT:
            return _all(lambda text: _MOMENT(text) and _is_real(datetime.fromisoformat, text))


def _all(fits: Callable[[str], object]) -> _Look:
    return lambda texts: all(map(fits, texts))


def _are_texts(column: Column, texts: set[str]) -> bool:
    if column.codes and not texts.issubset(column.codes):
        return False
    if texts and len(max(texts, key=len)) > column.length:
        return False
    if column.identifier:
        check = CHECKS[column.identifier]
        if any(check(text) is Verdict.FAULT for text in texts):
            return False
    return not any("\0" in text for text in texts)


def _is_real(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True
