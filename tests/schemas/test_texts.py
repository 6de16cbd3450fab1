"""What people read: every code in both languages, with the same facts; a page never fails over one."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from schemas import texts
from schemas.errors import Facts, Fault
from schemas.texts import all_texts, both, say

ROOT = Path(__file__).parents[2]
FOLDER = Path(texts.__file__).parent
PRODUCT = (
    *("schemas", "catalog", "routes", "hub", "front_db", "connectors"),
    *("services", "monitoring", "web", "shuniu"),
)
CHINESE = re.compile("[一-鿿]")


def facts_of(text: str) -> set[str]:
    """Names of facts; one that is told in either language counts as one."""
    return {re.sub(r"_(zh|en)$", "", name) for name in re.findall(r"{(\w+)}", text)}


def wrong_with(told: Mapping[str, str]) -> list[str]:
    """What is wrong with the texts of a code."""
    zh, en = told.get("zh", ""), told.get("en", "")
    found = {
        "not Chinese and English": {"zh", "en"} != set(told) or not (zh.strip() and en.strip()),
        "one tells a fact that the other keeps": facts_of(zh) != facts_of(en),
        "Chinese tells the English name": re.search(r"{\w+_en}", zh),
        "English tells the Chinese name": re.search(r"{\w+_zh}", en),
    }
    return [what for what, is_so in found.items() if is_so]


def test_a_code_is_told_in_both_languages() -> None:
    """Chinese and English, and neither tells a fact that the other keeps."""
    wrong = {code: found for code, told in all_texts().items() if (found := wrong_with(told))}

    assert {} == wrong
    assert 3 == len(wrong_with({"zh": "{a} {b_en}", "en": "{c_zh}"}))
    assert 1 == len(wrong_with({"zh": "字", "en": " "}))


@pytest.mark.parametrize("area", ["schemas", "catalog"])
def test_our_texts_are_in_their_language(area: str) -> None:
    """No English sentence under ``zh``, no Chinese one under ``en``."""
    for code, told in YAML(typ="safe").load((FOLDER / f"{area}.yaml").read_text("utf-8")).items():
        assert CHINESE.search(told["zh"]), code
        assert not CHINESE.search(told["en"]), code


def test_a_code_has_one_text() -> None:
    """Two areas that use one code would overwrite each other unseen."""
    codes = Counter(
        code
        for file in FOLDER.glob("*.yaml")
        for code in YAML(typ="safe").load(file.read_text("utf-8")) or {}
    )

    assert [] == [code for code, times in codes.items() if times > 1]


def test_every_code_of_ours_has_a_text() -> None:
    """Whatever is raised or found can be told to people."""
    calls = {"Fault", "Misconfigured", "Rejected", "Transient", "book.error", "book.warning"}
    used = {
        argument.value
        for folder in PRODUCT
        for path in (ROOT / folder).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in calls
        for argument in call.args[:2]
        if isinstance(argument, ast.Constant)
        and re.fullmatch(r"[a-z-]+\.[a-z.-]+", str(argument.value))
    }

    assert len(used) > 20
    assert set() == used - set(all_texts())


def test_facts_are_put_in() -> None:
    """In the language asked for."""
    facts: Facts = {"name_zh": "办件编号", "name_en": "case number", "limit": 50}

    assert "“办件编号”过长：最多 50 个字符（数值为位数）。" == say("item.too-long", facts, "zh")
    assert '"case number" is too long; at most 50 characters (digits, for a number).' == say(
        "item.too-long", facts, "en"
    )


def test_a_page_never_fails_over_a_text() -> None:
    """An unknown code is shown as it is, a fact that lacks as ?, another language as Chinese."""
    assert "no.such-code" == say("no.such-code", {}, "zh")
    assert "缺少必填项“?”。" == say("item.missing", {}, "zh")
    assert say("item.missing", {}, "zh") == say("item.missing", {}, "fr")


def test_a_partner_reads_place_and_reason_in_both() -> None:
    """One line for an answer."""
    fault = Fault("item.missing", "/caseNo", {"name_zh": "办件编号", "name_en": "case number"})

    assert '/caseNo 缺少必填项“办件编号”。 / The mandatory item "case number" is missing.' == both(
        fault
    )
