"""A partner's system with a store of its own, which outlives every hub process that calls it.

Form       what happens to a case is told by the last letter of its number
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import orjson

from connectors.conformance import Fault
from tests.connectors.socket_system import Asked, Said

__all__ = ["BUSY", "DENIED", "REFUSED", "Partner"]

BUSY, DENIED, REFUSED = "b", "d", "r"
# As often as the hub tries at once, so that the case has to wait on the ladder.
BUSY_TIMES = 3


@dataclass
class Partner:
    """Takes each key once. *held* are numbers and steps of what it took, in that order."""

    held: list[tuple[str, str]] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def answers(self, asked: Asked) -> Said:
        if asked.method == "GET":
            return Said(200, b"{}")
        key, payload = asked.headers["idempotency-key"], orjson.loads(asked.body)
        self.calls[key] += 1
        match payload["no"][-1]:
            case str(letter) if letter == REFUSED:
                return Said(422, b'{"reason": "no", "item": "no"}')
            case str(letter) if letter == BUSY and self.calls[key] <= BUSY_TIMES:
                return Said(503, b"{}")
            case str(letter) if letter == DENIED and self.calls[key] == 1:
                return Said(401, b"{}")
        status = 409 if key in self.keys else 200
        if status == 200:
            self.keys[key] = len(self.held) + 1
            self.held.append((payload["no"], payload["step"]))
        return Said(status, orjson.dumps({"number": self.keys[key]}))

    def says(self, fault: Fault, asked: Asked) -> Said:
        raise NotImplementedError

    def holds(self, prefix: str) -> list[tuple[str, str]]:
        return [(number, step) for number, step in self.held if number.startswith(prefix)]
