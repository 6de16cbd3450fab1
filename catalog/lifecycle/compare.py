"""Two versions of a resource compared: what differs, and who notices.

Backward compatible (向后兼容): what was valid by the old version is valid by the new, so producers need
not move first. Forward compatible (向前兼容): what is valid by the new version still gives every
reader of the old one what he counts on, so subscribers need not move first; an item more does not
disturb them.

Form       a `Difference` has a stable code; its text, in Chinese and English, is in `schemas.texts`
Careful    both versions are read with their own catalogue: an element's own limits may have changed
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from catalog.lifecycle.items import paths
from catalog.model import Catalogue, DataElement, Item, Names, Resource, Share
from catalog.shares import is_looser, own_shares, shares
from schemas.errors import Fact, Facts
from schemas.formats import Format, parse_format
from schemas.texts import say, worded

__all__ = ["Comparison", "Difference", "compare"]


@dataclass(frozen=True, slots=True)
class Difference:
    """*item*: its path, "" for the resource. *backward*, *forward*: whether it keeps to that."""

    code: str
    item: str
    backward: bool
    forward: bool
    facts: Facts = field(default_factory=dict)

    def say(self, lang: str) -> str:
        """What a person reads, in ``zh`` or ``en``."""
        return say(self.code, self.facts, lang)


@dataclass(frozen=True, slots=True)
class Comparison:
    differences: tuple[Difference, ...]

    @property
    def backward(self) -> bool:
        return all(each.backward for each in self.differences)

    @property
    def forward(self) -> bool:
        return all(each.forward for each in self.differences)


def compare(
    old: Resource, new: Resource, old_catalogue: Catalogue, new_catalogue: Catalogue
) -> Comparison:
    """What *new* has otherwise than *old*, in the order of the new version's items."""
    found = [*_whole(old, new)]
    before, after = paths(old), paths(new)
    shared, shares_now = shares(old), shares(new)
    said = own_shares(old).keys() | own_shares(new).keys()
    for path, item in after.items():
        names = _names(item, new_catalogue)
        if path not in before:
            if not _above(path, before.keys(), after.keys()):
                code = "compare.added-required" if item.required else "compare.added"
                found.append(_told(code, path, names, backward=not item.required, forward=True))
            continue
        found += _item(path, before[path], item, old_catalogue, new_catalogue)
        if path in said:
            found += _item_sharing(path, shared[path], shares_now[path], names)
    for path, item in before.items():
        if path not in after and not _above(path, after.keys(), before.keys()):
            names = _names(item, old_catalogue)
            # An item that is declared no longer is refused as unknown.
            found.append(
                _told("compare.removed", path, names, backward=False, forward=not item.required)
            )
    return Comparison(tuple(found))


def _above(path: str, known: Collection[str], own: Collection[str]) -> bool:
    """Whether the group that *path* lies in came or went as a whole: that is told once."""
    group, slash, _ = path.rpartition("/")
    return bool(slash) and group not in known and group in own


def _whole(old: Resource, new: Resource) -> Iterator[Difference]:
    if old.subject != new.subject:
        facts: Facts = {"before": old.subject, "after": new.subject}
        yield Difference("compare.subject", "", backward=False, forward=False, facts=facts)
    yield from _sharing(old, new)
    if old.cycle is not new.cycle:
        facts = _words("cycle", old.cycle, new.cycle)
        yield Difference("compare.cycle", "", backward=True, forward=True, facts=facts)
    if old.provider != new.provider:
        facts = {"before": old.provider, "after": new.provider}
        yield Difference("compare.provider", "", backward=True, forward=True, facts=facts)


def _sharing(old: Resource, new: Resource) -> Iterator[Difference]:
    """No matter of compatibility, but of approval: what becomes looser is told as such."""
    if old.share.type != new.share.type:
        facts = _share_facts(old.share, new.share)
        yield Difference("compare.share", "", backward=True, forward=True, facts=facts)
    elif old.share.condition != new.share.condition:
        facts = {"before": old.share.condition or "–", "after": new.share.condition or "–"}
        yield Difference("compare.condition", "", backward=True, forward=True, facts=facts)
    if old.share.open != new.share.open:
        code = "compare.open" if new.share.open else "compare.closed"
        yield Difference(code, "", backward=True, forward=True)


def _item_sharing(path: str, old: Share, new: Share, names: Names) -> Iterator[Difference]:
    told: Facts = {}
    if is_looser(new, old):
        code, told = "compare.item-looser", _share_facts(old, new)
    elif old.type != new.type or old.open != new.open:
        code, told = "compare.item-stricter", _share_facts(old, new)
    elif old.condition != new.condition:
        code = "compare.item-condition"
        told = {"before": old.condition or "–", "after": new.condition or "–"}
    else:
        return
    yield _told(code, path, names, backward=True, forward=True, **told)


def _share_facts(old: Share, new: Share) -> Facts:
    return {
        f"{side}_{lang}": say(f"catalogue.share.{share.type}", {}, lang)
        + (say("compare.and-open", {}, lang) if share.open else "")
        for side, share in (("before", old), ("after", new))
        for lang in ("zh", "en")
    }


