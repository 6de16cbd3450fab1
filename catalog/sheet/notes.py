"""Comments of a sheet as the parts of a package that programs show them from.

Standard   ECMA-376 part 1, 18.7 (comments) and part 4, 8.1 (their boxes, in VML)
Promises   comments of people stay, but at the cells that are told of now; ours of before go
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from posixpath import basename, dirname, join, normpath, relpath
from zipfile import ZipFile

from lxml import etree
from openpyxl.utils.cell import coordinate_to_tuple

from catalog.sheet.cells import named, tree_of

__all__ = ["AUTHOR", "note_parts"]

AUTHOR = "Shuniu"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPES = "[Content_Types].xml"
_COMMENTS = "application/vnd.openxmlformats-officedocument.spreadsheetml.comments+xml"
_VML = "application/vnd.openxmlformats-officedocument.vmlDrawing"
# What stands after the drawing of comments in a sheet (18.3.1.99, CT_Worksheet).
_AFTER = ("legacyDrawingHF", "picture", "oleObjects", "controls", "webPublishItems", "tableParts")
_BOX = (
    '<v:shape id="_x0000_s{id}" type="#_x0000_t202" style="position:absolute;margin-left:60pt;'
    'margin-top:2pt;width:270pt;height:90pt;z-index:1;visibility:hidden" fillcolor="#ffffe1"'
    ' o:insetmode="auto"><v:fill color2="#ffffe1"/><v:shadow color="black" obscured="t"/><v:path'
    ' o:connecttype="none"/><v:textbox style="mso-direction-alt:auto"/><x:ClientData'
    ' ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/><x:AutoFill>False</x:AutoFill>'
    "<x:Row>{row}</x:Row><x:Column>{column}</x:Column></x:ClientData></v:shape>"
)
_BOXES = (
    '<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
    ' xmlns:x="urn:schemas-microsoft-com:office:excel"><v:shapetype id="_x0000_t202"'
    ' coordsize="21600,21600" o:spt="202" path="m,l,21600r21600,l21600,xe"><v:stroke'
    ' joinstyle="miter"/><v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
    "{boxes}</xml>"
)


def note_parts(
    package: ZipFile, part: str, sheet: etree._Element, notes: Mapping[str, str]
) -> dict[str, bytes]:
    """
    The parts that tell *notes*, by cell, beside *sheet*, which stands at *part* and is changed.

    Nothing where there is nothing to tell and never was.
    """
    related = _Relations(package, part)
    comments = related.path("comments", "xl/comments/shuniu{}.xml")
    kept = _others(package, comments, notes)
    if not notes and comments not in package.namelist():
        return {}
    told = kept | {cell: (AUTHOR, _plain(text)) for cell, text in notes.items()}
    boxes = related.path("vmlDrawing", "xl/drawings/shuniu{}.vml")
    _point_at(sheet, related.id_of("vmlDrawing"))
    return {
        comments: _comments(told),
        boxes: _boxes(told).encode(),
        related.part: related.content(),
        _TYPES: _types(package, comments),
    }


class _Relations:
    """What a part of the package refers to."""

    def __init__(self, package: ZipFile, part: str) -> None:
        self.part = join(dirname(part), "_rels", f"{basename(part)}.rels")
        self._at, self._names = dirname(part), set(package.namelist())
        if self.part in self._names:
            self._tree = tree_of(package.read(self.part))
        else:
            self._tree = tree_of(f'<Relationships xmlns="{_RELATIONS}"/>'.encode())
        for each in list(self._tree):
            # They would speak of comments that are not there any more.
            if each.get("Type", "").endswith("/threadedComment"):
                self._tree.remove(each)

    def path(self, kind: str, new: str) -> str:
        """Where the part of *kind* stands; where there is none, it will be at *new*."""
        found = self._find(kind)
        if found is not None:
            target = found.get("Target", "")
            return target[1:] if target.startswith("/") else normpath(join(self._at, target))
        path = next(name for n in count(1) if (name := new.format(n)) not in self._names)
        taken = {each.get("Id") for each in self._tree}
        made = etree.SubElement(self._tree, f"{{{_RELATIONS}}}Relationship")
        made.set("Id", next(name for n in count(1) if (name := f"rId{n}") not in taken))
        made.set("Type", f"{_OFFICE}/{kind}")
        made.set("Target", relpath(path, self._at))
        return path

    def id_of(self, kind: str) -> str:
        found = self._find(kind)
        return "" if found is None else found.get("Id", "")

    def content(self) -> bytes:
        return etree.tostring(self._tree, xml_declaration=True, encoding="UTF-8", standalone=True)

    def _find(self, kind: str) -> etree._Element | None:
        return next((e for e in self._tree if e.get("Type", "").endswith(f"/{kind}")), None)


def _others(
    package: ZipFile, part: str, notes: Mapping[str, str]
) -> dict[str, tuple[str, etree._Element]]:
    """The comments of other authors, at cells of which there is no news."""
    if part not in package.namelist():
        return {}
    tree = tree_of(package.read(part))
    authors = [each.text or "" for each in tree.iterfind("{*}authors/{*}author")]
    found: dict[str, tuple[str, etree._Element]] = {}
    for each in tree.iterfind("{*}commentList/{*}comment"):
        number, text, cell = (
            int(each.get("authorId", "0")),
            each.find("{*}text"),
            each.get("ref", ""),
        )
        author = authors[number] if number < len(authors) else ""
        if text is not None and author != AUTHOR and cell not in notes:
            found[cell] = (author, text)
    return found


def _plain(text: str) -> etree._Element:
    made = etree.Element(f"{{{_MAIN}}}text")
    etree.SubElement(etree.SubElement(made, f"{{{_MAIN}}}r"), f"{{{_MAIN}}}t").text = text
    return made


def _comments(told: Mapping[str, tuple[str, etree._Element]]) -> bytes:
    root = tree_of(f'<comments xmlns="{_MAIN}"/>'.encode())
    numbers = {author: n for n, author in enumerate(dict.fromkeys(a for a, _ in told.values()))}
    authors = etree.SubElement(root, f"{{{_MAIN}}}authors")
    for author in numbers:
        etree.SubElement(authors, f"{{{_MAIN}}}author").text = author
    inside = etree.SubElement(root, f"{{{_MAIN}}}commentList")
    for cell, (author, text) in told.items():
        made = etree.SubElement(inside, f"{{{_MAIN}}}comment", ref=cell)
        made.set("authorId", str(numbers[author]))
        made.append(text)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


def _boxes(told: Mapping[str, object]) -> str:
    made = []
    for n, cell in enumerate(told, start=1026):
        row, column = coordinate_to_tuple(cell)
        made.append(_BOX.format(id=n, row=row - 1, column=column - 1))
    return _BOXES.format(boxes="".join(made))


def _point_at(sheet: etree._Element, relation: str) -> None:
    """The sheet says which drawing has the boxes of its comments."""
    found = sheet.find(named(sheet, "legacyDrawing"))
    if found is None:
        found = etree.Element(named(sheet, "legacyDrawing"))
        after = {named(sheet, each) for each in (*_AFTER, "extLst")}
        at = next((n for n, each in enumerate(sheet) if each.tag in after), len(sheet))
        sheet.insert(at, found)
    found.set(f"{{{_OFFICE}}}id", relation)


def _types(package: ZipFile, comments: str) -> bytes:
    tree = tree_of(package.read(_TYPES))
    if all(each.get("Extension") != "vml" for each in tree):
        made = etree.Element(named(tree, "Default"), Extension="vml", ContentType=_VML)
        tree.insert(0, made)
    if all(each.get("PartName") != f"/{comments}" for each in tree):
        etree.SubElement(
            tree, named(tree, "Override"), PartName=f"/{comments}", ContentType=_COMMENTS
        )
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8", standalone=True)
