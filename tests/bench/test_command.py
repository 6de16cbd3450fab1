"""The command and its contract: one JSON object, last; proven on real servers with few messages."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from bench import __main__ as command
from bench.catalogue import BENCHES
from bench.hop.bench import PEERS
from bench.hop.sample import Load, hub_hop, peer_hop
from bench.page import write_page
from bench.places import Place
from bench.report import Report, Target
from bench.rounds import Spread, interleaved
from tests.servers.keeper import Facts
from tests.servers.rabbitmq import VirtualHosts

FEW = Load(120)


@pytest.fixture
def place(virtual_hosts: VirtualHosts, _postgres: Facts) -> Place:
    """The session's servers, as a bench sees its own."""
    at = f"{_postgres['user']}:{_postgres['password']}@{_postgres['host']}:{_postgres['port']}"
    return Place(virtual_hosts, "", 0, at)


def a_report() -> Report:
    report = Report("hop", {"messages": 120}, targets={"peer": Target(8, 15)})
    report.figures["hub_per_s"] = Spread(1234.56, 1000, 2000)
    report.ratios["peer"] = Spread(9.87654, 8.5, 10)
    return report


async def test_a_sample_is_proven_and_told(place: Place) -> None:
    """The hub and the raw relay do a hop each: all arrives, nothing is left, a ratio comes of it."""
    variants = {
        "hub": partial(hub_hop, place, FEW),
        "broker_limit": partial(peer_hop, place, PEERS["broker_limit"], FEW),
    }

    rounds = await interleaved(variants, 1, lambda _: None)
    report = Report("hop", {})
    report.take(rounds)
    report.compare("broker_limit", rounds.ratio("hub", "broker_limit"))
    told = json.loads(report.as_json())

    assert {"bench", "figures", "ratios", "conditions"} == set(told)
    assert {"hub_per_s", "hub_cpu_us", "broker_limit_per_s", "broker_limit_cpu_us"} == set(
        told["figures"]
    )
    assert all(isinstance(value, float) for value in told["figures"].values())
    assert told["figures"]["hub_per_s"] > 0
    assert ["broker_limit"] == list(told["ratios"])


def test_the_json_object_is_of_medians_with_their_spread() -> None:
    """What programs read: numbers of four figures, the spread beside the conditions."""
    told = json.loads(a_report().as_json())

    assert {
        "bench": "hop",
        "figures": {"hub_per_s": 1235.0},
        "ratios": {"peer": 9.877},
        "conditions": {
            "messages": 120,
            "spread": {"hub_per_s": [1000.0, 2000.0], "peer": [8.5, 10.0]},
        },
    } == told


def test_an_unknown_name_is_answered_with_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, and nothing is started."""
    assert 2 == command.main(["no-such-bench"])

    said = capsys.readouterr()
    assert "" == said.out
    assert all(name in said.err for name in BENCHES)


@pytest.mark.parametrize("wrong", [["hop", "--repeats", "0"], ["hop", "--kb", "0.1"], []])
def test_a_wrong_switch_is_refused(wrong: list[str]) -> None:
    """Exit 2, as for any command line."""
    with pytest.raises(SystemExit) as ended:
        command.main(wrong)

    assert 2 == ended.value.code


def test_the_page_keeps_what_did_not_run(tmp_path: Path) -> None:
    """A section is replaced by its own bench alone, and verdicts stand beside the targets."""
    page = tmp_path / "benchmarks.md"
    other = Report("other", {"messages": 1})
    other.ratios["old"] = Spread(1, 1, 1)
    write_page([a_report(), other], page)
    later = a_report()
    later.ratios["peer"] = Spread(7, 6, 8)
    write_page([later], page)

    text = page.read_text(encoding="utf-8")

    assert 1 == text.count("## `hop`")
    assert "| `peer` | 7.00 | 6.00–8.00 | ≥ 8, aim 15: MISSED |" in text
    assert "| `old` | 1.00 |" in text
