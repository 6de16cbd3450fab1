"""The intake of a system that sends a resource in the catalogue's own words: nothing is mapped.

Form       kind and resource have the same name; a group that is no list is flattened by paths
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from catalog.model import Item, Resource
from routes.model import IntakeDeclaration, Publish
from schemas.message import Body

__all__ = ["identity_intake", "is_identity", "own_names"]


def identity_intake(system: str, resource: Resource, example: Body) -> str:
    """The text of ``intakes/<system>.<resource>.yaml``; *example* is a valid body."""
    mapping = dict(own_names(resource.items))
    name = resource.resource
    declared = {
        "intake": f"{system}.{name}",
        "publish": [{"resource": name, "operation": "created", "map": mapping}],
        "examples": [
            {
                "name": "a body of the catalogue passes as it is",
                "given": dict(example),
                "expect": [{"resource": name, "operation": "created", "body": dict(example)}],
            }
        ],
    }
    writer: Any = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.allow_unicode = True
    writer.sort_base_mapping_type_on_output = False
    writer.representer.ignore_aliases = lambda _: True
    written = StringIO()
    writer.dump(declared, written)
    return written.getvalue()


def is_identity(intake: IntakeDeclaration, resources: Mapping[str, Resource]) -> bool:
    """Whether every record of *intake* is a body of its one resource."""
    if len(intake.publish) != 1:
        return False
    (publish,) = intake.publish
    resource = resources.get(publish.resource)
    if resource is None or publish.only or publish.for_each:
        return False
    same: dict[str, Any] = {
        "resource": resource.resource,
        "operation": "created",
        "map": dict(own_names(resource.items)),
    }
    return Publish.model_validate(same).map == publish.map


def own_names(
    items: tuple[Item, ...],
    passes: Callable[[str], bool] = lambda _: True,
    *,
    above: str = "",
    prefix: str = "",
) -> Iterator[tuple[str, Any]]:
    """The map of each item under its own name, of those whose path *passes*. *above*: path of the
    group; *prefix*: of the paths of its values."""
    for item in items:
        path, source = f"{above}{item.wire_name}", f"{prefix}{item.wire_name}"
        if not passes(path):
            continue
        if item.group is None:
            yield item.wire_name, {"list": source} if item.is_list else source
        elif item.is_list:
            inside = own_names(item.items, passes, above=f"{path}/", prefix="@.")
            yield item.wire_name, {"each": source, "map": dict(inside)}
        else:
            inside = own_names(item.items, passes, above=f"{path}/", prefix=f"{source}.")
            yield from ((f"{item.wire_name}.{name}", value) for name, value in inside)
