"""All partners in one process, as the demo starts them."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from simulators.run import PARTNERS, run

SECRETS = dict.fromkeys(PARTNERS, "a-secret-of-tests")


async def test_all_partners_run_and_their_addresses_are_written(tmp_path: Path) -> None:
    """Each answers its control; the addresses go with them."""
    file = tmp_path / "home" / "addresses.json"
    async with run(tmp_path / "home", "http://127.0.0.1:9", SECRETS, seed=1, speed=10) as running:
        assert running.addresses == json.loads(file.read_text(encoding="utf-8"))
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            for name in PARTNERS:
                counts = await http.get(f"{running.addresses[name]}/_sim/counts")
                quiet = await http.get(f"{running.addresses[name]}/_sim/quiet")

                assert {
                    "cases",
                    "deliveries",
                    "repeats",
                    "doubled",
                    "events_sent",
                    "waiting",
                } <= set(counts.json())
                assert {"quiet": True} == quiet.json()
    assert not file.exists()


async def test_a_secret_stands_in_no_text(tmp_path: Path) -> None:
    """Neither where partners are started nor in what they keep."""
    async with run(tmp_path, "http://127.0.0.1:9", SECRETS) as running:
        assert "a-secret-of-tests" not in repr(running)
    assert not any(b"a-secret-of-tests" in path.read_bytes() for path in tmp_path.iterdir())
