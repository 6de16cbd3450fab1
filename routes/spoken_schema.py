"""The partner's side of a mapping as JSON Schema: what an intake reads, and what a route writes.

Standard   JSON Schema 2020-12
Promises   a record that the intake takes is valid by its schema, unless it says "absent" by an empty
           text or null, gives a lone element for a list, or a number for a code; what a route writes
           is valid by its own
Careful    conditions are not in a schema: what only some records need is told in words. Fields that
           nobody reads are allowed
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from catalog.lifecycle.accepted import accepted
from catalog.model import Catalogue
from routes.dates import spoken
from routes.model import CodeTable, Destination, IntakeDeclaration, RouteDeclaration
from routes.paths import Path, Scope, parse_path
from routes.site import Declarations
from routes.targets import ANYTHING, OPERATION, SEQUENCE, Target, target_of
from routes.values import AllOf, AnyOf, Condition, Equals, Map, Not, Test, Value, targets_of
from schemas.message import Json

__all__ = ["payload_schema", "record_schema"]

SCALAR = ("string", "number", "boolean")
# What the compiled steps take for each kind, see `routes.compiler.steps`.
READ: Mapping[str, tuple[str, ...]] = {
    "text": ("string", "integer"),
    "integer": ("integer", "string"),
    "decimal": ("number", "string"),
    "boolean": ("boolean", "string", "integer"),
    "date": ("string", "integer"),
}
WRITTEN = {
    "text": "string",
    "date": "string",
    "decimal": "string",
    "integer": "integer",
    "boolean": "boolean",
}


@dataclass(slots=True)
class _Node:
    """A place in the partner's document, as far as it is known."""

    facts: dict[str, Json] = field(default_factory=dict)
    below: dict[str, _Node] = field(default_factory=dict)
    needed: set[str] = field(default_factory=set)
    many: bool = False
    types: tuple[str, ...] | None = None

    def at(self, steps: tuple[str, ...]) -> _Node:
        here = self
        for step in steps:
            if step.isdecimal():
                here.many = True
            else:
                here = here.below.setdefault(step, _Node())
        return here

    def need(self, steps: tuple[str, ...]) -> None:
        """Each step must be there; of what stands in a list nothing is asked."""
        here = self
        for step in steps:
            if step.isdecimal():
                return
            here.needed.add(step)
            here = here.at((step,))

    def schema(self) -> dict[str, Json]:
        one: dict[str, Json] = {}
        if self.below:
            one["type"] = "object"
            one["properties"] = {name: each.schema() for name, each in self.below.items()}
            if self.needed:
                one["required"] = [name for name in self.below if name in self.needed]
        elif self.types and not {"const", "enum"} & self.facts.keys():
            one["type"] = self.types[0] if len(self.types) == 1 else list(self.types)
        if not self.many:
            return {**self.facts, **one}
        told = {name: self.facts[name] for name in ("title",) if name in self.facts}
        inner = {name: each for name, each in self.facts.items() if name not in told}
        return {**told, "type": "array", "items": {**inner, **one}}


def record_schema(declared: IntakeDeclaration, declarations: Declarations) -> dict[str, Json]:
    """What records of the intake hold, with the items' names and the codes of its tables."""
    reading = _Reading(_Node(), declarations.tables)
    for publish in declared.publish:
        resource = declarations.catalogue.resources.get(publish.resource)
        if resource is None:
            continue
        element = reading.root
        certain = publish.only is None
        if publish.for_each:
            element = reading.place(parse_path(publish.for_each), reading.root)
            element.many = True
        reading.condition(publish.only, element)
        target = target_of(accepted(resource, declarations.catalogue), declarations.catalogue)
        reading.value(publish.operation, OPERATION, element, certain=certain)
        if publish.sequence is not None:
            reading.value(publish.sequence, SEQUENCE, element, certain=False)
        reading.mapping(publish.map, target, element, certain=certain)
    schema = reading.root.schema()
    return {"type": "object", **schema}


