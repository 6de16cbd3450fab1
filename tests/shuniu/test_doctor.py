"""`shuniu doctor` finds a disk that is nearly full before the hub stops over it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schemas.texts import say
from shuniu.doctor import Check, examine
from shuniu.instance import Instance
from shuniu.settings import Settings
from tests.conftest import BrokerNode
from tests.servers.small_disk import may_mount, small_disk

MORE_THAN_THERE_IS = "1000000GB"


async def found(home: Path, amqp_url: str) -> dict[str, Check]:
    told = {"SHUNIU_HOME": str(home), "SHUNIU_AMQP_URL": amqp_url}
    # As it is named: what is seen of another's mounts is not where its links lead.
    checks = await examine(Instance.of(replace(Settings.read(told), home=home)))
    return {check.name: check for check in checks}


@pytest.mark.skipif(not may_mount(), reason="mounting needs root")
async def test_little_room_in_the_hubs_folder(tmp_path: Path, amqp_url: str) -> None:
    """It is told how much is left, and how much should be."""
    with small_disk(tmp_path, 8, {}) as disk:
        little = (await found(disk.seen, amqp_url))["disk"]
    enough = (await found(tmp_path / "home", amqp_url))["disk"]

    assert little.fault
    assert "doctor.disk" == little.fault.code
    assert little.fault.facts["free"] in range(1, 9)
    assert str(disk.seen) in say(little.fault.code, little.fault.facts, "zh")
    assert enough.fault is None


@pytest.mark.xdist_group("broker_node")
async def test_a_broker_that_takes_nothing(tmp_path: Path, broker_node: BrokerNode) -> None:
    """It answers, and its disk is nearly full: that is no broker in order."""
    await broker_node.node.control("set_disk_free_limit", MORE_THAN_THERE_IS)
    try:
        full = (await found(tmp_path, broker_node.url))["broker"]
    finally:
        await broker_node.node.control("set_disk_free_limit", "50MB")
    well = (await found(tmp_path, broker_node.url))["broker"]
    version = await broker_node.node.control("version")

    assert full.fault
    assert "broker.refused" == full.fault.code
    assert well.fault is None
    assert well.shown.endswith(f"RabbitMQ {version.strip()}")
