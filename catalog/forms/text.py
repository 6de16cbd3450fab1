"""A declaration's text, changed where its content changes.

Form       block style; small leaves in braces on one line, as our site folders have them
Promises   what stays the same keeps its lines, comments and all; a comment in lines that change moves above
           them, one of what is taken out goes with it; read again, the text says what was asked
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from catalog.derive.yaml_text import scalar

__all__ = ["Told", "edited", "told_of"]

Told = dict[str, Any]
MOST_WIDTH = 100


def told_of(text: str) -> Told | None:
    """What *text* says as built-in values; None where it is no mapping of named values."""
    if not text.strip():
        return {}
    try:
        document = YAML(typ="rt").load(text)
        told = _plain(document)
    except (YAMLError, RecursionError, _Unnamed):
        return None
    return told if isinstance(told, dict) else None


def edited(text: str, told: Told, order: Sequence[str]) -> str:
    """*text* so that it says *told*; a key that is new stands where *order* has it."""
    if told_of(text) == told:
        return text
    lines = text.removesuffix("\n").split("\n")
    node = YAML(typ="rt").load(text) if text.strip() else None
    if isinstance(node, CommentedMap) and node and not node.fa.flow_style():
        editing = _Editing(lines, order)
        for key, value in node.items():
            editing.look(value, told.get(str(key)))
        made = _ended(editing.mapping(node, told, _Span(0, len(lines)), 0))
        if told_of(made) == told:
            return made
    return _ended([*_comments(lines), *_mapping(told, 0)])


class _Unnamed(Exception):
    """A key is no text."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Lines from *first* to before *last*."""

    first: int
    last: int


