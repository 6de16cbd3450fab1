"""Declarations as text: read strictly, and what is wrong is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from schemas.declarations import (
    Declared,
    InvalidDeclaration,
    _plain,
    _read_with_places,
    parse,
)

SITES = Path(__file__).parents[2] / "sites"


class Part(Declared):
    code: str
    count: int = 1


class Whole(Declared):
    name: str
    parts: tuple[Part, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)


def problems_of(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(InvalidDeclaration) as caught:
        parse(text, Whole, file="wholes/a.yaml")
    assert {"wholes/a.yaml"} == {problem.file for problem in caught.value.problems}
    return [(problem.line, problem.column, problem.path) for problem in caught.value.problems]


def test_yaml_becomes_a_value() -> None:
    """Lists become tuples; nothing else is changed."""
    read = parse('name: a\nparts:\n  - {code: "01"}\n', Whole, file="a.yaml")

    assert Whole(name="a", parts=(Part(code="01"),)) == read


def test_an_unquoted_code_is_refused_at_its_place() -> None:
    """YAML reads 0571 as a number; changed silently it would be another code."""
    assert [(3, 6, "parts.0.code")] == problems_of("name: a\nparts:\n  - {code: 0571}\n")


def test_an_unquoted_key_is_refused() -> None:
    """``01: …`` would become "1" unseen."""
    assert [(3, 3, "1")] == problems_of("name: a\nlabels:\n  01: x\n")


def test_everything_wrong_is_told_at_once() -> None:
    """A slip in a key, a type, and what lacks."""
    found = problems_of("nam: a\nparts:\n  - {code: x, count: two}\n")

    assert [(1, 1, "name"), (1, 1, "nam"), (3, 15, "parts.0.count")] == sorted(
        found, key=lambda each: (each[0], each[1], each[2] != "name")
    )


@pytest.mark.parametrize(
    "text",
    ["name: " + "[" * 200_000, "{a: b:c}\nname: " + "[" * 5000, "- " * 5000],
    ids=["flow", "as YAML 1.2 alone knows it", "block"],
)
def test_what_is_nested_without_end_is_refused(text: str) -> None:
    """It comes from whoever edits a declaration on a page; the process lives on."""
    assert problems_of(text)


# Files that the reader in C refuses are read by the other one: both must find the same in all that
# the first one takes.
WRITTEN = (
    'name: "\\u67A2\\x41 \\/"\n',
    "name: a # remark\nparts: [{code: 'it''s', count: 0x1F}, {code: \"1\", count: 1_000}]\n",
    "name: no\nlabels: {on: yes, y: off}\n",
    "name: 12:30\nlabels: &l {a: b}\n",
    "name: >-\n  folded\n  text\n\n  more\n",
    "name: |\n  kept\n   as it is\n",
    "name: 枢纽 🏙\nlabels: {键: 值}\n",
    "--- # one document\nname: a\n...\n",
    "name: a\nlabels: {date: 2026-03-02}\n",
    "labels: &a {x: y}\nname: a\nparts: []\n",
)


@pytest.mark.parametrize("text", WRITTEN)
def test_both_readers_find_the_same(text: str) -> None:
    """Escapes, words that were truth values once, numbers, blocks, anchors, several scripts."""
    assert _read_with_places(text, Whole, "a.yaml") == parse(text, Whole, file="a.yaml")


@pytest.mark.parametrize("file", sorted(SITES.glob("*/*/*.yaml")), ids=lambda file: file.name)
def test_both_readers_find_the_same_in_the_sites(file: Path) -> None:
    """Whatever they declare."""
    text = file.read_text("utf-8")
    plain = _plain(YAML(typ="rt").load(text))

    try:
        found = YAML(typ="safe").load(text)
    except YAMLError:
        return
    assert plain == found


@pytest.mark.parametrize("text", ["name: [a", "name: a\n b: c\n- d", "name: *nothing"])
def test_what_is_no_yaml_is_told_with_its_line(text: str) -> None:
    """The reader's own message, and a place."""
    ((line, _, path),) = problems_of(text)

    assert 1 <= line <= 3
    assert "" == path


@pytest.mark.parametrize("text", ["", "[]", "just words", "3"])
def test_another_document_is_refused(text: str) -> None:
    """An empty file is no declaration."""
    assert problems_of(text)
