"""What is said of sharing: on the resource, and on an item, which may be stricter and never looser.

Standard   the 2017 compiling guide; the decree on sharing government data (国令 809); R-A5
"""

from __future__ import annotations

import re

from catalog.lint.finding import Notebook
from catalog.lint.wording import is_placeholder
from catalog.model import Catalogue, Item, Resource, Sensitivity, Share
from catalog.shares import is_looser
from schemas.texts import worded

__all__ = ["check_sharing", "names_legal_ground"]

_PERSONAL = (Sensitivity.PERSONAL, Sensitivity.SENSITIVE)
_LEGAL = re.compile(r"《[^》]{2,}》|[〔\[（(]\d{4}[〕\]）)]\d+号|第[一二三四五六七八九十百零\d]+条")


def names_legal_ground(text: str) -> bool:
    """
    Whether a law, a decree or a numbered document is named.

    >>> names_legal_ground("《中华人民共和国统计法》第九条"), names_legal_ground("内部使用")
    (True, False)
    """
    return _LEGAL.search(text) is not None


def check_sharing(resource: Resource, place: str, catalogue: Catalogue, book: Notebook) -> None:
    _check_share(resource.share, place, book)
    _check_items(resource.items, resource.share, place, catalogue, book)


def _check_share(share: Share, place: str, book: Notebook) -> None:
    if share.type != "unconditional" and share.condition is None:
        # 有条件共享 needs the condition, 不予共享 the law or rule it rests on.
        book.error(
            place, "catalog.condition-missing", **worded("type", f"catalogue.share.{share.type}")
        )
    elif share.type == "none" and not names_legal_ground(share.condition or ""):
        book.error(place, "catalog.ground-missing", text=share.condition or "")
    if share.type == "unconditional" and share.condition is not None:
        book.warning(place, "catalog.condition-idle")
    if share.open and share.type == "none":
        book.error(place, "catalog.open-unshared")
    if share.open_condition is not None and not share.open:
        book.warning(place, "catalog.open-condition-idle")


def _check_items(
    items: tuple[Item, ...], around: Share, place: str, catalogue: Catalogue, book: Notebook
) -> None:
    for item in items:
        at = f"{place} {item.wire_name}"
        share = around if item.share is None else item.share
        if item.share is not None:
            _check_share(share, at, book)
            for text in filter(None, (share.condition, share.open_condition)):
                if is_placeholder(text):
                    book.error(at, "catalog.placeholder", field="share", text=text)
            if is_looser(share, around):
                words = worded("type", f"catalogue.share.{around.type}")
                book.error(at, "catalog.item-looser", name=item.wire_name, **words)
        element = catalogue.elements.get(item.element or "")
        personal = element is not None and element.sensitivity in _PERSONAL
        if personal and (share.open or share.type == "unconditional"):
            book.error(at, "catalog.personal-shared", name=item.wire_name)
        _check_items(item.items, share, place, catalogue, book)
