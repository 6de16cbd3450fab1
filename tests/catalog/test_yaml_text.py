"""Resources written as declarations are read again as the same resources."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from catalog.derive.yaml_text import resource_yaml
from catalog.model import Resource
from schemas.declarations import parse
from tests.catalog.a_catalogue import reference_site, small

RESOURCES = [*reference_site().resources.values(), *small().resources.values()]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.resource)
def test_it_reads_the_same(resource: Resource) -> None:
    """Codes that look like numbers, long texts and nested items too."""
    assert resource == parse(resource_yaml(resource), Resource, file="resource.yaml")


def test_awkward_texts_read_the_same() -> None:
    """What YAML would take for a truth value, a number, a comment or two lines."""
    resource = small().resources["caseAcceptance"]
    for text in ("no", "0571", "1.10", "a # b", "一\n二", "- x: [", "2026-01-01", "=1+1", " "):
        told = resource.model_copy(update={"note": text, "summary": text})
        assert told == parse(resource_yaml(told), Resource, file="resource.yaml")


@given(st.text(max_size=30) | st.from_regex(r"[-A-Za-z0-9 :#\[\]{},.'\"&*!|>%@`~一：，]{1,12}"))
@settings(max_examples=60)
def test_any_text_reads_the_same(text: str) -> None:
    """Whatever a spreadsheet's cell may hold, as a text and as an item's note."""
    resource = small().resources["caseAcceptance"]
    items = (resource.items[0].model_copy(update={"note": text}),)
    told = resource.model_copy(update={"note": text, "items": items})

    read = YAML(typ="safe", pure=True).load(resource_yaml(told))
    assert text == read["note"]
    assert text == read["items"][0]["note"]
    assert told == parse(resource_yaml(told), Resource, file="resource.yaml")
