"""What every receiver must do, as tests: let in who signs, name what is wrong, never break.

Promises   `tests/conformance` holds, for each test, a connector that lies and is caught by it
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import pytest

from connectors.conformance.common import PERSON, claimed, shown, spoken
from hub.port import Inbound, Receiver, abilities
from schemas.errors import HubError, Misconfigured, Rejected
from schemas.message import MessageId

__all__ = ["ReceiverConformance", "ReceiverRig"]

LONG = timedelta(minutes=6)
# A bomb that goes off takes for ever, or all memory: what is refused at once takes no more than so many
# times what `_yardstick` takes, on a fast machine and on a slow one.
QUICK = 150.0
TRIES = 5
ID = MessageId("01890a5d-ac96-774b-bcce-b302099a8057")


class ReceiverRig(Protocol):
    """A receiver, opened, and the means to push to it as its partner does."""

    @property
    def receiver(self) -> Receiver: ...
    @property
    def secret(self) -> str:
        """Shared with the partner; must never show."""

    @property
    def tells_number(self) -> bool:
        """Whether the partner's form of an answer has room for the hub's number."""

    def document(self) -> bytes:
        """A fresh, good one, with `PERSON` in it."""

    def pushed(self, document: bytes, *, secret: str | None = None) -> Inbound:
        """*document* in a request that is signed anew, with the agreed secret or another."""

    def bombs(self) -> Sequence[bytes]:
        """Documents that make a careless reader hang, fetch or fall."""


Forgery = Callable[[Inbound], Inbound]


def _without(name: str) -> Forgery:
    return lambda request: replace(
        request, headers={n: value for n, value in request.headers.items() if n != name}
    )


def _with(name: str, value: str) -> Forgery:
    return lambda request: replace(request, headers={**request.headers, name: value})


FORGERIES: Mapping[str, Forgery] = {
    "another body": lambda request: replace(request, body=request.body + b" "),
    "another kind": lambda request: replace(request, path=f"{request.path}s"),
    "another method": lambda request: replace(request, method="PUT"),
    "another query": lambda request: replace(request, query={"as": "admin"}),
    "too old": lambda request: replace(request, received_at=request.received_at + LONG),
    "too early": lambda request: replace(request, received_at=request.received_at - LONG),
    "another sender": _with("x-app-id", "somebody-else"),
    "no time": _without("x-timestamp"),
    "no number for a time": _with("x-timestamp", "now"),
    "no nonce": _without("x-nonce"),
    "a short nonce": _with("x-nonce", "1"),
    "no digest": _without("x-content-sm3"),
    "no signature": _without("x-signature"),
    "an empty signature": _with("x-signature", ""),
    "letters beyond ASCII": _with("x-signature", "签名"),
    "another scheme": _with("x-sign-type", "none"),
}


def _yardstick() -> float:
    """Seconds that this thread works for a million steps of Python, at this very moment."""
    began = time.thread_time()
    for _ in range(1_000_000):
        pass
    return time.thread_time() - began


class ReceiverConformance:
    """Every test gets a fresh rig."""

    async def test_it_says_that_it_receives(self, rig: ReceiverRig) -> None:
        """The composition root opens the door for a system by this word."""
        assert "receive" in abilities(rig.receiver)

    async def test_what_was_pushed_comes_out(self, rig: ReceiverRig) -> None:
        """Kind, key and content, Chinese as it was."""
        request = rig.pushed(rig.document())

        records = rig.receiver.receive(request)

        assert 1 == len(records)
        assert records[0].kind == request.path
        assert records[0].key
        assert PERSON in str(records[0].body)

    async def test_a_repeat_has_the_same_key(self, rig: ReceiverRig) -> None:
        """The hub drops repeats by the key: the same document again, and another."""
        document = rig.document()

        keys = [
            rig.receiver.receive(rig.pushed(each))[0].key
            for each in (document, document, rig.document())
        ]

        assert keys[0] == keys[1]
        assert keys[0] != keys[2]

    @pytest.mark.parametrize("forgery", FORGERIES)
    async def test_a_forged_request_is_denied(self, rig: ReceiverRig, forgery: str) -> None:
        """And nothing of the forger's remains: the true request still comes through."""
        request = rig.pushed(rig.document())

        with pytest.raises(Misconfigured) as caught:
            rig.receiver.receive(FORGERIES[forgery](request))

        assert "sender.denied" == caught.value.code
        assert 1 == len(rig.receiver.receive(request))

    async def test_another_secret_is_denied(self, rig: ReceiverRig) -> None:
        """The whole point of signing."""
        with pytest.raises(Misconfigured) as caught:
            rig.receiver.receive(rig.pushed(rig.document(), secret=f"{rig.secret}x"))

        assert "sender.denied" == caught.value.code

    async def test_a_replay_is_denied(self, rig: ReceiverRig) -> None:
        """Who has listened on the line cannot say it again."""
        request = rig.pushed(rig.document())
        rig.receiver.receive(request)

        with pytest.raises(Misconfigured) as caught:
            rig.receiver.receive(request)

        assert "sender.denied" == caught.value.code

    async def test_half_a_document_is_refused_with_the_reason(self, rig: ReceiverRig) -> None:
        """Cut anywhere: always a refusal that can be told in both languages, never a bug."""
        whole = rig.document()
        step = max(1, len(whole) // 50)

        for length in range(0, len(whole) - 1, step):
            with pytest.raises(Rejected) as caught:
                rig.receiver.receive(rig.pushed(whole[:length]))
            assert spoken(caught.value), f"{caught.value.code}: no text in both languages"

    async def test_a_wrong_encoding_is_refused_with_the_reason(self, rig: ReceiverRig) -> None:
        """GBK sent as UTF-8, the oldest mistake of all."""
        document = rig.document().decode("utf-8").encode("gb18030")

        with pytest.raises(Rejected) as caught:
            rig.receiver.receive(rig.pushed(document))

        assert spoken(caught.value), f"{caught.value.code}: no text in both languages"

    async def test_bombs_do_not_go_off(self, rig: ReceiverRig) -> None:
        """Refused at once: one thread serves all partners. What it works is counted, not its waits."""
        for bomb in rig.bombs():
            for left in reversed(range(TRIES)):
                request = rig.pushed(bomb)
                began = time.thread_time()
                with pytest.raises(Rejected) as caught:
                    rig.receiver.receive(request)
                times = (time.thread_time() - began) / _yardstick()
                assert spoken(caught.value), f"{caught.value.code}: no text in both languages"
                # A machine that others use as well counts their work to ours: not at every try.
                if times < QUICK:
                    break
                assert left, f"{times:.0f} times: {bomb[:80]!r}"

    async def test_secrets_and_citizens_stay_out_of_errors(self, rig: ReceiverRig) -> None:
        """What is wrong with a document is told without quoting it."""
        document = rig.document()
        half = rig.pushed(document[: -len(document) // 3])
        for request in (half, rig.pushed(document, secret="a-wrong-one")):  # noqa: S106 - is wrong
            with pytest.raises(HubError) as caught:
                rig.receiver.receive(request)

            assert rig.secret not in shown(caught.value)
            assert PERSON not in shown(caught.value)

    async def test_the_answer_tells_the_number(self, rig: ReceiverRig) -> None:
        """With it the partner asks for the receipt."""
        claimed(rig.tells_number, "tells_number")
        answer = rig.receiver.acknowledge(rig.pushed(rig.document()), [ID])

        assert 200 <= answer.status < 300
        assert ID in answer.body.decode()

    async def test_a_refusal_tells_the_reasons(self, rig: ReceiverRig) -> None:
        """All of them, in the document the partner reads, with the status it acts on."""
        reasons = ['/姓名 必填 <> & " / The name is missing', "第二条 / The second"]

        answer = rig.receiver.refuse(rig.pushed(rig.document()), reasons, 400)

        said = _text_of(answer.body)
        assert 400 == answer.status
        assert [] == [reason for reason in reasons if reason not in said]


def _text_of(body: bytes) -> str:
    """The body as a person reads it, whether it is JSON or XML."""
    text = body.decode()
    for escaped, plain in (('\\"', '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(escaped, plain)
    return text
