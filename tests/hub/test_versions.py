"""A resource is changed and published while its stream runs: nothing lost, nothing wrongly refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hub.releases import plan_of
from hub.store import Store
from routes.lint import lint
from schemas.declarations import InvalidDeclaration
from schemas.receipt import Event
from tests.hub.conftest import Running, a_step, running_engine
from tests.hub.site import small_texts
from tests.hub.test_releases import applied, flowing, following, grown

RESOURCE, EARLIER, INTAKE = (
    "resources/caseStep.yaml",
    "earlier/caseStep.1.yaml",
    "intakes/sender.step.yaml",
)
ELEMENT = """  - identifier: HUB.OTH.0003
    name: {zh: 办理人员, en: handler}
    short_name: handlerName
    definition: 办理环节的人员。
    type: string
    format: an..10
"""
FIRST = small_texts() | {
    "elements/all.yaml": small_texts()["elements/all.yaml"] + ELEMENT,
}
# Version 2 asks for an item more, which the producer does not send yet.
SECOND_TEXT = (
    FIRST[RESOURCE].replace("name:", "version: 2\nname:", 1)
    + "  - {element: handlerName, required: true}\n"
)
BOTH = FIRST | {RESOURCE: SECOND_TEXT, EARLIER: FIRST[RESOURCE]}


def moved(texts: Mapping[str, str]) -> dict[str, str]:
    """The producer sends the new item as ``jbr``."""
    intake = texts[INTAKE].replace("regionCode: qh}", "regionCode: qh, handlerName: jbr}", 1)
    return {**texts, INTAKE: intake}


def without_first(texts: Mapping[str, str]) -> dict[str, str]:
    return {file: text for file, text in texts.items() if file != EARLIER}


async def schemas(running: Running, many: int) -> dict[str, str]:
    """By case: the version of the resource that its message is of."""
    rows = await running.until(Event.MESSAGE_PUBLISHED, many)
    return {row["subject"]: row["envelope"]["dataschema"] for row in rows}


async def test_a_version_is_published_under_flow(amqp_url: str, store: Store) -> None:
    """Producers that have not moved go on under the first version; who has moved is of the second;
    every case reaches every system once, and nobody is refused."""
    await applied(store, FIRST)
    async with running_engine(amqp_url, store, plan=plan_of(FIRST)) as running:
        follower = following(running, "one")
        await follower.look()
        async with flowing(running) as sent:
            await grown(sent, 30)
            await applied(store, BOTH)
            await follower.look()
            await grown(sent, 30)
            await applied(store, moved(BOTH))
            await follower.look()
            await grown(sent, 10)
            for n in range(10):
                await running.send({**a_step(f"N{n}"), "jbr": "经办"}, key=f"N{n}")
            await grown(sent, 10)
        many = len(sent) + 10
        await running.until(Event.DELIVERY_DONE, 2 * many)
        told = await schemas(running, many)

        assert {"caseStep/1"} == {told[case] for case in sent}
        assert {"caseStep/2"} == {told[f"N{n}"] for n in range(10)}
        for system in (running.left, running.right):
            assert sorted(told) == sorted(str(p["no"]) for p in system.payloads)
        assert not await running.rows(Event.RECORD_REJECTED)
        assert not await running.failed()


async def test_when_all_have_moved_the_first_version_is_accepted_no_longer(
    amqp_url: str, store: Store
) -> None:
    """What still comes by it is refused, with the missing item at the partner's own field."""
    plan = plan_of(without_first(moved(BOTH)))
    async with running_engine(amqp_url, store, plan=plan) as running:
        await running.send(a_step("A1"), key="A1")
        await running.send({**a_step("A2"), "jbr": "经办"}, key="A2")
        rejected = await running.until(Event.RECORD_REJECTED, 1)
        told = await schemas(running, 1)

        assert {"A2": "caseStep/2"} == told
        assert ["/jbr"] == [fault["at"] for fault in rejected[0]["faults"]]


def test_lint_asks_only_for_what_every_accepted_version_wants() -> None:
    """An unmapped mandatory item is an error once the version without it is gone."""

    def unmapped(texts: Mapping[str, str]) -> list[object]:
        found = lint(plan_of(texts).declarations)
        return [each.facts["item"] for each in found if each.code == "lint.unmapped-item"]

    assert [] == unmapped(BOTH)
    assert ["handlerName"] == unmapped(without_first(BOTH))


def test_an_earlier_version_is_earlier() -> None:
    """A file of the same or a later number is a slip."""
    with pytest.raises(InvalidDeclaration, match="not earlier than what is published"):
        plan_of({**FIRST, EARLIER: SECOND_TEXT})
