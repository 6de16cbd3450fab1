"""A resource as the YAML that declares it in a site folder.

Standard   YAML 1.2: block style; a text is plain where every reader takes it for that text, else quoted
           as JSON, which is YAML
Promises   read again it is the same resource
Careful    comments of a file written before are not kept
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from catalog.model import Resource

__all__ = ["resource_yaml", "scalar"]

_SCHEMA = "# yaml-language-server: $schema=../../schema/resource.schema.json\n"
# No digit or sign first, nothing that begins a comment, a key or a flow: the rest is quoted.
_PLAIN = re.compile(
    r"[A-Za-z\u3007\u3400-\u4dbf\u4e00-\u9fff《【（〔“]"
    r"(?:[A-Za-z0-9\u3007\u3400-\u4dbf\u4e00-\u9fff_./()（）《》【】〔〕“”、，。；：·+=;,'-]| (?=[^\s#]))*"
)
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"})
_JSON_ALONE = {
    n: f"\\u{n:04x}" for n in (*range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF)
}


def resource_yaml(resource: Resource) -> str:
    """One document; what has its default is left out."""
    told = resource.model_dump(mode="json", exclude_defaults=True)
    return _SCHEMA + "\n".join(_mapping(told, "")) + "\n"


def _mapping(told: dict[str, Any], indent: str) -> Iterator[str]:
    for key, value in told.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{key}:"
            yield from _mapping(value, f"{indent}  ")
        elif isinstance(value, list) and value:
            yield f"{indent}{key}:"
            yield from _list(value, indent)
        else:
            yield f"{indent}{key}: {scalar(value)}"


def _list(told: list[Any], indent: str) -> Iterator[str]:
    for each in told:
        if isinstance(each, dict) and each:
            first, *rest = _mapping(each, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{indent}- {scalar(each)}"


def scalar(value: Any, *, plain: bool = True) -> str:
    """One value that is no list and no mapping, on one line; a text in quotes where it must not be *plain*."""
    if isinstance(value, str):
        if plain and _PLAIN.fullmatch(value) and value.casefold() not in _WORDS:
            return value
        return json.dumps(value, ensure_ascii=False).translate(_JSON_ALONE)
    return json.dumps(value)
