"""Impact before approval: what hangs on a resource, and what of last week would newly fail."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial

from catalog.lifecycle.impact import Impact, Use
from catalog.model import DataElement
from hub.crypto import Sm4Seal
from hub.registry.element_impact import element_impact
from hub.registry.impact import impact_of
from hub.registry.releasing import Releaser
from hub.releases import apply, plan_of
from hub.store import Store
from schemas.receipt import Event
from tests.hub.conftest import a_step, now, running_engine
from tests.hub.test_versions import FIRST, RESOURCE, SECOND_TEXT

SERVICES = {"tracking": ("caseStep",), "grading": ("caseRating",)}


async def told(store: Store, text: str) -> Impact:
    return await impact_of(
        text,
        store=store,
        releaser=Releaser(store, plan_of, now),
        seal=Sm4Seal(bytes(16)),
        since=now() - timedelta(days=7),
        services=SERVICES,
    )


async def test_impact_is_told_from_what_was_recorded(amqp_url: str, store: Store) -> None:
    """A new mandatory item fails all that lack it; a new optional one fails none."""
    store.write_now(lambda c: apply(c, FIRST, plan_of(FIRST), at=now(), by="test"))
    async with running_engine(amqp_url, store, plan=plan_of(FIRST)) as running:
        for n in range(4):
            await running.send(a_step(f"A{n}"), key=f"A{n}")
        await running.until(Event.DELIVERY_DONE, 8)
    asks_more = await told(store, SECOND_TEXT)
    harmless = await told(store, SECOND_TEXT.replace("handlerName, required: true", "handlerName"))

    assert asks_more.recorded is not None
    assert harmless.recorded is not None
    assert (4, 4, 1.0, {("item.missing", "/handlerName"): 4}) == (
        asks_more.recorded.messages,
        asks_more.recorded.failing,
        asks_more.recorded.share,
        asks_more.recorded.by_fault,
    )
    assert (4, 0, 0.0) == (
        harmless.recorded.messages,
        harmless.recorded.failing,
        harmless.recorded.share,
    )
    assert asks_more.comparison is not None
    assert ["compare.added-required"] == [d.code for d in asks_more.comparison.differences]
    assert (
        Use("intake", "sender.step", "sender", "市行政审批局"),
        Use("route", "steps-to-left", "left", "市行政审批局"),
        Use("route", "steps-to-right", "right", "市行政审批局"),
        Use("service", "tracking"),
    ) == asks_more.uses
    assert ("市行政审批局",) == asks_more.partners
    assert () == asks_more.problems


async def test_what_would_keep_it_from_being_published_is_told(store: Store) -> None:
    """A route that reads an item that is gone; nothing is changed by asking."""
    store.write_now(lambda c: apply(c, FIRST, plan_of(FIRST), at=now(), by="test"))
    text = (
        FIRST[RESOURCE]
        .replace("name:", "version: 2\nname:", 1)
        .replace("element: regionCode", "element: unheard")
    )
    found = await told(store, text)

    assert found.problems
    assert found.recorded is None
    assert FIRST == dict((await Releaser(store, plan_of, now).live())[1])


async def test_what_an_element_would_touch_is_told(amqp_url: str, store: Store) -> None:
    """Every resource that binds it, with who uses it, the grants that cover it, and the recorded messages
    that its new limits would refuse; nothing is changed by asking."""
    texts = {f: t for f, t in FIRST.items() if not f.startswith("earlier/")}
    store.write_now(lambda c: apply(c, texts, plan_of(texts), at=now(), by="test"))
    async with running_engine(amqp_url, store, plan=plan_of(texts)) as running:
        for n in range(3):
            await running.send(a_step(f"A{n}"), key=f"A{n}")
        await running.until(Event.DELIVERY_DONE, 6)
    releaser = Releaser(store, plan_of, now)
    element = (await releaser.plan()).declarations.catalogue.elements["caseNo"]
    shorter = element.model_copy(update={"format": "an..1", "example": None})
    asked = partial(
        element_impact,
        store=store,
        releaser=releaser,
        seal=Sm4Seal(bytes(16)),
        since=now() - timedelta(days=7),
        services=SERVICES,
    )
    narrowed = await asked(text_of(shorter))
    harmless = await asked(text_of(element.model_copy(update={"note": "只是备注"})))

    (found,) = narrowed.bound
    assert ("caseStep", ("caseNo",), False) == (
        found.resource,
        found.items,
        found.comparison.backward,
    )
    assert {"steps-to-left", "steps-to-right", "sender.step", "tracking"} == {
        use.name for use in found.uses
    }
    assert ("市行政审批局",) == narrowed.partners
    assert (3, 3) == (narrowed.messages, narrowed.failing)
    assert (3, 0, ()) == (
        harmless.messages,
        harmless.failing,
        harmless.bound[0].comparison.differences,
    )
    assert texts == dict((await releaser.live())[1])


def text_of(element: DataElement) -> str:
    """The element as it would be declared; JSON is YAML."""
    return json.dumps(element.model_dump(mode="json", exclude_defaults=True))
