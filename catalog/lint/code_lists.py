"""Code lists: each code once, each with a label of its own."""

from __future__ import annotations

from catalog.lint.finding import Notebook, nearest
from catalog.lint.wording import is_placeholder
from catalog.model import Catalogue, CodeList

__all__ = ["check_code_lists"]


def check_code_lists(catalogue: Catalogue, book: Notebook) -> None:
    titles: dict[str, str] = {}
    for code_list in catalogue.code_lists.values():
        place = f"code list {code_list.name}"
        first = titles.setdefault(code_list.title.zh, code_list.name)
        if first != code_list.name:
            book.error(place, "catalog.duplicate-title", title=code_list.title.zh, other=first)
        _check_labels(code_list, place, book)


def _check_labels(code_list: CodeList, place: str, book: Notebook) -> None:
    labels: dict[tuple[str, str], str] = {}
    for code, label in code_list.codes.items():
        # Some lists have a code for what is not known (性别 0 未知): there it is a value.
        if not label.strip():
            book.error(place, "catalog.placeholder", field=code, text=label)
        # Many cities have a 朝阳区: under different codes above them they are different labels.
        first = labels.setdefault((code_list.parents.get(code, ""), label), code)
        if first != code:
            book.error(place, "catalog.duplicate-label", label=label, code=code, other=first)
        if code != code.strip() or not code:
            book.error(place, "catalog.code-blank", code=code)
    for code in code_list.english:
        if code not in code_list.codes:
            near = nearest(code, code_list.codes)
            book.error(place, "catalog.english-of-nothing", code=code, near=near)
    if is_placeholder(code_list.title.zh):
        book.error(place, "catalog.placeholder", field="title", text=code_list.title.zh)
