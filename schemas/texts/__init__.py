"""What people read, in Chinese and English, by the code of a fault or a sentence.

Form       one YAML file an area beside this module: ``code: {zh: …, en: …}``, facts in braces
Careful    a code without a text is shown as it is, a fact that is missing as "?": a page never
           fails over a text; that all codes have both languages is a test's business
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from ruamel.yaml import YAML

from schemas.errors import Fact, Fault

__all__ = ["all_texts", "both", "say"]

LANGUAGES = ("zh", "en")


class _Facts(dict[str, Fact]):
    def __missing__(self, name: str) -> str:
        return "?"


@cache
def all_texts() -> Mapping[str, Mapping[str, str]]:
    """Every text of every area, by code."""
    found: dict[str, Mapping[str, str]] = {}
    for file in sorted(files(__name__).iterdir(), key=lambda each: each.name):
        if file.name.endswith(".yaml"):
            found |= YAML(typ="safe").load(file.read_text(encoding="utf-8")) or {}
    return found


def say(code: str, facts: Mapping[str, Fact], lang: str) -> str:
    """The text of *code* in *lang* (``zh`` or ``en``), with its facts put in."""
    texts = all_texts().get(code)
    if texts is None:
        return code
    return texts[lang if lang in LANGUAGES else "zh"].format_map(_Facts(facts))


def both(fault: Fault) -> str:
    """Place and reason in both languages, on one line: for answers to partners."""
    told = f"{say(fault.code, fault.facts, 'zh')} / {say(fault.code, fault.facts, 'en')}"
    return f"{fault.at} {told}" if fault.at else told
