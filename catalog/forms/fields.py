"""A field of a form, what it shows of a declaration, and what it makes of it.

Promises   what is sent back as it was shown changes nothing: a value given otherwise than the form would
           (a text over two lines in a line's place) stays as it is
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from catalog.forms.text import Told
from web.guard import Form

__all__ = ["Field", "Section", "Shown", "fits", "shown", "taken"]

Shown = dict[str, str]
Kind = Literal["line", "area", "lines", "choice", "flag", "number"]
YES = "yes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """
    One value of a declaration.

    *path*: its keys (``name.zh``), also the name of the field; *label*, *hint*: text codes. A *choice* is one of
    *options*; *of*: the text code before an option, none where it says itself. *otherwise*: what counts where
    nothing is declared. *needed*: a blank is a fault; *filled*: a blank is no text, and is left out. *suggest*:
    the list of what is known. *wide*: it takes the whole width.
    """

    path: str
    label: str
    kind: Kind = "line"
    hint: str = ""
    options: tuple[str, ...] = ()
    of: str = ""
    otherwise: str = ""
    needed: bool = False
    filled: bool = False
    suggest: str = ""
    code: bool = False
    wide: bool = False
    most: int = 1000


@dataclass(frozen=True, slots=True)
class Section:
    """Fields under a heading."""

    title: str
    fields: tuple[Field, ...]


def shown(told: Told, fields: Sequence[Field]) -> Shown:
    """What the form's fields hold, by their names."""
    return {field.path: _shown(_at(told, field.path), field) for field in fields}


def fits(told: Told, fields: Sequence[Field]) -> bool:
    """Whether each field can hold what *told* has in its place."""
    for field in fields:
        above = field.path.partition(".")[0]
        if above != field.path and not isinstance(told.get(above, {}), dict):
            return False
        value = _at(told, field.path)
        if isinstance(value, dict) or (isinstance(value, list) and field.kind != "lines"):
            return False
    return True


def taken(told: Told, given: Form, fields: Sequence[Field], prefix: str = "") -> Told:
    """*told* with what is *given* in fields whose names begin with *prefix*; what is not asked stays."""
    made = deepcopy(told)
    for field in fields:
        now = _at(told, field.path)
        said = _given(given.get(f"{prefix}{field.path}", [""])[0], field)
        if said or field.kind == "flag":
            if said != _given(_shown(now, field), field) or not _is_of(now, field):
                _put(made, field.path, _value(said, field))
        elif now is not None and (field.needed or field.filled or now not in ("", [])):
            _drop(made, field.path)
    return made


def _at(told: Mapping[str, Any], path: str) -> Any:
    node: Any = told
    for step in path.split("."):
        node = node.get(step) if isinstance(node, Mapping) else None
    return node


def _put(told: Told, path: str, value: Any) -> None:
    *above, last = path.split(".")
    for step in above:
        inside = told.get(step)
        told[step] = inside if isinstance(inside, dict) else {}
        told = told[step]
    told[last] = value


def _drop(told: Told, path: str) -> None:
    step, _, rest = path.partition(".")
    if not rest:
        told.pop(step, None)
    elif isinstance(told.get(step), dict):
        _drop(told[step], rest)
        if not told[step]:
            del told[step]


def _shown(value: Any, field: Field) -> str:
    if value is None:
        return field.otherwise
    if isinstance(value, bool):
        return YES if value else ""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return str(value)


def _given(said: str, field: Field) -> str:
    """As it counts: browsers send line ends their own way, and a line has none."""
    said = said.replace("\r\n", "\n").replace("\r", "\n")[: field.most].strip()
    return said if field.kind in ("area", "lines") else " ".join(said.splitlines())


def _is_of(value: Any, field: Field) -> bool:
    """Whether *value* is of the kind that the form would make; nothing at all is."""
    kinds: dict[Kind, type | tuple[type, ...]] = {
        "lines": list,
        "flag": bool,
        "number": (int, str),
    }
    return value is None or isinstance(value, kinds.get(field.kind, str))


def _value(said: str, field: Field) -> Any:
    match field.kind:
        case "flag":
            return said == YES
        case "lines":
            return [each.strip() for each in said.split("\n") if each.strip()]
        case "number" if said.isascii() and said.isdigit():
            return int(said)
        case _:
            return said
