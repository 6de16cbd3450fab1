"""The items of a resource by path: ``caseNo``, ``Material``, ``Material/materialName``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from catalog.model import Item, Resource
from schemas.message import Body

__all__ = ["compile_only", "covered", "paths", "reduced"]


def paths(resource: Resource) -> Mapping[str, Item]:
    """Every item and group, by its path, in the order of the declaration."""
    return dict(_paths(resource.items, ""))


def _paths(items: tuple[Item, ...], above: str) -> Iterator[tuple[str, Item]]:
    for item in items:
        path = f"{above}{item.wire_name}"
        yield path, item
        yield from _paths(item.items, f"{path}/")


def covered(path: str, granted: Collection[str]) -> bool:
    """Whether *path* is among *granted*, or lies in a group that is."""
    steps = path.split("/")
    return any("/".join(steps[:n]) in granted for n in range(1, len(steps) + 1))


def reduced(resource: Resource, granted: Collection[str]) -> Resource:
    """*resource* with the *granted* items alone; a group keeps those of its items."""
    return resource.model_copy(update={"items": tuple(_reduced(resource.items, granted, ""))})


def _reduced(items: tuple[Item, ...], granted: Collection[str], above: str) -> Iterator[Item]:
    for item in items:
        path = f"{above}{item.wire_name}"
        if covered(path, granted):
            yield item
        elif inside := tuple(_reduced(item.items, granted, f"{path}/")):
            yield item.model_copy(update={"items": inside})


def compile_only(granted: Collection[str]) -> Callable[[Body], Body]:
    """A function from a body to a copy without what is not *granted*."""
    tree: dict[str, Any] = {}
    for path in granted:
        node = tree
        steps = path.split("/")
        for step in steps[:-1]:
            node = node.setdefault(step, {})
            if node is None:
                break
        else:
            node[steps[-1]] = None
    return lambda body: _stripped(body, tree)


def _stripped(body: Mapping[str, Any], tree: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in body.items():
        if name not in tree:
            continue
        below = tree[name]
        if below is None:
            kept[name] = value
        elif isinstance(value, Mapping):
            # A group of which nothing is left is left out.
            if inside := _stripped(value, below):
                kept[name] = inside
        elif isinstance(value, list):
            kept[name] = [_stripped(each, below) for each in value if isinstance(each, Mapping)]
    return kept
