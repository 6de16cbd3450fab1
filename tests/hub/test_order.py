"""Routes that keep order: a message that waits holds its own subject, and nobody else's."""

from __future__ import annotations

from collections import defaultdict

from hub.failure_desk import FailureDesk
from hub.store import Store
from schemas.errors import Rejected, Transient
from schemas.message import Delivery
from schemas.receipt import Event
from tests.hub.conftest import System, eventually, now, running_engine
from tests.hub.site import small_plan
from tests.records import shape

IN_ORDER = small_plan("order_by: subject")
STRICT = small_plan("order_by: route")
NEWEST = small_plan("order_by: subject\nnewest_only: true")


def step(number: str, name: str) -> dict[str, str]:
    return {"bh": number, "hj": name, "qh": "130102"}


def steps_of(system: System) -> dict[object, list[object]]:
    """The steps that the system holds of each case, in the order they came."""
    found: dict[object, list[object]] = defaultdict(list)
    for payload in system.payloads:
        found[payload["no"]].append(payload["step"])
    return dict(found)


class Stubborn:
    """Fails the first tries of one step."""

    def __init__(self, name: str, tries: int, error: Exception) -> None:
        self.name, self.left, self.error = name, tries, error

    def __call__(self, delivery: Delivery) -> Exception | None:
        if delivery.payload["step"] != self.name or not self.left:
            return None
        self.left -= 1
        return self.error


async def test_a_waiting_message_holds_its_own_subject_only(
    amqp_url: str, database_url: str
) -> None:
    """Lesson 4 of the peers: B flows on while A waits for its ladder; A's steps stay in order."""
    store = Store(database_url)
    shape(store)
    async with running_engine(amqp_url, store, plan=IN_ORDER) as running:
        running.left.trouble = Stubborn("A一", 4, Transient("target.down", "Away"))
        for name in ("一", "二", "三"):
            for number in ("A", "B"):
                await running.send(step(number, number + name))

        await eventually(
            lambda: _steps(running.left), lambda found: len(found.get("A", [])) == 3, "all of A"
        )

        assert {"A": ["A一", "A二", "A三"], "B": ["B一", "B二", "B三"]} == steps_of(running.left)
        calls = [delivery.payload["step"] for delivery in running.left.calls]
        assert calls.index("B三") < calls.index("A二"), "B waited for A"
        await running.until(Event.DELIVERY_DONE, 12)
        assert not await running.failed()
    store.close()


async def test_a_failure_holds_its_subject_until_a_person_has_dealt_with_it(
    amqp_url: str, store: Store
) -> None:
    """Discarded, it lets the later ones go; retried, it goes first."""
    async with running_engine(amqp_url, store, plan=IN_ORDER) as running:
        refusals = {"A一", "C一"}

        def refuses(delivery: Delivery) -> Exception | None:
            refused = delivery.payload["step"] in refusals
            return Rejected("target.refused", "No", at="/step") if refused else None

        running.left.trouble = refuses
        for number in ("A", "C"):
            for name in ("一", "二"):
                await running.send(step(number, number + name))
        await running.send(step("B", "B一"))
        failed = await eventually(running.failed, lambda rows: len(rows) == 2, "two failures")
        await eventually(lambda: _steps(running.left), lambda found: "B" in found, "B")
        assert {"B": ["B一"]} == steps_of(running.left)

        refusals.clear()
        desk = FailureDesk(store, running.engine.seal, IN_ORDER, now)
        by_case = {row["subject"]: row["id"] for row in failed}
        await desk.discard([by_case["A"]], "a duplicate", "tester")
        await desk.retry([by_case["C"]], "tester")

        await eventually(lambda: _steps(running.left), lambda found: len(found) == 3, "A and C")
        await running.until(Event.DELIVERY_DONE, 9)
        assert {"A": ["A二"], "B": ["B一"], "C": ["C一", "C二"]} == steps_of(running.left)


async def test_a_strict_route_holds_everything(amqp_url: str, store: Store) -> None:
    """``order_by: route``: nobody overtakes."""
    async with running_engine(amqp_url, store, plan=STRICT) as running:
        running.left.trouble = Stubborn("A一", 4, Transient("target.down", "Away"))
        for number in ("A", "B", "C"):
            await running.send(step(number, number + "一"))

        await running.until(Event.DELIVERY_DONE, 6)

        assert ["A一", "B一", "C一"] == [payload["step"] for payload in running.left.payloads]


async def test_a_newer_message_replaces_those_that_wait(amqp_url: str, store: Store) -> None:
    """``newest_only``: of what waits only the last is delivered, and the others are told."""
    async with running_engine(amqp_url, store, plan=NEWEST) as running:
        running.left.trouble = Stubborn("A一", 4, Transient("target.down", "Away"))
        for name in ("一", "二", "三"):
            await running.send(step("A", "A" + name))

        await eventually(
            lambda: _steps(running.left), lambda found: "A三" in found.get("A", []), "the last"
        )

        replaced = await running.until(Event.DELIVERY_REPLACED, 1)
        held = steps_of(running.left)["A"]
        assert "A三" == held[-1]
        assert 3 == len(held) + len(replaced)
        assert {"steps-to-left"} == {row["route"] for row in replaced}


async def test_what_waits_survives_a_restart(amqp_url: str, store: Store) -> None:
    """The engine is stopped while A waits; the next one goes on in order."""
    async with running_engine(amqp_url, store, plan=IN_ORDER) as running:
        running.left.trouble = lambda delivery: (
            Transient("target.down", "Away") if delivery.payload["no"] == "A" else None
        )
        await running.send(step("A", "A一"))
        await running.until(Event.DELIVERY_RETRYING, 1)
        await running.send(step("A", "A二"))
        await running.send(step("B", "B一"))
        await eventually(lambda: _steps(running.left), lambda found: "B" in found, "B")

    async with running_engine(amqp_url, store, plan=IN_ORDER) as again:
        await again.send(step("A", "A三"))
        await eventually(
            lambda: _steps(again.left), lambda found: len(found.get("A", [])) == 3, "all of A"
        )
        assert ["A一", "A二", "A三"] == steps_of(again.left)["A"]


async def _steps(system: System) -> dict[object, list[object]]:
    return steps_of(system)
