"""Which of the pipeline's queues a record goes to (design §7)."""

from __future__ import annotations

from hub.plan import Plan
from hub.releases import plan_of
from hub.shard_keys import intake_key, shard_of
from hub.topology import SHARDS
from schemas.message import Body
from tests.hub.site import small_plan, small_texts

PLAN = small_plan()
MANY = [f"A{n}" for n in range(200)]


def _shards(plan: Plan) -> set[int]:
    return {shard_of("sender", "step", {"bh": no}, plan, canonical=False) for no in MANY}


def test_one_subject_goes_to_one_shard_whatever_else_is_told_of_it() -> None:
    """Every step of a case, and every other record of it, waits behind those before it."""
    for no in MANY:
        steps = {
            shard_of("sender", "step", {"bh": no, "hj": f"第{n}步"}, PLAN, canonical=False)
            for n in range(5)
        }
        assert 1 == len(steps)


def test_subjects_are_spread_over_all_shards() -> None:
    """Two hundred cases leave no shard without work."""
    assert set(range(SHARDS)) == _shards(PLAN)


def test_where_a_route_keeps_all_in_one_order_a_sender_has_one_shard() -> None:
    """``order_by: route`` promises the order of different cases as well."""
    assert 1 == len(_shards(small_plan("order_by: route")))


def test_a_record_without_its_subject_goes_with_its_sender() -> None:
    """It is refused for it, by the pipeline."""
    bodies: list[Body] = [{}, {"bh": None}, {"bh": {"deep": 1}}, {"bh": ["A1"]}, {"bh": 1.5}]
    assert 1 == len({shard_of("sender", "step", b, PLAN, canonical=False) for b in bodies})


def test_what_is_canonical_goes_by_its_subject() -> None:
    """What a service published, or a person mended, has the resource's own words."""
    found = {shard_of("service", "caseStep", {"caseNo": no}, PLAN, canonical=True) for no in MANY}
    assert set(range(SHARDS)) == found


def test_a_system_of_bulk_has_a_queue_of_its_own() -> None:
    """All of it, so that its subjects stay in order there."""
    texts = small_texts()
    texts["systems/sender.yaml"] += "bulk: true\n"
    plan = plan_of(texts)
    keys = {intake_key("sender", "step", {"bh": no}, plan, canonical=False) for no in MANY}
    assert {"bulk.sender.step"} == keys


def test_the_routing_key_begins_with_the_shard() -> None:
    """By it the broker chooses the queue."""
    body = {"bh": "A1"}
    number = shard_of("sender", "step", body, PLAN, canonical=False)
    assert f"{number}.sender.step" == intake_key("sender", "step", body, PLAN, canonical=False)
