"""Data elements on their way from draft to standard and retirement: who may register and change what.

Standard   GB/T 18391.6 (states of registration), GB/T 19488.1-2004, R-A4
Form       原始 → 已记录 → 合格 → 标准 ⇄ 优先标准; the last two → 废止, which is for good
Promises   an element's identity stays: short name and identifier; what was standard changes with a higher
           version only
"""

from __future__ import annotations

from collections.abc import Mapping

from catalog.lifecycle.people import Actor, Role, must_be
from catalog.model import DataElement, ElementStatus
from schemas.errors import Rejected

__all__ = ["MOVES", "check_registered"]

MOVES: Mapping[ElementStatus, frozenset[ElementStatus]] = {
    ElementStatus.DRAFT: frozenset({ElementStatus.RECORDED}),
    ElementStatus.RECORDED: frozenset({ElementStatus.DRAFT, ElementStatus.QUALIFIED}),
    ElementStatus.QUALIFIED: frozenset({ElementStatus.RECORDED, ElementStatus.STANDARD}),
    ElementStatus.STANDARD: frozenset({ElementStatus.PREFERRED, ElementStatus.RETIRED}),
    ElementStatus.PREFERRED: frozenset({ElementStatus.STANDARD, ElementStatus.RETIRED}),
    ElementStatus.RETIRED: frozenset(),
}
# As long as it is one of these, an editor may write at it; the rest is the authority's.
_EDITORS = frozenset({ElementStatus.DRAFT, ElementStatus.RECORDED})
_IN_FORCE = frozenset({ElementStatus.STANDARD, ElementStatus.PREFERRED})


def check_registered(before: DataElement | None, after: DataElement, actor: Actor) -> None:
    """
    Whether *actor* may make *after* of *before*; None: it is new.

    Raises `Rejected`: ``lifecycle.role``, ``element.identity``, ``element.status``,
    ``element.version``.
    """
    stages = {each.status for each in (before, after) if each}
    must_be(actor, Role.EDITOR if stages <= _EDITORS else Role.AUTHORITY)
    if before is None:
        return
    if (before.short_name, before.identifier) != (after.short_name, after.identifier):
        raise Rejected("element.identity", "It is another one", name=before.short_name)
    if after.status is not before.status and after.status not in MOVES[before.status]:
        raise Rejected(
            "element.status", "Not from here", before=before.status.value, after=after.status.value
        )
    same = before.model_copy(update={"status": after.status, "replaced_by": after.replaced_by})
    if before.status in _IN_FORCE and same != after and _number(after) <= _number(before):
        raise Rejected("element.version", "A higher version is due", version=before.version)


def _number(element: DataElement) -> tuple[int, ...]:
    return tuple(map(int, element.version.split(".")))
