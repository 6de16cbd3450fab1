"""Declarations as text (YAML 1.2) become typed values, or say what is wrong at file, line and column.

Careful    codes such as ``0571`` or ``1.10`` must be quoted: the models are strict, so an unquoted
           one is refused here instead of being changed silently
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent

from schemas.errors import Misconfigured

__all__ = ["Declared", "InvalidDeclaration", "Problem", "parse"]

D = TypeVar("D", bound=BaseModel)
REMEMBERED = 1024
MOST_DEEP, TOO_DEEP = 100, "nested too deeply"


class Declared(BaseModel):
    """Base of everything that a person writes in YAML: frozen, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a declaration. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    path: str
    said: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.path}: {self.said}" if self.path else f"{where}: {self.said}"


class InvalidDeclaration(Misconfigured):
    """A declaration cannot be used; *problems* tells all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(
            "declaration.invalid",
            "\n".join(map(str, problems)),
            file=first.file,
            line=first.line,
            problems=len(problems),
        )
        self.problems = tuple(problems)


def parse(text: str, model: type[D], *, file: str) -> D:
    """
    Read one YAML document as *model*. Raises `InvalidDeclaration` with every problem found.

    What was read before is remembered: declarations are frozen, and a release differs from the one
    before it by a file or two, while reading all of a site takes seconds.
    """
    read: D = _read(text, model, file)
    return read


@lru_cache(maxsize=REMEMBERED)
def _read(text: str, model: type[D], file: str) -> D:
    try:
        # Nearly all are without fault, and read in C, which keeps no places, in a fifth of the time.
        _check_depth(text, file)
        return model.model_validate_json(orjson.dumps(YAML(typ="safe").load(text)))
    except (YAMLError, ValueError, TypeError):
        return _read_with_places(text, model, file)


def _check_depth(text: str, file: str) -> None:
    """What is nested without end would use up the stack of whoever reads it."""
    depth = 0
    for event in YAML(typ="safe").parse(text):
        if isinstance(event, CollectionStartEvent):
            depth += 1
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
        if depth > MOST_DEEP:
            raise InvalidDeclaration([Problem(file, event.start_mark.line + 1, 1, "", TOO_DEEP)])


def _read_with_places(text: str, model: type[D], file: str) -> D:
    try:
        document = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = " ".join(filter(None, [error.context, error.problem]))
        raise InvalidDeclaration([Problem(file, line, column, "", f"not YAML: {said}")]) from error
    except RecursionError:
        raise InvalidDeclaration([Problem(file, 1, 1, "", TOO_DEEP)]) from None
    if unquoted := list(_unquoted_keys(document, file)):
        raise InvalidDeclaration(unquoted)
    try:
        # By way of JSON: strict there still reads lists as tuples and words as enum members.
        return model.model_validate_json(orjson.dumps(_plain(document)))
    except ValidationError as error:
        errors = error.errors()
        # A list of which an element is wrong is told to be too short as well: that is no news.
        told = [
            each
            for each in errors
            if each["type"] != "too_short"
            or not any(
                each["loc"] == other["loc"][: len(each["loc"])] != other["loc"] for other in errors
            )
        ]
        problems = [_problem(document, found, file) for found in told]
        raise InvalidDeclaration(sorted(problems, key=lambda p: (p.line, p.column))) from error


def _unquoted_keys(node: Any, file: str) -> Iterator[Problem]:
    """Keys that YAML reads as a number or a truth value: ``01: …`` would become ``"1"`` unseen."""
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            if not isinstance(key, str):
                line, column = (n + 1 for n in node.lc.key(key))
                said = f"a key is text: put {key!r} in quotes, as it should read"
                yield Problem(file, line, column, str(key), said)
            yield from _unquoted_keys(value, file)
    elif isinstance(node, CommentedSeq):
        for value in node:
            yield from _unquoted_keys(value, file)


def _plain(node: Any) -> Any:
    """Ruamel's nodes as built-in types, which strict models accept."""
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    if isinstance(node, bool):
        return bool(node)
    for built_in in (int, float, str):
        if isinstance(node, built_in):
            return built_in(node)
    return node


def _problem(document: Any, found: Any, file: str) -> Problem:
    line, column, named = 1, 1, []
    node: Any = document
    for step in found["loc"]:
        try:
            if isinstance(node, CommentedMap) and step in node:
                line, column = (n + 1 for n in node.lc.key(step))
            elif isinstance(node, CommentedSeq) and isinstance(step, int):
                line, column = (n + 1 for n in node.lc.item(step))
            else:
                # A union's branch or a missing key: the nearest node that exists is the place.
                if found["type"] == "missing" and step == found["loc"][-1]:
                    named.append(str(step))
                continue
            node = node[step]
            named.append(str(step))
        except (KeyError, IndexError, AttributeError):
            break
    said = f"{found['msg']}"
    if found["type"] == "missing":
        said = "this key is needed and not there"
    elif found["type"] == "extra_forbidden":
        said = "unknown key"
    elif "string" in found["type"] and not isinstance(found.get("input"), (dict, list)):
        said = f"{said}; found {found.get('input')!r} (a code must be in quotes)"
    return Problem(file, line, column, ".".join(named), said)
