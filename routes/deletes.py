"""What a delete needs: nothing but its business key. What else it holds must be right all the same."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.errors import Fault
from schemas.message import Operation

__all__ = ["wanted"]

_LEFT_OUT = frozenset({"map.missing", "item.missing"})


def wanted(
    faults: Iterable[Fault], operation: Operation | None, subject: str = ""
) -> tuple[Fault, ...]:
    """
    *faults* without those that a message of *operation* may have; *subject*: the business key's JSON
    Pointer, where the faults are at items.

    >>> from schemas.errors import Fault
    >>> missing = [Fault("item.missing", "/caseNo", {}), Fault("item.missing", "/fee", {})]
    >>> [fault.at for fault in wanted(missing, Operation.DELETED, "/caseNo")]
    ['/caseNo']
    >>> len(wanted(missing, Operation.UPDATED))
    2
    """
    if operation is not Operation.DELETED:
        return tuple(faults)
    return tuple(fault for fault in faults if fault.code not in _LEFT_OUT or fault.at == subject)