class _Reading:
    """Notes what a mapping reads. *certain*: whether every record that passes comes by here."""

    def __init__(self, root: _Node, tables: Mapping[str, CodeTable]) -> None:
        self.root, self._tables = root, tables

    def place(self, path: Path, element: _Node) -> _Node:
        return (element if path.scope is Scope.ELEMENT else self.root).at(path.steps)

    def mapping(
        self, mapping: Mapping[str, Value], target: Target, element: _Node, *, certain: bool
    ) -> None:
        for steps, value in targets_of(mapping):
            found = target
            for step in steps:
                found = found.items.get(step, ANYTHING)
            self.value(value, found, element, certain=certain)

    def value(self, value: Value, target: Target, element: _Node, *, certain: bool) -> None:
        for part in value.parts():
            self.value(part, target, element, certain=False)
        for case in value.when or ():
            self.condition(case.condition, element)
        text = value.path or value.split or value.each or value.list_of
        path = parse_path(text) if text else None
        if path is None or path.scope is Scope.ENVELOPE:
            return
        node = self.place(path, element)
        needed = value.required or (target.enforced and value.default is None)
        if certain and needed:
            (element if path.scope is Scope.ELEMENT else self.root).need(path.steps)
        self._describe(node, value, target, certain=certain)
        if value.each is not None and value.map is not None:
            node.many = True
            self.mapping(value.map, target.one(), node, certain=certain)

    def condition(self, condition: Condition | None, element: _Node) -> None:
        for text in _fields(condition):
            path = parse_path(text)
            if path.scope is not Scope.ENVELOPE:
                node = self.place(path, element)
                node.types = node.types or SCALAR

    def _describe(self, node: _Node, value: Value, target: Target, *, certain: bool) -> None:
        if target.names is not None and "title" not in node.facts:
            node.facts["title"] = target.names.zh
        if value.list_of is not None:
            node.many = True
        if value.each is not None:
            return
        changed = value.codes or value.number or value.split
        types = SCALAR if changed else READ.get(target.kind, SCALAR)
        # Read twice, it must please both: who reads anything tells nothing.
        known = node.types
        node.types = tuple(t for t in known if t in types) or types if known else types
        if value.date:
            node.facts.setdefault("description", spoken(value.date))
        table = self._tables.get(value.codes or "")
        if table is None:
            return
        if certain and value.text is None and "enum" not in node.facts:
            node.facts["enum"] = list(table.to_ours)
        elif "enum" not in node.facts:
            node.facts.setdefault("examples", list(table.to_ours))


def payload_schema(
    to: Destination, route: RouteDeclaration, declarations: Declarations
) -> dict[str, Json]:
    """What the route writes for one of its systems."""
    catalogue = declarations.catalogue
    sources = [_source(stream, catalogue) for stream in route.streams]
    writing = _Writing(sources, declarations.tables)
    root = _Node()
    writing.mapping(root, to.map, ())
    return {"type": "object", **root.schema()}


def _source(stream: str, catalogue: Catalogue) -> Target:
    resource = catalogue.resources.get(stream.partition(".")[0])
    return target_of(resource, catalogue) if resource else ANYTHING


@dataclass(frozen=True, slots=True)
class _Writing:
    """Notes what a mapping writes. *sources*: the resources that it may be given."""

    sources: Sequence[Target]
    tables: Mapping[str, CodeTable]

    def mapping(self, root: _Node, mapping: Map, element: Sequence[Target]) -> None:
        for steps, value in targets_of(mapping):
            node = root.at(steps)
            found = self._found(value, element)
            if self._always(value, found):
                root.need(steps)
            self._describe(node, value, found)
            if value.each is not None and value.map is not None:
                node.many = True
                self.mapping(node, value.map, [each.one() for each in found])

    @staticmethod
    def _always(value: Value, found: Sequence[Target]) -> bool:
        if value.const is not None or value.default is not None or value.required:
            return True
        plain = value.bare is not None or value.list_of is not None
        return plain and bool(found) and all(each.required and each.enforced for each in found)

    def _describe(self, node: _Node, value: Value, found: Sequence[Target]) -> None:
        if value.const is not None:
            node.facts["const"] = value.const
            return
        if (names := next((each.names for each in found if each.names), None)) is not None:
            node.facts["title"] = names.zh
        node.many = node.many or value.list_of is not None
        table = self.tables.get(value.codes or "")
        kinds = {each.kind for each in found}
        if value.date:
            node.facts["description"] = spoken(value.date)
        elif table and not (value.default or value.text or value.number):
            node.facts["enum"] = list(dict.fromkeys(table.theirs().values()))
        elif (value.bare or value.list_of) and len(kinds) == 1:
            written = WRITTEN.get(kinds.pop())
            node.types = (written,) if written else None

    def _found(self, value: Value, element: Sequence[Target]) -> list[Target]:
        """The items that a value comes from, one a resource; none where one has none such."""
        text = value.source()
        path = parse_path(text) if text else None
        if path is None or path.scope is Scope.ENVELOPE:
            return []
        found = []
        for each in element if path.scope is Scope.ELEMENT else self.sources:
            here = each
            for step in path.steps:
                here = here.items.get(step, ANYTHING)
            found.append(here)
        return found if all(each is not ANYTHING for each in found) else []


def _fields(condition: Condition | None) -> Iterator[str]:
    match condition:
        case Equals():
            yield from condition.items
        case Test():
            if (text := condition.field.source()) is not None:
                yield text
        case AllOf() | AnyOf():
            for each in condition.conditions:
                yield from _fields(each)
        case Not():
            yield from _fields(condition.negated)
        case None:
            pass
