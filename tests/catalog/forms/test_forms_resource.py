"""A resource's form: every attribute and every item there and back."""

from __future__ import annotations

import json
from typing import Any

from catalog.forms.resource import RESOURCE_SECTIONS, resource_shown, resource_text
from catalog.forms.rows import ITEM_FIELDS
from catalog.model import Item, Resource
from schemas.declarations import parse
from shuniu.site import texts_of
from tests.catalog.pages.site import SITE
from web.guard import Form

TEXTS = texts_of(SITE, "resources")
# One value for each field, and rows of every kind: everything that a resource can say.
ALL = {
    "resource": "inspection",
    "code": "307013/000999",
    "version": "3",
    "name.zh": "检验",
    "name.en": "inspection",
    "summary": "检验的记录：\r\n第一行、第二行。",
    "provider": "某局",
    "provider_code": "91350100M000100Y43",
    "category": "ZD 工业、交通",
    "cycle": "half-year",
    "format": "self-describing",
    "published": "2026-01-31",
    "related": "307013/000001\r\n307013/000002",
    "share.type": "none",
    "share.way": "file",
    "share.open": "yes",
    "share.condition": "《条例》第 3 条: 不予共享",
    "share.open_condition": "无",
    "subject": "caseNo",
    "region": "regionCode",
    "requirement": "R-B1",
    "note": "0571",
}
ROWS: list[dict[str, str]] = [
    {"kind": "element", "depth": "0", "element": "caseNo", "required": "yes", "max_occurs": "1"},
    {"kind": "group", "depth": "0", "group": "Step", "name.zh": "步骤", "name.en": "step"}
    | {"max_occurs": "N"},
    {"kind": "element", "depth": "1", "element": "stepNo", "max_occurs": "3", "note": "no"},
    {"kind": "group", "depth": "1", "group": "Place", "max_occurs": "1", "name.zh": "地点"}
    | {"name.en": "place", "required": "yes"},
    {"kind": "element", "depth": "2", "element": "address", "max_occurs": "1"}
    | {"share.type": "conditional", "share.condition": "经同意", "share.open": "yes"},
    {"kind": "element", "depth": "0", "element": "uscc", "max_occurs": "1", "share.type": "none"}
    | {"share.way": "database", "share.condition": "《法》", "share.open_condition": "无"},
    {"kind": "element", "depth": "0", "max_occurs": "1"},
]
ITEMS: list[dict[str, Any]] = [
    {"element": "caseNo", "required": True},
    {
        "group": "Step",
        "name": {"zh": "步骤", "en": "step"},
        "max_occurs": "N",
        "items": [
            {"element": "stepNo", "max_occurs": 3, "note": "no"},
            {
                "group": "Place",
                "name": {"zh": "地点", "en": "place"},
                "required": True,
                "items": [
                    {
                        "element": "address",
                        "share": {
                            "type": "conditional",
                            "way": "file",
                            "condition": "经同意",
                            "open": True,
                        },
                    }
                ],
            },
        ],
    },
    {
        "element": "uscc",
        "share": {
            "type": "none",
            "way": "database",
            "condition": "《法》",
            "open_condition": "无",
        },
    },
]
DECLARED = {
    **{key: value for key, value in ALL.items() if "." not in key},
    "version": 3,
    "name": {"zh": "检验", "en": "inspection"},
    "summary": "检验的记录：\n第一行、第二行。",
    "related": ["307013/000001", "307013/000002"],
    "share": {
        "type": "none",
        "way": "file",
        "open": True,
        "condition": "《条例》第 3 条: 不予共享",
        "open_condition": "无",
    },
    "items": ITEMS,
}


def form_of(told: dict[str, str], rows: list[dict[str, str]]) -> Form:
    form: Form = {name: [value] for name, value in told.items()}
    form["row"] = [f"n{number}" for number in range(len(rows))]
    for key, row in zip(form["row"], rows, strict=True):
        form |= {f"items.{key}.{name}": [value] for name, value in row.items()}
    return form


