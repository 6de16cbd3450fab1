"""An intake, compiled: a partner's record becomes drafts of canonical messages, or all its faults.

Form       codes of faults: ``map.missing map.type map.date map.code map.number map.nothing``
Promises   `CompiledIntake.drafts` raises `Rejected` and nothing else, whatever the record holds;
           each fault stands at its place in the partner's own record
Not here   whether a draft is a valid body: `catalog.derive.validator`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from catalog.lifecycle.accepted import accepted
from routes.compiler.mapping import Compiler, Holds
from routes.compiler.steps import BAD, Built, Place, kind_of
from routes.deletes import wanted
from routes.model import IntakeDeclaration, Publish
from routes.origins import Origins
from routes.paths import Path, Scope, parse_path
from routes.site import Declarations
from routes.targets import OPERATION, SEQUENCE, target_of
from routes.values import Value
from routes.versions import version_of
from schemas.errors import Fault, Misconfigured, Rejected
from schemas.message import Body, Operation

__all__ = ["CompiledIntake", "Draft", "compile_intake"]

_OPERATIONS = {each.value: each for each in Operation}


class Draft(Struct, frozen=True, kw_only=True):
    """A canonical message to be. *publish*, *element*: which part of the record it came from."""

    resource: str
    operation: Operation
    sequence: int
    body: dict[str, Any]
    publish: int = 0
    element: str = ""


@dataclass(frozen=True, slots=True)
class _Publisher:
    """One ``publish`` entry."""

    number: int
    resource: str
    holds: Holds | None
    for_each: Path | None
    fixed: Operation | None
    operation: Built
    operation_at: str
    sequence: Built | None
    build: Built

    def drafts(self, record: Mapping[str, Any], faults: list[Fault]) -> Iterator[Draft]:
        for element, at in self._elements(record, faults):
            if self.holds is not None and not self.holds(record, None, element):
                continue
            yield self._draft(record, element, at, faults)

    def takes(self, record: Mapping[str, Any]) -> bool:
        """Whether it is meant for this record, even if its list is empty."""
        if self.for_each is not None:
            return True
        return self.holds is None or self.holds(record, None, None)

    def _elements(
        self, record: Mapping[str, Any], faults: list[Fault]
    ) -> Iterator[tuple[Any, str]]:
        if self.for_each is None:
            yield None, ""
            return
        found: Any = record
        for step in self.for_each.steps:
            found = found.get(step) if isinstance(found, Mapping) else None
        pointer = self.for_each.pointer
        if isinstance(found, Mapping):  # a lone element, as XML readers give it
            yield found, pointer
        elif isinstance(found, list | tuple):
            for n, element in enumerate(found):
                yield element, f"{pointer}/{n}"
        elif found not in (None, ""):
            place = Place(pointer, {"field": self.for_each.text, "name_zh": "", "name_en": ""})
            place.fault("map.type", "", faults, expected="list", found=kind_of(found))

    def _draft(self, record: Any, element: Any, at: str, faults: list[Fault]) -> Draft:
        operation = self.fixed or _OPERATIONS.get(
            str(self.operation(record, None, element, at, faults))
        )
        if operation is None and not faults:
            allowed = ", ".join(_OPERATIONS)
            faults.append(Fault("map.operation", at + self.operation_at, {"allowed": allowed}))
        sequence = 0
        if self.sequence is not None:
            found = self.sequence(record, None, element, at, faults)
            sequence = 0 if found is None or found is BAD else found
        found_in_body: list[Fault] = []
        body = self.build(record, None, element, at, found_in_body)
        if found_in_body:
            faults += wanted(found_in_body, operation)
        return Draft(
            resource=self.resource,
            operation=operation or Operation.CREATED,
            sequence=sequence,
            body=body,
            publish=self.number,
            element=at,
        )


@dataclass(frozen=True, slots=True)
class CompiledIntake:
    """What `compile_intake` makes; safe to share between tasks and threads. *version* is that of its
    declaration and of the code tables it uses; *subject* are the steps to a record's subject, where
    all its messages have the same one, taken over as it stands."""

    name: str
    version: str
    resources: frozenset[str]
    subject: tuple[str, ...] | None
    _publishers: tuple[_Publisher, ...] = field(repr=False)
    _origins: tuple[Origins, ...] = field(repr=False)
    _ignores: bool = field(repr=False)

    def drafts(self, body: Body) -> list[Draft]:
        """
        Map one record. An empty list: declared ``otherwise: ignore``, or its lists are empty.

        Raises `Rejected` (``map.refused``) with every fault, each at its place in *body*.
        """
        if not isinstance(body, Mapping):
            fault = Fault("map.type", "", _expected_object(body))
            raise Rejected("map.refused", "The record is no object", faults=[fault])
        record = body if isinstance(body, dict) else dict(body)
        faults: list[Fault] = []
        found = [draft for each in self._publishers for draft in each.drafts(record, faults)]
        nothing = not found and not faults and not self._ignores
        if nothing and not any(each.takes(record) for each in self._publishers):
            faults.append(Fault("map.nothing", "", {"intake": self.name}))
        if faults:
            # Several messages may need the same field: it is told once.
            faults = list({(fault.at, fault.code): fault for fault in faults}.values())
            raise Rejected(
                "map.refused",
                "The record cannot be mapped",
                faults=faults,
                intake=self.name,
                faulty=len(faults),
            )
        return found

    def place(self, draft: Draft, at: str) -> str:
        """Where in the partner's record the item of *draft* at JSON Pointer *at* comes from."""
        return self._origins[draft.publish].place(at, draft.element)


