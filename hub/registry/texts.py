"""Edits of a release's texts: a resource in, changed, or out. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from catalog.model import Resource
from routes.model import RouteDeclaration
from schemas.declarations import InvalidDeclaration, parse

__all__ = [
    "earlier_file",
    "file_of",
    "resource_of",
    "with_version",
    "without_earlier",
    "without_resource",
]

Texts = Mapping[str, str]
GRANTS = "routes/grant-"


def resource_of(text: str, file: str = "") -> Resource:
    """Raises `InvalidDeclaration`."""
    return parse(text, Resource, file=file)


def earlier_file(resource: str, number: int) -> str:
    return f"earlier/{resource}.{number}.yaml"


def file_of(texts: Texts, resource: str) -> str:
    """Where *resource* is declared; where it would be, if it is not."""
    usual = f"resources/{resource}.yaml"
    if usual in texts:
        return usual
    for file, text in texts.items():
        if file.startswith("resources/") and _names(text, file, resource):
            return file
    return usual


def with_version(texts: Texts, resource: str, text: str) -> Texts:
    """*text* as the present version; the one before it stays accepted from producers."""
    file = file_of(texts, resource)
    changed = {**texts, file: text}
    if (before := texts.get(file)) is not None:
        number = resource_of(before, file).version
        changed[earlier_file(resource, number)] = before
    return changed


def without_earlier(texts: Texts, resource: str, number: int) -> Texts:
    gone = earlier_file(resource, number)
    return {file: text for file, text in texts.items() if file != gone}


def without_resource(texts: Texts, resource: str) -> Texts:
    """Without any version of it, nor any grant of it."""
    file = file_of(texts, resource)
    granted = {f for f, text in texts.items() if f.startswith(GRANTS) and _is_of(text, f, resource)}
    return {
        f: text
        for f, text in texts.items()
        if f != file
        and f not in granted
        and not (f.startswith(f"earlier/{resource}.") and f.count(".") == 2)
    }


def _is_of(text: str, file: str, resource: str) -> bool:
    route = parse(text, RouteDeclaration, file=file)
    streams = {stream.partition(".")[0] for stream in route.streams}
    return route.grant is not None and streams == {resource}


def _names(text: str, file: str, resource: str) -> bool:
    try:
        return resource_of(text, file).resource == resource
    except InvalidDeclaration:
        return False
