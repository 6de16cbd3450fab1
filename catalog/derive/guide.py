"""The guide for a partner's engineer, in Chinese: what is exchanged, how, and what can go wrong.

Form       Markdown; `guide_page` makes of it one HTML page that needs nothing else
Promises   everything in it is told by the declarations, the made-up body and the texts of faults
Not here   keys: a guide says how to get them
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt

from catalog.derive.example import example_body
from catalog.derive.interface import Call, Interface
from catalog.derive.json_schema import json_schema
from catalog.derive.openapi import MOST_BYTES
from catalog.model import Catalogue, CodeList, Item, Names, Resource
from schemas.message import Body, Json
from schemas.texts import all_texts, say

__all__ = ["STYLE", "ColumnRow", "Guided", "TableSheet", "guide", "guide_page"]

FAULTS = ("sender.", "body.", "json.", "record.", "map.", "item.")
MOST_LISTED, MOST_SHOWN = 40, 40
TYPES = {
    "string": "字符",
    "number": "数值",
    "date": "日期",
    "datetime": "日期时间",
    "time": "时间",
    "boolean": "布尔",
    "binary": "二进制",
}
KINDS = {
    "string": "字符串",
    "integer": "整数",
    "number": "数值",
    "boolean": "布尔",
    "object": "对象",
    "array": "列表",
}


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A column of an exchange table, as the guide shows it."""

    name: str
    title: str
    kind: str
    needed: bool


@dataclass(frozen=True, slots=True)
class TableSheet:
    """An exchange table. *read*: the partner fills it for us."""

    name: str
    title: str
    read: bool
    columns: tuple[ColumnRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guided:
    """Whom the guide is for: a *system* by *code*, or anybody who looks at *resources*. *address*:
    where the hub is reached, "" where that is told elsewhere; *grants*: numbers of those the system has;
    *user_id*: what goes into its signatures by SM2."""

    resources: tuple[Resource, ...]
    address: str = ""
    code: str = ""
    system: Names | None = None
    interface: Interface = field(default_factory=Interface)
    tables: tuple[TableSheet, ...] = ()
    grants: tuple[str, ...] = ()
    user_id: str = ""

    @property
    def sm2(self) -> bool:
        """Whether requests are signed by SM2."""
        return any(call.sm2 for call in (*self.interface.inward, *self.interface.outward))

    @property
    def title(self) -> str:
        if self.system is not None:
            return f"{self.system.zh}对接指南"
        return f"{'、'.join(each.name.zh for each in self.resources)}对接指南"


@dataclass(frozen=True, slots=True)
class _ItemRow:
    depth: int
    name: str
    title: str
    type: str
    format: str
    codes: str
    required: bool
    example: str


@dataclass(frozen=True, slots=True)
class _Field:
    path: str
    title: str
    kinds: str
    required: bool


def guide(guided: Guided, catalogue: Catalogue) -> str:
    """Markdown. Raises `Misconfigured` where a resource is bound to nothing known."""
    resources = guided.resources
    bodies = {each.resource: example_body(each, catalogue) for each in resources}
    components = {each.resource: json_schema(each, catalogue) for each in resources}

    def fields(call: Call) -> list[_Field]:
        return list(_fields(call.schema, components, ""))

    text: str = _template().render(
        title=guided.title,
        code=guided.code,
        sm2=guided.sm2,
        user_id=guided.user_id,
        system=guided.system,
        address=guided.address.rstrip("/"),
        resources=resources,
        items={r.resource: list(_items(r.items, bodies[r.resource], catalogue)) for r in resources},
        codes={r.resource: list(_lists(r.items, catalogue)) for r in resources},
        inward=guided.interface.inward,
        outward=guided.interface.outward,
        tables=guided.tables,
        grants=guided.grants,
        fields=fields,
        faults=[(c, _blank(t["zh"])) for c, t in all_texts().items() if c.startswith(FAULTS)],
        most_bytes=MOST_BYTES,
    )
    return text


def guide_page(markdown: str, title: str) -> str:
    """*markdown* as one HTML page: no script, no outside address; HTML in it is shown, not obeyed."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return _PAGE.format(title=html.escape(title), style=STYLE, body=body)


_PAGE = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}</body>
</html>
"""
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.7 "Noto Sans SC", "Microsoft YaHei", "WenQuanYi Zen Hei", sans-serif;
  max-width: 72rem; margin: 2rem auto; padding: 0 1.2rem; }