def back(text: str) -> Form:
    """The form of *text*, as a browser sends it."""
    held = resource_shown(text)
    assert held is not None
    shown, rows = held
    form: Form = {name: [value.replace("\n", "\r\n")] for name, value in shown.items()}
    form["row"] = [row.key for row in rows]
    for row in rows:
        kind = "group" if row.group else "element"
        form |= {f"{row.prefix}depth": [str(row.depth)], f"{row.prefix}kind": [kind]}
        form |= {f"{row.prefix}{path}": [value] for path, value in row.shown.items()}
    return form


def declared(text: str) -> Resource:
    return parse(text, Resource, file="resource")


def test_the_form_asks_for_all_that_a_resource_can_say() -> None:
    """A new attribute of the model is missed here."""
    schema = Resource.model_json_schema()["$defs"]
    share = {f"share.{each}" for each in schema["Share"]["properties"]}
    names = {"name.zh", "name.en"}
    fields = {field.path for section in RESOURCE_SECTIONS for field in section.fields}

    assert set(Resource.model_fields) - {"name", "share", "items"} | names | share == fields
    assert fields == set(ALL)
    assert set(Item.model_fields) - {"name", "share", "items"} | names | share == set(ITEM_FIELDS)


def test_fields_and_rows_become_the_declaration() -> None:
    """Every field and every kind of row; a new row of which nothing is said is none; sharing of its own goes
    the resource's way where it does not say."""
    text, paths = resource_text("", form_of(ALL, ROWS))

    assert Resource.model_validate_json(json.dumps(DECLARED)) == declared(text)
    assert paths["items.1.items.1.items.0"] == "items.n4."
    assert text == resource_text(text, back(text))[0]


def test_every_resource_comes_back_as_it_was() -> None:
    """Each resource of the site, shown and sent back: the very same text; into a blank form: an equal one."""
    for file, text in TEXTS.items():
        assert text == resource_text(text, back(text))[0], file
        assert declared(text) == declared(resource_text("", back(text))[0]), file


def test_what_the_form_does_not_show_stays() -> None:
    """Comments, keys that it does not know, and texts that a field cannot hold as they are."""
    text = TEXTS["resources/itemCase.yaml"].replace(
        "requirement: R-B1", "requirement: ' R-B1  # 一 '\nextra: {a: 1}"
    )
    text = text.replace("  - {element: uscc}", "  # 统一代码\n  - {element: uscc, extra: 1} # 旁注")
    given = back(text) | {"summary": ["另一个摘要。"]}
    made, _ = resource_text(text, given)
    changed = [
        (old, new)
        for old, new in zip(text.splitlines(), made.splitlines(), strict=True)
        if old != new
    ]

    assert [("summary: 一件事申请分解出的一个事项的办件。", "summary: 另一个摘要。")] == changed


def test_items_go_back_to_the_resource_s_sharing() -> None:
    """Chosen for one that had its own: all of its own goes; half of a new one is kept, to be told."""
    text, _ = resource_text("", form_of(ALL, ROWS))
    plain, _ = resource_text(text, back(text) | {"items.2.share.type": [""]})
    assert declared(plain).items[2].share is None
    assert declared(plain).items[1] == declared(text).items[1]

    half, _ = resource_text(text, back(text) | {"items.0.share.condition": ["经同意"]})
    assert "share: {condition: 经同意, way: file}" in half


def test_rows_that_nobody_sends_do_no_harm() -> None:
    """Keys that were never there, twice, or none at all; depths beyond what is above."""
    form = form_of(ALL, ROWS[:1])
    form["row"] += ["n0", "7", "9-9", "x", "../a", "n1"]
    form |= {f"items.{key}.element": ["stepNo"] for key in ("7", "9-9", "x", "n1")}
    form |= {"items.7.depth": ["99"], "items.9-9.depth": ["-1"], "items.n1.depth": ["²"]}
    items = declared(resource_text("", form)[0]).items

    assert ["caseNo", "stepNo", "stepNo"] == [each.element for each in items]
    assert ("stepNo",) == tuple(each.element for each in items[0].items)
