"""What becomes of a delivery that failed. Decided here, without I/O; done by `hub.delivery`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.errors import Fault, HubError, Misconfigured, Rejected, Transient

__all__ = ["IN_DOUBT", "Halt", "Park", "RetryIn", "Verdict", "faults_of", "verdict"]


@dataclass(frozen=True, slots=True)
class RetryIn:
    seconds: float
    code: str


@dataclass(frozen=True, slots=True)
class Park:
    """Into the failure store, for a person."""

    code: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop the route; its messages wait in their queue."""

    code: str


Verdict = RetryIn | Park | Halt
BUG, IN_DOUBT = "hub.bug", "target.in-doubt"


def verdict(
    error: Exception, attempt: int, ladder: Sequence[float], *, repeatable: bool = True
) -> Verdict:
    """Judge *error* on attempt number *attempt* (from 1); *ladder* holds the waits in seconds.
    *repeatable*: a target that has it already takes a repeat for what it is, or can be asked."""
    code = error.code if isinstance(error, HubError) else BUG
    match error:
        case Rejected():
            return Park(code)
        case Misconfigured():
            return Halt(code)
        case Transient(in_doubt=True) if not repeatable:
            return Park(IN_DOUBT)
        case _ if attempt > len(ladder):
            return Park(code)
        case Transient(after_s=asked):
            return RetryIn(max(ladder[attempt - 1], asked), code)
        case _:
            return RetryIn(ladder[attempt - 1], code)


def faults_of(error: Exception) -> tuple[Fault, ...]:
    """Everything wrong, as it may be shown and kept. A bug shows its type, never its text: that
    may quote a body."""
    match error:
        case Rejected(faults=faults):
            return tuple(faults)
        case HubError(code=code, facts=facts):
            return (Fault(code, "", facts),)
        case _:
            return (Fault(BUG, "", {"error": type(error).__name__}),)