def compile_intake(declared: IntakeDeclaration, declarations: Declarations) -> CompiledIntake:
    """Raises `Misconfigured` where it names a resource or a code table that is not declared."""
    codes = {name: table.to_ours for name, table in declarations.tables.items()}
    compiler = Compiler(declaration=declared.intake, inward=True, codes=codes)
    publishers = tuple(
        _publisher(n, each, compiler, declarations) for n, each in enumerate(declared.publish)
    )
    origins = tuple(Origins(each.map) for each in declared.publish)
    ignore = declared.otherwise == "ignore"
    version = version_of(declared, declarations.tables)
    resources = frozenset(each.resource for each in declared.publish)
    subject = _subject(declared, declarations)
    return CompiledIntake(declared.intake, version, resources, subject, publishers, origins, ignore)


def _subject(declared: IntakeDeclaration, declarations: Declarations) -> tuple[str, ...] | None:
    resources = declarations.catalogue.resources
    found = {
        _taken_over(each.map.get(resources[each.resource].subject)) for each in declared.publish
    }
    return found.pop() if len(found) == 1 else None


def _taken_over(value: Value | None) -> tuple[str, ...] | None:
    """The steps to a value of the record that is changed by nothing."""
    if value is None or value.path is None:
        return None
    if value.text or value.codes or value.number or value.date or value.default is not None:
        return None
    path = parse_path(value.path)
    return path.steps if path.scope is Scope.RECORD else None


def _publisher(
    number: int, declared: Publish, compiler: Compiler, declarations: Declarations
) -> _Publisher:
    catalogue = declarations.catalogue
    resource = catalogue.resources.get(declared.resource)
    if resource is None:
        raise Misconfigured(
            "lint.unknown-resource",
            "No such resource",
            declaration=compiler.declaration,
            resource=declared.resource,
        )
    constant = declared.operation.const
    sequence = declared.sequence
    return _Publisher(
        number=number,
        resource=declared.resource,
        holds=compiler.condition(declared.only),
        for_each=parse_path(declared.for_each) if declared.for_each else None,
        fixed=_OPERATIONS.get(str(constant)) if constant is not None else None,
        operation=compiler.value(declared.operation, OPERATION),
        operation_at=parse_path(text).pointer if (text := declared.operation.source()) else "",
        sequence=compiler.value(sequence, SEQUENCE) if sequence else None,
        build=compiler.mapping(declared.map, target_of(accepted(resource, catalogue), catalogue)),
    )


def _expected_object(found: object) -> dict[str, Any]:
    return {
        "field": "",
        "name_zh": "",
        "name_en": "",
        "expected": "object",
        "found": kind_of(found),
    }
