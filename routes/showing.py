"""What a target was given, as it may be shown: values that come from items open to all, and no others.

Promises   a value is shown only where every item it is made of, and every item that a condition on it
           looks at, is open or internal; identity and mobile numbers inside open texts are masked
Careful    holds for payloads of the mapping it is made of, and of no other version of it
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from catalog.derive.mask import HIDDEN, redacted
from routes.paths import Path, Scope, parse_path
from routes.values import AllOf, AnyOf, Condition, Equals, Not, Test, Value, targets_of

__all__ = ["Shown", "showing"]

Shown = Callable[[Any], Any]


def showing(given: Mapping[str, Value], open_items: frozenset[str]) -> Shown:
    """A function from a payload of the mapping *given* to what of it may be shown. *open_items*:
    names of the elements that are not personal."""
    tree: dict[str, Any] = {}
    for where, value in targets_of(given):
        node = tree
        for step in where[:-1]:
            node = node.setdefault(step, {})
        node[where[-1]] = _of(value, open_items)
    return _object(tree)


def _object(tree: Mapping[str, Any]) -> Shown:
    masks: dict[str, Shown] = {
        name: _object(node) if isinstance(node, dict) else node for name, node in tree.items()
    }

    def shown(made: Any) -> Any:
        if not isinstance(made, Mapping):
            return HIDDEN
        return {name: masks.get(name, _hide)(value) for name, value in made.items()}

    return shown


def _of(value: Value, open_items: frozenset[str]) -> Shown:
    if value.map is not None:
        one = showing(value.map, open_items)
        return lambda made: [one(each) for each in made] if isinstance(made, list) else HIDDEN
    if all(_is_open(path, open_items) for path in _paths(value)):
        return _show
    return _hide


def _is_open(path: Path, open_items: frozenset[str]) -> bool:
    # The envelope's subject may be made of anything; its other facts are ours.
    if path.scope is Scope.ENVELOPE:
        return path.field != "subject"
    return path.field in open_items


def _paths(value: Value) -> Iterator[Path]:
    """All that decides what *value* becomes."""
    for text in (value.path, value.split, value.each, value.list_of):
        if text is not None:
            yield parse_path(text)
    for part in value.parts():
        yield from _paths(part)
    for case in value.when or ():
        yield from _asked(case.condition)


def _asked(condition: Condition) -> Iterator[Path]:
    match condition:
        case AllOf() | AnyOf():
            for each in condition.conditions:
                yield from _asked(each)
        case Not():
            yield from _asked(condition.negated)
        case Test():
            yield from _paths(condition.field)
        case Equals():
            for text in condition.items:
                yield parse_path(text)


def _show(made: Any) -> Any:
    if isinstance(made, str):
        return redacted(made)
    if isinstance(made, list):
        return [_show(each) for each in made]
    return made if made is None or isinstance(made, int | float) else HIDDEN


def _hide(_: Any) -> Any:
    return HIDDEN
