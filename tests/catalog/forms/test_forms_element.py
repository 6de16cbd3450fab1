"""A data element's form: every attribute there and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from io import StringIO

from ruamel.yaml import YAML

from catalog.forms.element import element_shown, element_text
from catalog.model import DataElement
from schemas.declarations import parse
from shuniu.site import texts_of
from tests.catalog.pages.site import SITE

# One value for each field: everything that an element can say.
ALL: Mapping[str, str] = {
    "identifier": "HUB.ZZZ.0001",
    "name.zh": "检验机构编号",
    "name.en": "inspection body number",
    "short_name": "inspectionBodyNo",
    "synonyms": "检测机构编号\r\n 质检机构编号 \r\n",
    "object_class": "检验机构",
    "property": "身份",
    "representation": "编号",
    "definition": "检验机构的编号，\r\n由其主管部门编定。",
    "type": "number",
    "format": "n..6",
    "unit": "号",
    "sensitivity": "internal",
    "domain.codes": "some-codes",
    "domain.identifier": "licence-id",
    "domain.minimum": "1",
    "domain.maximum": "099",
    "domain.note": "见编号规则: 第 2 章 # 附录",
    "domain.identifier_by": "certTypeCode",
    "status": "recorded",
    "version": "1.10",
    "replaced_by": "caseNo",
    "standard": "GB/T 1",
    "example": "0012",
    "note": "yes",
}
DECLARED = {
    "identifier": "HUB.ZZZ.0001",
    "name": {"zh": "检验机构编号", "en": "inspection body number"},
    "short_name": "inspectionBodyNo",
    "synonyms": ["检测机构编号", "质检机构编号"],
    "object_class": "检验机构",
    "property": "身份",
    "representation": "编号",
    "definition": "检验机构的编号，\n由其主管部门编定。",
    "type": "number",
    "format": "n..6",
    "unit": "号",
    "sensitivity": "internal",
    "domain": {
        "codes": "some-codes",
        "identifier": "licence-id",
        "minimum": "1",
        "maximum": "099",
        "note": "见编号规则: 第 2 章 # 附录",
        "identifier_by": "certTypeCode",
        "identifiers": {"001": "uscc", "111": "citizen-id"},
    },
    "status": "recorded",
    "version": "1.10",
    "replaced_by": "caseNo",
    "standard": "GB/T 1",
    "example": "0012",
    "note": "yes",
}
KINDS = {"by.code": ["001", "", " 111 "], "by.kind": ["uscc", "uscc", "citizen-id"]}


def test_the_form_asks_for_all_that_an_element_can_say() -> None:
    """A new attribute of the model is missed here."""
    schema = DataElement.model_json_schema()
    fields = set(schema["properties"]) - {"name", "domain"}
    domain = {f"domain.{each}" for each in schema["$defs"]["Domain"]["properties"]}
    assert fields | {"name.zh", "name.en"} | domain - {"domain.identifiers"} == set(ALL)


def test_fields_become_the_declaration() -> None:
    """Each field of a blank form, and back: codes stay texts, lines stay lines."""
    text = element_text("", {name: [value] for name, value in ALL.items()} | KINDS)
    wanted = DataElement.model_validate_json(json.dumps(DECLARED))

    assert wanted == parse(text, DataElement, file="element")
    held = element_shown(text)
    assert held is not None
    now = {name: value.replace("\r\n", "\n") for name, value in ALL.items()}
    assert now | {"synonyms": "检测机构编号\n质检机构编号"} == held[0]
    assert [("001", "uscc"), ("111", "citizen-id")] == held[1]


def test_a_blank_field_takes_its_attribute_away() -> None:
    """All that need not be said; a domain of which nothing is left goes as a whole."""
    text = element_text("", {name: [value] for name, value in ALL.items()} | KINDS)
    needed = ("identifier", "name.zh", "name.en", "short_name", "definition", "type", "format")
    bare = parse(
        element_text(text, {name: [ALL[name]] for name in needed}), DataElement, file="element"
    )

    assert set(needed) - {"name.zh", "name.en"} | {"name"} == bare.model_fields_set


def test_every_element_comes_back_as_it_was() -> None:
    """Each element of the site, shown and sent back: the very same text; into a blank form: an equal one."""
    for text in _texts():
        held = element_shown(text)
        assert held is not None
        form = {path: [value.replace("\n", "\r\n")] for path, value in held[0].items()}
        form |= {"by.code": [c for c, _ in held[1]], "by.kind": [k for _, k in held[1]]}
        assert text == element_text(text, form)
        made = parse(element_text("", form), DataElement, file="element")
        assert parse(text, DataElement, file="element") == made


def _texts() -> Iterator[str]:
    """One text for each element of the site."""
    yaml = YAML(typ="rt")
    for text in texts_of(SITE, "elements").values():
        for each in yaml.load(text)["elements"]:
            made = StringIO()
            yaml.dump(each, made)
            yield made.getvalue()
