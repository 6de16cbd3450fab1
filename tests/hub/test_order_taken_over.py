"""A route in order goes over to another process, which looked before the first one kept something."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from hub.crypto import Sm4Seal
from hub.delivery.held import Order
from hub.envelope import encode_message
from hub.store import Store
from schemas.message import MessageId
from tests.hub.site import small_plan
from tests.hub.test_envelope import AT, a_message

PLAN = small_plan("order_by: subject")
SEAL = Sm4Seal(bytes(16))


async def test_what_was_kept_after_our_look_goes_first(store: Store) -> None:
    """The first message that comes is behind it, though the look knew of nothing; another subject's is
    not, and what waits does not wait for itself."""
    before, after = (Order(PLAN.routes["steps-to-left"], store, SEAL) for _ in range(2))
    kept = a_message()
    later = replace(kept, id=MessageId("01a20001-9764-752f-9557-3994c06a01c5"), sequence=4)
    beside = replace(later, subject="A-2")
    for each in (before, after):
        each.begin()
        await each.look(AT)
    headers, body = encode_message(kept)
    await before.hold(kept, headers, body, due=AT + timedelta(seconds=5), at=AT)

    assert [True, False, False] == [await after.must_wait(m) for m in (later, beside, kept)]
