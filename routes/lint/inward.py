"""Intakes: does what they write fit the items of the resource?"""

from __future__ import annotations

from collections.abc import Mapping

from catalog.lifecycle.accepted import accepted
from routes.dates import has_time, writer
from routes.lint.conditions import check_scopes
from routes.lint.fields import nearest
from routes.lint.finding import Notebook, Page, Where
from routes.model import Publish
from routes.numbers import decimal_of
from routes.paths import Scope, parse_path
from routes.site import Declarations
from routes.targets import OPERATION, SEQUENCE, Target, target_of
from routes.values import Scalar, Value, targets_of
from schemas.message import Operation

__all__ = ["check_intakes"]

_CANONICAL = writer("iso")


def check_intakes(declarations: Declarations, book: Notebook) -> None:
    for intake in declarations.intakes.values():
        page = book.page("intake", intake.intake)
        for n, publish in enumerate(intake.publish):
            _check_publish(publish, declarations, page, ("publish", n))


def _check_publish(publish: Publish, declarations: Declarations, page: Page, where: Where) -> None:
    resource = declarations.catalogue.resources.get(publish.resource)
    if resource is None:
        near = nearest(publish.resource, declarations.catalogue.resources)
        page.error(
            "lint.unknown-resource", (*where, "resource"), resource=publish.resource, near=near
        )
        return
    check = _Inward(declarations, page, publish.resource, in_list=publish.for_each is not None)
    if publish.for_each is not None and parse_path(publish.for_each).scope is not Scope.RECORD:
        page.error("lint.element-outside", (*where, "for_each"), path=publish.for_each)
    check_scopes(publish.only, page, (*where, "only"), in_list=check.in_list, envelope=False)
    check.value(publish.operation, OPERATION, (*where, "operation"))
    check.operations(publish.operation, (*where, "operation"))
    if publish.sequence is not None:
        check.value(publish.sequence, SEQUENCE, (*where, "sequence"))
    catalogue = declarations.catalogue
    target = target_of(accepted(resource, catalogue), catalogue)
    check.mapping(publish.map, target, (*where, "map"))


