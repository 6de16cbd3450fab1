"""Routes: does what they read exist in their streams, and can it be written as they say?"""

from __future__ import annotations

from collections.abc import Mapping

from catalog.lifecycle.items import covered, paths
from catalog.model import Resource
from catalog.shares import shares
from routes.lint.conditions import allowed, check_holds
from routes.lint.fields import Fields, nearest
from routes.lint.finding import Notebook, Page, Where
from routes.model import GrantClause, RouteDeclaration
from routes.site import Declarations
from routes.targets import Target, granted_of, target_of
from routes.values import Value

__all__ = ["check_routes"]

MOST_CODES = 20


def check_routes(declarations: Declarations, book: Notebook) -> None:
    for route in declarations.routes.values():
        _check_route(route, declarations, book.page("route", route.route))


def _check_route(route: RouteDeclaration, declarations: Declarations, page: Page) -> None:
    catalogue = declarations.catalogue
    records: dict[str, Target] = {}
    for n, stream in enumerate(route.streams):
        name = stream.partition(".")[0]
        resource = catalogue.resources.get(name)
        if resource is None:
            near = nearest(name, catalogue.resources)
            page.error("lint.unknown-resource", ("from", n), resource=name, near=near)
        else:
            record = target_of(resource, catalogue)
            records[name] = _granted(route.grant, record, resource, page)
    for n, to in enumerate(route.to):
        if to.system not in declarations.systems:
            near = nearest(to.system, declarations.systems)
            page.error("lint.unknown-system", ("to", n, "system"), system=to.system, near=near)
    if not records:
        return
    fields, codes = Fields(records), catalogue.code_lists
    check_holds(route.only, fields, codes, page, ("only",))
    wanted = allowed(route.only)
    for n, to in enumerate(route.to):
        check_holds(to.only, fields, codes, page, ("to", n, "only"))
        for text, values in allowed(to.only).items():
            if text in wanted and not values & wanted[text]:
                value = ", ".join(sorted(map(str, values)))
                page.error("lint.condition-never", ("to", n, "only", text), field=text, value=value)
        _Outward(declarations, page).mapping(to.map, fields, ("to", n, "map"))


def _granted(grant: GrantClause | None, record: Target, resource: Resource, page: Page) -> Target:
    if grant is None:
        return record
    known = paths(resource)
    for path, share in shares(resource).items():
        if share.type == "none" and covered(path, grant.items):
            page.error("lint.not-shared", ("grant", "items"), item=path, number=grant.number)
    for n, item in enumerate(grant.items):
        if item not in known:
            near = nearest(item, known)
            name = resource.resource
            page.error(
                "lint.unknown-item", ("grant", "items", n), item=item, resource=name, near=near
            )
    return granted_of(record, grant.items)


class _Outward:
    """The rules on the values of one destination."""

    def __init__(self, declarations: Declarations, page: Page) -> None:
        self._declarations, self._page = declarations, page

    def mapping(self, mapping: Mapping[str, Value], fields: Fields, where: Where) -> None:
        for name, value in mapping.items():
            self.value(value, fields, (*where, name))

    def value(self, value: Value, fields: Fields, where: Where) -> None:
        page = self._page
        for n, case in enumerate(value.when or ()):
            codes = self._declarations.catalogue.code_lists
            check_holds(case.condition, fields, codes, page, (*where, "when", n, "if"))
        for part in value.parts():
            self.value(part, fields, where)
        text = value.path or value.split or value.each or value.list_of
        source = fields.find(text, page, where) if text else None
        if source is not None:
            self._source(value, source, fields, where)
        self._table(value, source, where)

    def _source(self, value: Value, source: Target, fields: Fields, where: Where) -> None:
        page, item = self._page, value.source() or ""
        if value.origin == "each":
            if source.kind == "group":
                self.mapping(value.map or {}, fields.inside(source), (*where, "map"))
            else:
                page.error("lint.each-of-values", where, item=item)
            return
        if source.kind == "group":
            page.error("lint.group-as-value", where, item=item)
            return
        if source.many and value.origin != "list":
            page.error("lint.list-as-value", where, item=item)
        if value.origin == "split":
            return
        if value.date is not None and source.kind not in ("date", "any"):
            page.error("lint.date-source", (*where, "date"), item=item, kind=source.kind)
        if value.number is not None and value.codes is None and not _is_number(source):
            page.error("lint.number-source", (*where, "number"), item=item, kind=source.kind)

    def _table(self, value: Value, source: Target | None, where: Where) -> None:
        if value.codes is None:
            return
        page, name, here = self._page, value.codes, (*where, "codes")
        table = self._declarations.tables.get(name)
        if table is None:
            near = nearest(name, self._declarations.tables)
            page.error("lint.unknown-table", here, table=name, near=near)
            return
        theirs = table.theirs()
        if not theirs:
            page.error("lint.table-direction", here, table=name, direction="to_theirs")
        wanted = source.domain.codes if source else None
        if wanted is not None and table.code_list != wanted:
            page.error(
                "lint.wrong-table",
                here,
                table=name,
                code_list=table.code_list or "–",
                wanted=wanted,
            )
            return
        codes = self._declarations.catalogue.code_lists.get(wanted or "")
        if codes is not None and (untold := sorted(codes.codes.keys() - theirs.keys())):
            shown = ", ".join(untold[:MOST_CODES])
            page.warning("lint.code-untranslated", here, table=name, codes=shown)


def _is_number(source: Target) -> bool:
    """Numbers, and texts made of digits alone, such as codes."""
    if source.kind == "text" and source.element is not None:
        return source.element.format.startswith("n")
    return source.kind in ("integer", "decimal", "any", "text")
