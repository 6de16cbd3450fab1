"""Writes the function of a mapping: for each target, read, change, check, put in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from catalog.model import Names
from routes.compiler import steps
from routes.compiler.conditions import ENVELOPE_READS, expression, paths_of
from routes.compiler.source import Source
from routes.compiler.steps import MOST_INTEGER, Built, Place
from routes.paths import Path, Scope, parse_path, pointer_of
from routes.targets import ANYTHING, Target
from routes.values import Condition, Value, targets_of
from schemas.errors import Facts, Misconfigured

__all__ = ["Compiler", "Holds"]

ARGUMENTS = "record, envelope, element, at, faults"
Holds = Callable[[Any, Any, Any], bool]
_COERCIONS: Mapping[str, Callable[[Place], steps.Step]] = {
    "any": steps.scalar_of,
    "text": steps.text_of,
    "date": steps.text_of,
    "integer": steps.integer_of,
    "decimal": steps.decimal_step,
    "boolean": steps.boolean_of,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """
    Compiles the values of one declaration.

    *inward*: from a partner's words to ours; else from ours to a partner's. *codes*: of each table,
    in that direction. *names*: of canonical fields, for the faults of a route.
    """

    declaration: str
    inward: bool
    codes: Mapping[str, Mapping[str, str]]
    names: Mapping[str, Names] = field(default_factory=dict)
    shown: frozenset[str] = frozenset()

    def mapping(self, given: Mapping[str, Value], target: Target = ANYTHING) -> Built:
        """Compile to ``(record, envelope, element, at, faults) -> dict``."""
        source = Source()
        _Writer(self, source).objects(given, target)
        return source.compiled(ARGUMENTS)

    def value(self, given: Value, target: Target = ANYTHING) -> Built:
        """Compile to ``(record, envelope, element, at, faults) -> value or None``."""
        source = Source()
        source.line(f"return {_Writer(self, source).value(given, target)}")
        return source.compiled(ARGUMENTS)

    def change(self, given: Value, target: Target, place: Place) -> steps.Step:
        """Compile the modifiers alone, for an element of a list."""
        source = Source()
        _Writer(self, source).change("value", given, target, place, "at")
        source.line("return value")
        return source.compiled("value, at, faults")

    def condition(self, given: Condition | None) -> Holds | None:
        """Compile to ``(record, envelope, element) -> bool``; None where nothing is asked."""
        if given is None:
            return None
        source = Source()
        source.line(f"return {self.expression(given, source)}")
        return source.compiled("record, envelope, element")

    def expression(self, given: Condition, source: Source) -> str:
        for path in paths_of(given):
            self.check_scope(path)
        return expression(given, source, self.value)

    def check_scope(self, path: Path) -> None:
        if self.inward and path.scope is Scope.ENVELOPE:
            raise Misconfigured(
                "lint.envelope-in-intake",
                "An intake has no envelope yet",
                declaration=self.declaration,
                path=path.text,
            )

    def place(self, path: Path | None, target: Target) -> Place:
        """What is said of the value at *path*: the partner's field, the element's names."""
        if path is None:
            return Place("", self._facts("", target.names), shown=False)
        names = target.names if self.inward else self.names.get(path.field)
        shown = target.shown if self.inward else path.field in self.shown
        return Place(path.pointer, self._facts(path.text, names), shown=shown)

    @staticmethod
    def _facts(text: str, names: Names | None) -> Facts:
        zh, en = (names.zh, names.en) if names else (text, text)
        return {"field": text, "name_zh": zh, "name_en": en}

    def table(self, name: str) -> Mapping[str, str]:
        found = self.codes.get(name)
        if found is None:
            raise Misconfigured(
                "lint.unknown-table",
                "No such code table",
                declaration=self.declaration,
                table=name,
            )
        return found


class _Writer:
    def __init__(self, compiler: Compiler, source: Source) -> None:
        self._compiler, self._source = compiler, source

    def objects(self, given: Mapping[str, Value], target: Target) -> None:
        """All of a mapping: nested targets become objects, which are absent if nothing is in them."""
        tree: dict[str, Any] = {}
        for where, value in targets_of(given):
            node = tree
            for step in where[:-1]:
                node = node.setdefault(step, {})
            node[where[-1]] = value
        self._source.line(f"return {self._object(tree, target)}")

    def _object(self, tree: Mapping[str, Any], target: Target) -> str:
        source = self._source
        out = source.fresh()
        source.line(f"{out} = {{}}")
        for name, node in tree.items():
            below = target.items.get(name, ANYTHING)
            key = source.bind(name)
            if isinstance(node, dict):
                inner = self._object(node, below)
                with source.block(f"if {inner}:"):
                    source.line(f"{out}[{key}] = {inner}")
                continue
            self._put(node, below, f"{out}[{key}]")
        return out

    def _put(self, value: Value, target: Target, place: str) -> None:
        if value.const is not None:
            self._source.line(f"{place} = {self._source.bind(value.const)}")
            return
        result = self.value(value, target)
        with self._source.block(f"if {result} is not None:"):
            self._source.line(f"{place} = {result}")

    def value(self, value: Value, target: Target) -> str:
        """Write what computes *value*; returns the variable that holds it."""
        source = self._source
        text = value.source()
        path = parse_path(text) if text else None
        place, base = self._compiler.place(path, target), _base(path)
        match value.origin:
            case "each":
                result = self._each(value, target, place, base)
            case "list":
                result = self._list(value, target, place, base)
            case "const":
                result = source.fresh()
                source.line(f"{result} = {source.bind(value.const)}")
                self.change(result, value, target, place, base)
            case "join" | "first" | "when":
                result = self._composed(value, target)
                if value.origin == "join" or _modified(value):
                    self.change(result, value, target, place, base)
            case _:
                result = self._read(parse_path(value.path or value.split or ""), place)
                if value.split is not None:
                    part = steps.part_of(place, value.on or "", value.take or 1)
                    self._apply(result, part, base)
                self.change(result, value, target, place, base)
        if value.default is not None:
            with source.block(f"if {result} is None:"):
                source.line(f"{result} = {source.bind(value.default)}")
        elif value.required or target.enforced:
            with source.block(f"if {result} is None:"):
                source.line(f"{source.bind(steps.missing(place))}({base}, faults)")
        return result

    def _read(self, path: Path, place: Place) -> str:
        source = self._source
        result = source.fresh()
        if path.scope is Scope.ENVELOPE:
            self._compiler.check_scope(path)
            read = source.bind(ENVELOPE_READS[path.steps[0]])
            source.line(f"{result} = {read}(envelope)")
            return result
        of_record = path.scope is Scope.RECORD
        if not (of_record and path.steps):
            source.line(f"{result} = {'record' if of_record else 'element'}")
        for n, step in enumerate(path.steps):
            key = source.bind(step)
            if n == 0 and of_record:
                source.line(f"{result} = record.get({key})")
                continue
            above = replace(place, pointer=pointer_of(path.steps[:n]))
            down = source.bind(steps.deeper(above, step))
            source.line(
                f"{result} = {result}.get({key}) if {result}.__class__ is dict"
                f" else {down}({result}, {_base(path)}, faults)"
            )
        return result

    def _composed(self, value: Value, target: Target) -> str:
        source = self._source
        plain = target.part()
        if value.join or _modified(value):
            # Any type will do for what is changed once more; it is no less personal for that.
            plain = replace(ANYTHING, names=target.names, shown=target.shown)
        result = source.fresh()
        if value.join is not None:
            parts = ", ".join(self.value(part, plain) for part in value.join)
            constant = tuple(part.const is not None for part in value.join)
            join = source.bind(steps.joined(value.between, constant))
            source.line(f"{result} = {join}(({parts},))")
        elif value.first is not None:
            self._first(value.first, plain, result)
        else:
            self._when(value, plain, result)
        return result

    def _first(self, tried: tuple[Value, ...], target: Target, result: str) -> None:
        """Try one after the other; what is not needed is not looked at."""
        source = self._source
        source.line(f"{result} = None")
        for each in tried:
            with source.block(f"if {result} is None:"):
                source.line(f"{result} = {self.value(each, target)}")

    def _when(self, value: Value, target: Target, result: str) -> None:
        source = self._source
        source.line(f"{result} = None")
        cases = value.when or ()
        self._cases(cases, 0, value.otherwise, target, result)

    def _cases(
        self, cases: tuple[Any, ...], n: int, otherwise: Value | None, target: Target, result: str
    ) -> None:
        source = self._source
        if n == len(cases):
            if otherwise is not None:
                source.line(f"{result} = {self.value(otherwise, target)}")
            return
        held = self._compiler.expression(cases[n].condition, source)
        with source.block(f"if {held}:"):
            source.line(f"{result} = {self.value(cases[n].then, target)}")
        if n + 1 < len(cases) or otherwise is not None:
            with source.block("else:"):
                self._cases(cases, n + 1, otherwise, target, result)

    def _each(self, value: Value, target: Target, place: Place, base: str) -> str:
        source = self._source
        result = self._read(parse_path(value.each or ""), place)
        build = self._compiler.mapping(value.map or {}, target)
        rows = source.bind(steps.each_of(place, build))
        source.line(f"{result} = {rows}({result}, record, envelope, {base}, faults)")
        return result

    def _list(self, value: Value, target: Target, place: Place, base: str) -> str:
        result = self._read(parse_path(value.list_of or ""), place)
        # Each element's number is in ``at`` already: the place of the list adds nothing.
        change = self._compiler.change(value, target.one(), replace(place, pointer=""))
        self._apply(result, steps.listed(place, change), base)
        return result

    def _apply(self, variable: str, step: steps.Step, base: str) -> None:
        bound = self._source.bind(step)
        self._source.line(f"{variable} = {bound}({variable}, {base}, faults)")

    def change(self, variable: str, value: Value, target: Target, place: Place, base: str) -> None:
        """The modifiers, in the order of the language, then the type of the target."""
        source = self._source
        if value.text is not None:
            self._apply(variable, steps.texted(value.text), base)
        if value.codes is not None:
            codes = self._compiler.table(value.codes)
            slow = source.bind(steps.looked_up(place, value.codes, codes))
            table, found = source.bind(dict(codes)), source.fresh()
            source.line(
                f"{found} = {table}.get({variable}) if {variable}.__class__ is str else None"
            )
            source.line(
                f"{variable} = {slow}({variable}, {base}, faults) if {found} is None else {found}"
            )
        if value.number is not None:
            number, write = value.number, _written(value, target, inward=self._compiler.inward)
            step = steps.scaled(place, number.times, number.places, number.rounding, write)
            self._apply(variable, step, base)
        if value.date is not None:
            if self._compiler.inward:
                shape = target.shape or "%Y-%m-%dT%H:%M:%S"
                self._apply(variable, steps.date_read(place, value.date, shape), base)
            else:
                self._apply(variable, steps.date_written(place, value.date), base)
            return
        if value.number is None:
            self._coerce(variable, target, place, base)

    def _coerce(self, variable: str, target: Target, place: Place, base: str) -> None:
        kind = target.kind if target.kind in _COERCIONS else "any"
        step = self._source.bind(_COERCIONS[kind](place))
        call = f"{variable} = {step}({variable}, {base}, faults)"
        if kind in ("any", "text", "date"):
            # Most values are texts and stay as they are: no call for them.
            with self._source.block(f"if {variable}.__class__ is not str or not {variable}:"):
                self._source.line(call)
        elif kind == "integer":
            with self._source.block(
                f"if {variable}.__class__ is not int or not {-MOST_INTEGER} <= {variable} <= {MOST_INTEGER}:"
            ):
                self._source.line(call)
        else:
            self._source.line(call)


def _base(path: Path | None) -> str:
    return "at" if path is not None and path.scope is Scope.ELEMENT else "''"


def _modified(value: Value) -> bool:
    return any(m is not None for m in (value.text, value.codes, value.number, value.date))


def _written(value: Value, target: Target, *, inward: bool) -> str:
    number = value.number
    if number is None:
        return "text"
    if inward:
        return "integer" if target.kind == "integer" else "text"
    if number.write is not None:
        return number.write
    return "text" if number.places else "number"
