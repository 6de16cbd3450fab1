"""What people read, in Chinese and English, by the code of a fault or a sentence.

Form       one YAML file an area beside this module: ``code: {zh: …, en: …}``, facts in braces; what
           stands in ``[[…]]`` is left out where a fact in it is empty or missing
Careful    a code without a text is shown as it is, a fact that is missing as "?": a page never
           fails over a text; that all codes have both languages is a test's business
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from ruamel.yaml import YAML

from schemas.errors import Fact, Facts, Fault

__all__ = ["all_texts", "both", "say", "worded"]

LANGUAGES = ("zh", "en")
_OPTIONAL = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_FACT = re.compile(r"\{(\w+)\}")


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
    text = texts[lang if lang in LANGUAGES else "zh"]
    if "[[" in text:
        text = _OPTIONAL.sub(lambda part: _told(part[1], facts), text)
    return text.format_map(_Facts(facts))


def _told(part: str, facts: Mapping[str, Fact]) -> str:
    """*part* where all its facts are there: nobody reads of a nearest name that there is none of."""
    return part if all(facts.get(name) not in {None, ""} for name in _FACT.findall(part)) else ""


def both(fault: Fault) -> str:
    """Place and reason in both languages, on one line: for answers to partners."""
    told = f"{say(fault.code, fault.facts, 'zh')} / {say(fault.code, fault.facts, 'en')}"
    return f"{fault.at} {told}" if fault.at else told


def worded(name: str, code: str) -> Facts:
    """Facts ``<name>_zh`` and ``<name>_en``: the word that *code* is for readers of either language."""
    return {f"{name}_{lang}": say(code, {}, lang) for lang in LANGUAGES}