h1, h2, h3 { line-height: 1.3; margin: 1.8em 0 .6em; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.3rem; border-bottom: 1px solid #8886; }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: .8em 0; }
th, td { border: 1px solid #8886; padding: .3em .7em; text-align: left; vertical-align: top; }
th { background: #8882; white-space: nowrap; }
code { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: #8882; padding: .8em 1em; overflow-x: auto; }
@media print { body { max-width: none; margin: 0; } h2 { break-after: avoid; } }
"""


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("catalog.derive"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown; what becomes HTML is escaped by its renderer
    )
    environment.filters["cell"] = _cell
    environment.filters["json"] = _json
    environment.filters["text"] = lambda code: say(code, {}, "zh")
    return environment.get_template("guide.md")


def _cell(text: object) -> str:
    """As it may stand in a table."""
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|")


def _json(value: Json) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _blank(text: str) -> str:
    """The text of a fault with its facts left open."""
    told, open_braces = "", 0
    for each in text:
        open_braces += (each == "{") - (each == "}")
        told += "…" if each == "}" else "" if open_braces else each
    return told


def _items(
    items: Iterable[Item], body: Body, catalogue: Catalogue, depth: int = 0
) -> Iterator[_ItemRow]:
    for item in items:
        element = catalogue.elements.get(item.wire_name)
        names = item.name or (element.name if element else None)
        title, value = names.zh if names else "", _first(body.get(item.wire_name))
        many = "，列表" if item.is_list else ""
        if item.group or element is None:
            yield _ItemRow(depth, item.wire_name, title, f"对象{many}", "", "", item.required, "")
            below = value if isinstance(value, Mapping) else {}
            yield from _items(item.items, below, catalogue, depth + 1)
            continue
        listed = catalogue.code_lists.get(element.domain.codes or "")
        shown = "" if value is None else str(value).lower() if value is True else str(value)
        yield _ItemRow(
            depth,
            item.wire_name,
            title,
            f"{TYPES[element.type]}{many}",
            element.format,
            listed.title.zh if listed else "",
            item.required,
            shown[:MOST_SHOWN],
        )


def _first(value: Json) -> Json:
    if isinstance(value, list):
        return value[0] if value else None
    return value


def _lists(items: Iterable[Item], catalogue: Catalogue) -> Iterator[CodeList]:
    """Each code list once, in the order of the items."""
    seen: dict[str, CodeList] = {}

    def look(some: Iterable[Item]) -> None:
        for item in some:
            element = catalogue.elements.get(item.wire_name)
            name = element.domain.codes if element else None
            if name and name in catalogue.code_lists:
                seen.setdefault(name, catalogue.code_lists[name])
            look(item.items)

    look(items)
    yield from seen.values()


def _fields(
    schema: Mapping[str, Any], components: Mapping[str, Any], above: str
) -> Iterator[_Field]:
    """The fields of a document by path; of alternatives each."""
    if "$ref" in schema:
        schema = components[str(schema["$ref"]).rpartition("/")[2]]
    for each in schema.get("anyOf", ()):
        yield from _fields(each, components, above)
    needed = set(schema.get("required", ()))
    for name, below in schema.get("properties", {}).items():
        path = f"{above}{name}"
        yield _Field(path, str(below.get("title", "")), _kinds(below), name in needed)
        inner = below.get("items", below)
        yield from _fields(inner, components, f"{path}[]." if "items" in below else f"{path}.")


def _kinds(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return str(schema["const"])
    listed = schema.get("enum") or [each["const"] for each in schema.get("oneOf", ())]
    if listed:
        more = " …" if len(listed) > MOST_LISTED else ""
        return " ".join(map(str, listed[:MOST_LISTED])) + more
    types = schema.get("type", ())
    named = [types] if isinstance(types, str) else types
    told = "、".join(KINDS.get(each, each) for each in named)
    # A title comes from the element; a date's form is all that a description of a mapping tells.
    form = str(schema.get("description", ""))
    return f"{told} {form}".strip() if form.startswith("YYYY") else told
