"""What sharing attributes an item really has: its own, those of the group around it, or the resource's.

Standard   the 2017 compiling guide; R-A5: an item may be stricter than what it lies in
Not here   whether what is declared is sound: `catalog.lint.sharing`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog.model import Item, Resource, Share

__all__ = ["is_looser", "loosened", "own_shares", "shares"]

_STRICTNESS = ("unconditional", "conditional", "none")


def is_looser(share: Share, than: Share) -> bool:
    """
    Whether *share* lets out what *than* keeps back: a looser type, or the public.

    >>> closed = Share(type="none", condition="《统计法》第九条", way="file")
    >>> is_looser(Share(type="conditional", way="file"), closed), is_looser(closed, closed)
    (True, False)
    """
    order = _STRICTNESS.index
    return order(share.type) < order(than.type) or (share.open and not than.open)


def shares(resource: Resource) -> Mapping[str, Share]:
    """By path of every item and group, as in `catalog.lifecycle.items.paths`."""
    return dict(_shares(resource.items, resource.share, ""))


def own_shares(resource: Resource) -> Mapping[str, Share]:
    """Those that are declared at an item or group, by its path."""
    return dict(_own(resource.items, ""))


def loosened(old: Resource, new: Resource) -> tuple[str, ...]:
    """
    The paths of what *new* shares more freely than *old*, "" for the resource.

    What only follows the resource or the group around it in both is told with that.
    """
    before, after = shares(old), shares(new)
    said = own_shares(old).keys() | own_shares(new).keys()
    whole = ("",) if is_looser(new.share, old.share) else ()
    items = (p for p in after if p in said and p in before and is_looser(after[p], before[p]))
    return (*whole, *items)


def _shares(items: tuple[Item, ...], around: Share, above: str) -> Iterator[tuple[str, Share]]:
    for item in items:
        share = item.share or around
        yield f"{above}{item.wire_name}", share
        yield from _shares(item.items, share, f"{above}{item.wire_name}/")


def _own(items: tuple[Item, ...], above: str) -> Iterator[tuple[str, Share]]:
    for item in items:
        if item.share is not None:
            yield f"{above}{item.wire_name}", item.share
        yield from _own(item.items, f"{above}{item.wire_name}/")
