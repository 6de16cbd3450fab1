"""Hand a record to the pipeline: one message to ``hub.intake``."""

from __future__ import annotations

from hub.broker import Outgoing
from hub.envelope import Taken, encode_taken
from hub.topology import INTAKE

__all__ = ["taken_in"]


def taken_in(taken: Taken) -> Outgoing:
    headers, body = encode_taken(taken)
    return Outgoing(INTAKE, f"{taken.system}.{taken.record.kind}", body, headers)