@dataclass(slots=True)
class _Editing:
    lines: list[str]
    order: Sequence[str]
    _places: Mapping[str, int] = field(init=False)
    _gone: list[tuple[Told, list[str], int]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._places = {key: place for place, key in enumerate(self.order)}

    def look(self, node: Any, rows: Any) -> None:
        """Note the rows that stand in their list no more: they may have moved to another."""
        if not _is_block(node, CommentedSeq) or not _is_rows(_plain(node)):
            return
        was, wanted = _plain(node), rows if _is_rows(rows) else []
        now = {number: row for row, number in zip(wanted, _matched(was, wanted), strict=True)}
        starts = [node.lc.item(number)[0] for number in range(len(node))]
        last = self._end(starts[-1])
        for number, span in enumerate(self._spans(starts, _Span(0, last))):
            if number not in now:
                lines = self.lines[span.first : span.last]
                self._gone.append((was[number], lines, _column(self.lines[starts[number]])))
            for key, value in node[number].items():
                self.look(value, now.get(number, {}).get(key))

    def _end(self, start: int) -> int:
        """Where the row ends that begins at *start*."""
        column, end = _column(self.lines[start]), start + 1
        while end < len(self.lines) and (
            not self.lines[end].strip() or _column(self.lines[end]) > column
        ):
            end += 1
        return end

    def _come(self, row: Told, column: int) -> list[str]:
        """The lines of a row that is new in its list."""
        for at, (was, lines, before) in enumerate(self._gone):
            if was == row:
                del self._gone[at]
                return _shifted(lines, column - before)
        for at, (was, lines, _) in enumerate(self._gone):
            if _names(was) & _names(row):
                del self._gone[at]
                return [*_comments(lines, column), *_row(row, column)]
        return _row(row, column)

    def mapping(self, node: CommentedMap, told: Told, span: _Span, indent: int) -> list[str]:
        """The lines of a block mapping, as it is to be."""
        keys = [str(key) for key in node]
        spans = self._spans([node.lc.key(key)[0] for key in node], span)
        made = self.lines[span.first : spans[0].first] if spans else []
        for key in _merged(keys, list(told), self._places):
            if key not in keys:
                made += _entry(key, told[key], indent)
                continue
            own = spans[keys.index(key)]
            if key not in told:
                made += self._above(own)
            elif _plain(node[key]) == told[key]:
                made += self.lines[own.first : own.last]
            else:
                made += self._changed(node, key, told[key], own, indent)
        return made

    def _changed(
        self, node: CommentedMap, key: str, value: Any, span: _Span, indent: int
    ) -> list[str]:
        old, line = node[key], node.lc.key(key)[0]
        inside = _Span(line + 1, span.last)
        if _is_block(old, CommentedMap) and isinstance(value, dict) and value:
            column = min(old.lc.key(each)[1] for each in old)
            if column > indent and all(old.lc.key(each)[0] > line for each in old):
                return [
                    *self.lines[span.first : line + 1],
                    *self.mapping(old, value, inside, column),
                ]
        if _is_block(old, CommentedSeq) and _is_rows(value) and old.lc.item(0)[0] > line:
            return [*self.lines[span.first : line + 1], *self._rows(old, value, inside)]
        above = self._above(span)
        comments = _comments(self.lines[span.first + len(above) : span.last], indent)
        return [*above, *comments, *_entry(key, value, indent)]

    def _rows(self, node: CommentedSeq, rows: Sequence[Told], span: _Span) -> list[str]:
        """The lines of a list of mappings: each row that was there keeps what it can."""
        starts = [node.lc.item(number)[0] for number in range(len(node))]
        spans = self._spans(starts, span)
        column = _column(self.lines[starts[0]])
        was = [_plain(each) for each in node]
        made = self.lines[span.first : spans[0].first]
        for row, number in zip(rows, _matched(was, rows), strict=True):
            if number is None:
                made += self._come(row, column)
            elif was[number] == row:
                made += self.lines[spans[number].first : spans[number].last]
            else:
                made += self._row(node[number], row, spans[number], column)
        return made

    def _row(self, node: Any, row: Told, span: _Span, column: int) -> list[str]:
        above = self._above(span)
        start = span.first + len(above)
        indent = column + 2
        if not _is_block(node, CommentedMap) or any(node.lc.key(key)[1] != indent for key in node):
            comments = _comments(self.lines[start : span.last], column)
            return [*above, *comments, *_row(row, column)]
        line = self.lines[start]
        self.lines[start] = line.replace("-", " ", 1)
        made = self.mapping(node, row, _Span(start, span.last), indent)
        self.lines[start] = line
        at = next(n for n, each in enumerate(made) if not _is_comment(each))
        made[at] = f"{' ' * column}- {made[at][indent:]}"
        return [*above, *made]

    def _spans(self, starts: Sequence[int], span: _Span) -> list[_Span]:
        """Where each begins, with the comments above it, and ends."""
        firsts = [self._first(start, span.first) for start in starts]
        return [
            _Span(first, last) for first, last in zip(firsts, [*firsts[1:], span.last], strict=True)
        ]

    def _first(self, start: int, least: int) -> int:
        column = _column(self.lines[start])
        while start > least:
            above = self.lines[start - 1]
            if above.strip() and not above.startswith(f"{' ' * column}#"):
                break
            start -= 1
        return start

    def _above(self, span: _Span) -> list[str]:
        """The comments above an entry, with the blank lines between them."""
        last = span.first
        while last < span.last and _is_comment(self.lines[last]):
            last += 1
        return self.lines[span.first : last]


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        if not all(isinstance(key, str) for key in node):
            raise _Unnamed
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if isinstance(node, date):
        return node.isoformat()
    for built_in in (bool, int, float, str):
        if isinstance(node, built_in):
            return built_in(node)
    return node


def _is_block(node: Any, kind: type[CommentedMap | CommentedSeq]) -> bool:
    return isinstance(node, kind) and bool(node) and not node.fa.flow_style()


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _is_comment(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _merged(keys: list[str], wanted: list[str], places: Mapping[str, int]) -> list[str]:
    """*keys* in their order, and those wanted that are new after what they follow."""
    made = list(keys)
    for key in wanted:
        if key not in made:
            place = places.get(key, len(places))
            before = [n for n, each in enumerate(made) if places.get(each, len(places)) <= place]
            made.insert(before[-1] + 1 if before else 0, key)
    return made


def _matched(was: list[Told], rows: Sequence[Told]) -> list[int | None]:
    """By row: which one it was, the same or one of the same name."""
    free = dict(enumerate(was))
    found: list[int | None] = []
    for row in rows:
        number = next((n for n, each in free.items() if each == row), None)
        found.append(number)
        free.pop(number if number is not None else -1, None)
    for at, row in enumerate(rows):
        if found[at] is None:
            number = next((n for n, each in free.items() if _names(each) & _names(row)), None)
            found[at] = number
            free.pop(number if number is not None else -1, None)
    return found


def _names(row: Told) -> set[str]:
    return {str(row[key]) for key in ("element", "group") if key in row}


def _column(line: str) -> int:
    return len(line) - len(line.lstrip())


def _shifted(lines: list[str], by: int) -> list[str]:
    if by < 0:
        return [line[min(-by, _column(line)) :] for line in lines]
    return [f"{' ' * by}{line}" if line.strip() else line for line in lines]


def _comments(lines: Sequence[str], indent: int = 0) -> list[str]:
    """The comments of *lines*, each on a line of its own."""
    return [f"{' ' * indent}{each}" for line in lines if (each := _comment(line))]


def _comment(line: str) -> str:
    quote = ""
    for at, sign in enumerate(line):
        before = line[at - 1] if at else " "
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"" and before in " [{,":
            quote = sign
        elif sign == "#" and before in " \t":
            return line[at:].rstrip()
    return ""


def _mapping(told: Told, indent: int) -> Iterator[str]:
    for key, value in told.items():
        yield from _entry(key, value, indent)


def _entry(key: str, value: Any, indent: int) -> list[str]:
    start = f"{' ' * indent}{_key(key)}:"
    flow = f"{start} {_flow(value)}"
    if not isinstance(value, dict | list) or not value:
        return [flow]
    if not _is_rows(value) and _is_leaf(value) and len(flow) <= MOST_WIDTH:
        return [flow]
    if isinstance(value, dict):
        return [start, *_mapping(value, indent + 2)]
    if _is_rows(value):
        return [start, *(line for each in value for line in _row(each, indent + 2))]
    return [start, *(f"{' ' * (indent + 2)}- {_flow(each)}" for each in value)]


def _row(row: Told, column: int) -> list[str]:
    flow = f"{' ' * column}- {_flow(row)}"
    if not row or (_is_leaf(row) and len(flow) <= MOST_WIDTH):
        return [flow]
    first, *rest = _mapping(row, column + 2)
    return [f"{' ' * column}- {first.lstrip()}", *rest]


def _is_leaf(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value
    return not any(isinstance(each, dict | list) for each in inside)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    said = scalar(value)
    return scalar(value, plain=False) if "," in said and said[:1] != '"' else said


def _key(key: str) -> str:
    return scalar(key)


def _ended(lines: list[str]) -> str:
    text = "\n".join(lines)
    return text if text.endswith("\n") else f"{text}\n"