class _Inward:
    """The rules on values of one ``publish`` entry."""

    def __init__(
        self, declarations: Declarations, page: Page, resource: str, *, in_list: bool
    ) -> None:
        self._declarations, self._page, self._resource = declarations, page, resource
        self.in_list = in_list

    def mapping(self, mapping: Mapping[str, Value], target: Target, where: Where) -> None:
        mapped: set[tuple[str, ...]] = set()
        for steps, value in targets_of(mapping):
            here = (*where, ".".join(steps))
            item = self._item(steps, target, here)
            if item is not None:
                mapped.update(steps[:n] for n in range(1, len(steps) + 1))
                self.value(value, item, here)
        self._unmapped(target, mapped, (), where)

    def _item(self, steps: tuple[str, ...], target: Target, where: Where) -> Target | None:
        item = target
        for n, step in enumerate(steps):
            below = item.items.get(step)
            if below is None:
                name, near = ".".join(steps), nearest(step, item.items)
                self._page.error(
                    "lint.unknown-item", where, item=name, resource=self._resource, near=near
                )
                return None
            if n + 1 < len(steps) and below.many:
                self._page.error("lint.single-into-list", where, item=".".join(steps))
                return None
            item = below
        return item

    def _unmapped(
        self, target: Target, mapped: set[tuple[str, ...]], above: tuple[str, ...], where: Where
    ) -> None:
        for name, item in target.items.items():
            steps = (*above, name)
            if item.required and steps not in mapped:
                self._page.error(
                    "lint.unmapped-item",
                    where,
                    item=".".join(steps),
                    resource=self._resource,
                    name_zh=item.names.zh if item.names else name,
                    name_en=item.names.en if item.names else name,
                )
            # A single group whose parts are mapped by names with dots.
            if item.kind == "group" and any(m[: len(steps)] == steps != m for m in mapped):
                self._unmapped(item, mapped, steps, where)

    def value(self, value: Value, target: Target, where: Where) -> None:
        self._source(value, where)
        if value.origin in ("each", "list") or target.many or target.kind == "group":
            self._list(value, target, where)
            return
        # What a part gives is changed once more by the whole: only the last must fit the item.
        changed = any(m is not None for m in (value.text, value.codes, value.number, value.date))
        part = Target() if changed or value.join is not None else target
        for below, each in _parts(value):
            self.value(each, part, (*where, *below))
        for n, case in enumerate(value.when or ()):
            check_scopes(
                case.condition,
                self._page,
                (*where, "when", n, "if"),
                in_list=self.in_list,
                envelope=False,
            )
        self._modifiers(value, target, where)
        for key, fixed in (("const", value.const), ("default", value.default)):
            plain = key == "default" or not changed
            if fixed is not None and plain:
                self._fixed(fixed, target, (*where, key))

    def _source(self, value: Value, where: Where) -> None:
        for text in (value.path, value.split, value.each, value.list_of):
            if text is None:
                continue
            scope = parse_path(text).scope
            if scope is Scope.ENVELOPE:
                self._page.error("lint.envelope-in-intake", where, path=text)
            if scope is Scope.ELEMENT and not self.in_list:
                self._page.error("lint.element-outside", where, path=text)

    def _list(self, value: Value, target: Target, where: Where) -> None:
        item = str(where[-1])
        if value.origin == "each":
            if target.kind not in ("group", "any"):
                self._page.error("lint.objects-into-values", where, item=item)
                return
            if not target.many and target.kind == "group":
                self._page.error("lint.list-into-single", where, item=item)
            inner = _Inward(self._declarations, self._page, self._resource, in_list=True)
            if target.kind == "group":
                inner.mapping(value.map or {}, target, (*where, "map"))
            return
        if target.kind == "group":
            self._page.error("lint.value-into-group", where, item=item)
        elif value.origin == "list" and not target.many:
            self._page.error("lint.list-into-single", where, item=item)
        elif value.origin != "list" and target.many:
            self._page.error("lint.single-into-list", where, item=item)
        else:
            self._modifiers(value, target.one(), where)

    def _modifiers(self, value: Value, target: Target, where: Where) -> None:
        item, page = str(where[-1]), self._page
        if value.codes is not None:
            self._codes(value.codes, target, (*where, "codes"))
        if value.date is not None:
            if target.kind not in ("date", "any") and not target.shape:
                page.error("lint.date-target", (*where, "date"), item=item, kind=target.kind)
            elif "%H" in target.shape and not has_time(value.date):
                page.warning("lint.time-invented", (*where, "date"), item=item, date=value.date)
        if value.number is not None:
            if target.kind in ("boolean", "date", "text"):
                page.error("lint.number-target", (*where, "number"), item=item, kind=target.kind)
            most = _decimals(target)
            if most is not None and value.number.places > most:
                page.error(
                    "lint.number-places",
                    (*where, "number"),
                    item=item,
                    places=value.number.places,
                    most=most,
                )

    def _codes(self, name: str, target: Target, where: Where) -> None:
        table = self._declarations.tables.get(name)
        if table is None:
            near = nearest(name, self._declarations.tables)
            self._page.error("lint.unknown-table", where, table=name, near=near)
            return
        if not table.to_ours:
            self._page.error("lint.table-direction", where, table=name, direction="to_ours")
        wanted = target.domain.codes
        if wanted is not None and table.code_list != wanted:
            self._page.error(
                "lint.wrong-table",
                where,
                table=name,
                code_list=table.code_list or "–",
                wanted=wanted,
            )

    def _fixed(self, fixed: Scalar, target: Target, where: Where) -> None:
        """A constant or default: of the item's type, and a code of its list."""
        if not _fits(fixed, target):
            self._page.error("lint.const-type", where, kind=target.kind, value=str(fixed))
            return
        codes = self._declarations.catalogue.code_lists.get(target.domain.codes or "")
        if codes is not None and str(fixed) not in codes.codes:
            self._page.error("lint.unknown-code", where, value=str(fixed), code_list=codes.name)

    def operations(self, value: Value, where: Where) -> None:
        """What gives an operation must give one of ours."""
        table = self._declarations.tables.get(value.codes or "")
        known = set(Operation)
        for code in sorted(set(table.to_ours.values()) - known) if table else ():
            self._page.error("lint.unknown-operation", where, value=code)
        if value.default is not None and value.default not in known:
            self._page.error("lint.unknown-operation", where, value=str(value.default))


def _parts(value: Value) -> list[tuple[Where, Value]]:
    found: list[tuple[Where, Value]] = []
    for key, parts in (("join", value.join), ("first", value.first)):
        found += [((key, n), part) for n, part in enumerate(parts or ())]
    found += [(("when", n, "then"), case.then) for n, case in enumerate(value.when or ())]
    if value.otherwise is not None:
        found.append((("else",), value.otherwise))
    return found


def _decimals(target: Target) -> int | None:
    if target.kind == "integer":
        return 0
    if target.kind != "decimal" or target.element is None:
        return None
    digits = target.element.format.rpartition(",")[2]
    return int(digits) if digits.isdecimal() else None


def _fits(fixed: Scalar, target: Target) -> bool:
    match target.kind:
        case "text":
            return isinstance(fixed, str)
        case "integer":
            return isinstance(fixed, int) and not isinstance(fixed, bool)
        case "boolean":
            return isinstance(fixed, bool)
        case "decimal":
            return isinstance(fixed, str) and decimal_of(fixed) is not None
        case "date":
            return isinstance(fixed, str) and _CANONICAL(fixed) is not None
        case _:
            return True
