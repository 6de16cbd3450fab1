"""Data elements registered and changed: each a release with its record.

Standard   R-A4
Promises   an element's text is changed in its place: what stands around it in its file stays as it is
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from sqlalchemy import Connection

from catalog.lifecycle.elements import check_registered
from catalog.lifecycle.people import Actor
from catalog.model import DataElement, ElementFile
from hub.registry.releasing import Releaser, Texts
from hub.registry.version_rows import Entry, note
from schemas.declarations import parse
from schemas.errors import Rejected

__all__ = ["ElementDesk", "element_subject", "placed", "with_element"]

NEW = "elements/registered.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementDesk:
    """What people do with data elements."""

    releaser: Releaser
    clock: Callable[[], datetime]

    async def text(self, name: str) -> str:
        """One element as it is declared, to be changed; a form to be filled in where there is none."""
        _, texts = await self.releaser.live()
        found = _place(texts, name)
        return _written(_items(texts[found[0]])[found[1]]) if found else BLANK

    async def register(self, text: str, actor: Actor) -> DataElement:
        """
        Register the element of *text*, or change the one of its short name.

        Raises `InvalidDeclaration`, and what `check_registered` and `Releaser.change` raise.
        """
        element, at = parse(text, DataElement, file="element"), self.clock()

        def keep(connection: Connection, release: int) -> DataElement:
            entry = Entry(
                element_subject(element.short_name), "register", element.status.value, (), release
            )
            note(connection, entry, actor, at)
            return element

        edit = partial(with_element, element=element, text=text, actor=actor)
        told = f"element {element.short_name}"
        return await self.releaser.change(edit, keep, by=actor.name, note=told)


def element_subject(name: str) -> str:
    """How acts name an element."""
    return f"element/{name}"


def with_element(texts: Texts, *, element: DataElement, text: str, actor: Actor) -> Texts:
    """*texts* with *element*, whose own is *text*. Raises what `check_registered` raises."""
    found = _place(texts, element.short_name)
    before = None
    if found:
        file, number = found
        before = parse(texts[file], ElementFile, file=file).elements[number]
    check_registered(before, element, actor)
    if before == element:
        raise Rejected("element.same", "Nothing is changed", name=element.short_name)
    return placed(texts, element, text)


def placed(texts: Texts, element: DataElement, text: str) -> Texts:
    """*texts* with *element*, whoever may do so."""
    found = _place(texts, element.short_name)
    file, number = found or (NEW, -1)
    document: Any = YAML(typ="rt").load(texts[file]) if file in texts else {"elements": []}
    made = YAML(typ="rt").load(text)
    if found:
        document["elements"][number] = made
    else:
        document["elements"].append(made)
    return {**texts, file: _written(document)}


def _place(texts: Texts, name: str) -> tuple[str, int] | None:
    """The file of the element called *name*, and its place there."""
    for file, text in texts.items():
        if file.startswith("elements/") and name in text:
            for number, each in enumerate(parse(text, ElementFile, file=file).elements):
                if each.short_name == name:
                    return file, number
    return None


def _items(text: str) -> Any:
    return YAML(typ="rt").load(text)["elements"]


def _written(document: Any) -> str:
    writer = YAML(typ="rt")
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    made = StringIO()
    writer.dump(document, made)
    return made.getvalue()


BLANK = """identifier: HUB.PUB.0000
name: {zh: "", en: ""}
short_name: ""
synonyms: []
object_class: ""
property: ""
representation: ""
definition: ""
type: string
format: an..100
domain: {note: ""}
sensitivity: open
status: draft
version: "1.0"
note: ""
example: ""
"""