def _item(path: str, old: Item, new: Item, before: Catalogue, after: Catalogue) -> list[Difference]:
    names = _names(new, after)
    if (old.group is None) != (new.group is None) or old.is_list != new.is_list:
        return [_told("compare.shape", path, names, backward=False, forward=False)]
    found: list[Difference] = []
    if old.required != new.required:
        code = "compare.mandatory" if new.required else "compare.optional"
        found.append(_told(code, path, names, backward=old.required, forward=new.required))
    if old.max_occurs != new.max_occurs:
        wider = _occurs(new) > _occurs(old)
        facts: Facts = {"before": str(old.max_occurs), "after": str(new.max_occurs)}
        found.append(
            _told("compare.occurs", path, names, backward=wider, forward=not wider, **facts)
        )
    if old.element and new.element:
        was, now = before.elements.get(old.element), after.elements.get(new.element)
        if was is not None and now is not None:
            found += _element(path, was, now, before, after, names)
    return found


def _element(
    path: str,
    old: DataElement,
    new: DataElement,
    before: Catalogue,
    after: Catalogue,
    names: Names,
) -> Iterator[Difference]:
    if old.type is not new.type:
        facts: Facts = _words("type", old.type, new.type)
        yield _told("compare.type", path, names, backward=False, forward=False, **facts)
        return
    if old.format != new.format:
        wider, narrower = _formats(old.format, new.format)
        facts = {"before": old.format, "after": new.format}
        yield _told("compare.format", path, names, backward=wider, forward=narrower, **facts)
    yield from _codes(path, old, new, before, after, names)
    low_old, low_new = _number(old.domain.minimum), _number(new.domain.minimum)
    high_old, high_new = _number(old.domain.maximum), _number(new.domain.maximum)
    if (low_old, high_old) != (low_new, high_new):
        facts = {
            "before": f"{old.domain.minimum or '…'}–{old.domain.maximum or '…'}",
            "after": f"{new.domain.minimum or '…'}–{new.domain.maximum or '…'}",
        }
        wider = _at_most(low_new, low_old, -1) and _at_most(high_old, high_new, 1)
        narrower = _at_most(low_old, low_new, -1) and _at_most(high_new, high_old, 1)
        yield _told("compare.limits", path, names, backward=wider, forward=narrower, **facts)
    if old.domain.identifier != new.domain.identifier:
        facts = {"before": old.domain.identifier or "–", "after": new.domain.identifier or "–"}
        # A check character that does not fit is a doubt, no fault: everything still passes.
        yield _told("compare.identifier", path, names, backward=True, forward=True, **facts)
    if old.sensitivity is not new.sensitivity:
        facts = _words("sensitivity", old.sensitivity, new.sensitivity)
        yield _told("compare.sensitivity", path, names, backward=True, forward=True, **facts)


def _codes(
    path: str,
    old: DataElement,
    new: DataElement,
    before: Catalogue,
    after: Catalogue,
    names: Names,
) -> Iterator[Difference]:
    was, now = _code_set(old, before), _code_set(new, after)
    if was == now:
        return
    if was is None or now is None:
        code = "compare.codes-gone" if now is None else "compare.codes-set"
        yield _told(code, path, names, backward=now is None, forward=was is None)
        return
    more, less = sorted(now - was), sorted(was - now)
    if more:
        yield _told(
            "compare.codes-more", path, names, backward=True, forward=False, codes=_some(more)
        )
    if less:
        yield _told(
            "compare.codes-less", path, names, backward=False, forward=True, codes=_some(less)
        )


def _code_set(element: DataElement, catalogue: Catalogue) -> frozenset[str] | None:
    listed = catalogue.code_lists.get(element.domain.codes or "")
    return None if listed is None else frozenset(listed.codes)


def _formats(before: str, after: str) -> tuple[bool, bool]:
    """Whether the second takes all that the first takes, and the other way round."""
    old, new = parse_format(before), parse_format(after)
    if old.kind != new.kind or old.layout != new.layout or old.pattern != new.pattern:
        return False, False
    if (old.places is None) != (new.places is None):
        return False, False

    def takes(wide: Format, slim: Format) -> bool:
        return (
            wide.least <= slim.least
            and wide.most >= slim.most
            and (wide.places or 0) >= (slim.places or 0)
            and (slim.digits or not wide.digits)
        )

    return takes(new, old), takes(old, new)


def _occurs(item: Item) -> float:
    return float("inf") if item.max_occurs == "N" else item.max_occurs


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _at_most(one: Decimal | None, other: Decimal | None, open_end: int) -> bool:
    """Whether one ≤ other, where None is infinite: downwards (-1) or upwards (1)."""
    if one is None or other is None:
        return one is None if open_end < 0 else other is None
    return one <= other


def _words(kind: str, old: str, new: str) -> Facts:
    return {
        **worded("before", f"catalogue.{kind}.{old}"),
        **worded("after", f"catalogue.{kind}.{new}"),
    }


def _some(codes: list[str]) -> str:
    return " ".join(codes[:10]) + (" …" if len(codes) > 10 else "")


def _names(item: Item, catalogue: Catalogue) -> Names:
    element = catalogue.elements.get(item.element or "")
    if item.name is not None:
        return item.name
    return element.name if element else Names(zh=item.wire_name, en=item.wire_name)


def _told(
    code: str, path: str, names: Names, /, *, backward: bool, forward: bool, **facts: Fact
) -> Difference:
    told: Facts = {"item": path, "name_zh": names.zh, "name_en": names.en, **facts}
    return Difference(code, path, backward, forward, told)
