"""The suites that every connector passes, ours and those of third parties: shipped, not only tested by.

A connector is done when its subclasses pass, on a system behind a real socket::

    class TestFireSafety(SinkConformance):
        @pytest.fixture
        async def rig(self) -> AsyncIterator[SinkRig]:
            async with a_system() as system, Soap(...) as sink:
                yield FireSafetyRig(system, sink)

Needs the extra ``testing``. A trait the connector does not claim, and a fault that a system of its
kind cannot have, are skipped with the reason; nothing else is.
"""

from __future__ import annotations

from connectors.conformance.common import ASKED_S, IN_TIME_S, PERSON
from connectors.conformance.receivers import ReceiverConformance, ReceiverRig
from connectors.conformance.sinks import SinkConformance, SinkRig
from connectors.conformance.sources import SourceConformance, SourceRig
from connectors.faults import Fault

__all__ = [
    "ASKED_S",
    "IN_TIME_S",
    "PERSON",
    "Fault",
    "ReceiverConformance",
    "ReceiverRig",
    "SinkConformance",
    "SinkRig",
    "SourceConformance",
    "SourceRig",
]
