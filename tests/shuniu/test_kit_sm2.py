"""The kit of a partner that signs by SM2: its programs run against a running hub, and it is told no secret."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from hub.store import Store
from shuniu.kit.build import KitWish, build_kit
from simulators.signing import signed_headers
from tests.connectors.sm2_parties import parties
from tests.shuniu.a_gateway import PARTNER, RESOURCE, SECRET, SITE, Door, declarations, open_door

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")

PYTHON = (sys.executable, "code/exchange.py")
SAMPLE = f"samples/in.{RESOURCE}.1.json"
PROGRAMS = {
    "python": (*PYTHON, "send", RESOURCE, SAMPLE, "--wait", "20"),
    "curl": ("sh", "code/exchange.sh", "send", RESOURCE, SAMPLE),
}


@cache
def kit() -> dict[str, bytes]:
    """Of `PARTNER`, had it agreed on SM2."""
    declared = declarations()
    system = declared.systems[PARTNER]
    settings = {
        "url": "address://water-office",
        "receives": True,
        "sign_type": "SM2",
        "private_key": "secret://water-office-sm2",
        "public_key": parties().partner_public,
    }
    changed = system.model_copy(update={"settings": settings})
    declared = replace(declared, systems={**declared.systems, PARTNER: changed})
    return build_kit(KitWish(system=PARTNER, address="http://hub", site=SITE), declared)


def test_the_guide_and_the_keys_are_about_sm2() -> None:
    """What to sign with, who keeps which key; nothing of a shared secret, and no program that cannot."""
    guide, keys = kit()["guide.md"].decode(), kit()["keys.md"].decode()

    assert "| `X-Sign-Type` | `SM2` |" in guide
    assert "distid:1234567812345678" in guide
    assert "HMAC-SM3 |" not in guide
    assert "共享密钥" not in guide + keys
    assert "| `water-office-sm2` | 枢纽的 SM2 私钥" in keys
    assert "SHUNIU_SM2_KEY=sm2.key\n" in kit()["hub.env"].decode()
    assert {"code/exchange.py", "code/exchange.sh"} == {n for n in kit() if n.startswith("code/")}


def test_the_description_is_about_sm2() -> None:
    """OpenAPI: of this system's calls, and of nothing else."""
    told = json.loads(kit()["openapi.json"])
    (path,) = (each for each in told["paths"] if each.startswith("/in/"))
    other = json.loads(
        build_kit(KitWish(system=PARTNER, address="http://hub", site=SITE), declarations())[
            "openapi.json"
        ]
    )

    assert not list(OpenAPIV31SpecValidator(told).iter_errors())
    assert [{"sm2": []}] == told["paths"][path]["post"]["security"]
    named = {"$ref": "#/components/parameters/SignTypeSM2"}
    assert named in told["paths"][path]["post"]["parameters"]
    assert "SM2" == told["components"]["parameters"]["SignTypeSM2"]["schema"]["const"]
    assert "SM2" not in json.dumps(other)


@pytest.fixture
async def door(amqp_url: str, store: Store) -> AsyncIterator[Door]:
    async with open_door(amqp_url, store, parties().profile) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The partner's kit, unpacked on its machine, with the key that it made beside it."""
    for path, content in kit().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / "sm2.key").write_bytes(parties().partner.own.read_bytes())
    (tmp_path / "other.key").write_bytes(parties().stranger.own.read_bytes())
    return tmp_path


async def run(door: Door, folder: Path, *command: str, **signing: str) -> tuple[int, str]:
    """A program of the kit; its exit code and what it said."""
    given = {"SHUNIU_URL": door.url, "SHUNIU_SYSTEM": PARTNER, "PYTHONIOENCODING": "utf-8"}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **given, **signing},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.parametrize("language", sorted(PROGRAMS))
async def test_its_programs_run(door: Door, folder: Path, language: str) -> None:
    """Signed with the partner's key and accepted; another key and a shared secret are turned away."""
    command = PROGRAMS[language]
    if shutil.which("curl") is None and language == "curl":
        pytest.skip("no curl on this machine")
    sent, told = await run(door, folder, *command, SHUNIU_SM2_KEY="sm2.key")
    _, stranger = await run(door, folder, *command, SHUNIU_SM2_KEY="other.key")
    _, secret = await run(door, folder, *command, SHUNIU_SECRET=SECRET)

    assert 0 == sent, told
    assert '"accepted"' in told.replace(" ", "")
    assert "401" in stranger
    assert "401" in secret


async def test_the_gateway_turns_a_replay_away(door: Door) -> None:
    """The same signed request twice: 202, then 401 without a word of what is wrong."""
    url = f"{door.url}/in/{PARTNER}/{RESOURCE}"
    body = kit()[SAMPLE]
    headers = signed_headers(
        parties().partner,
        app_id=PARTNER,
        method="POST",
        url=url,
        body=body,
        now_ms=time.time_ns() // 1_000_000,
    )
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        first = await http.post(url, content=body, headers=headers)
        again = await http.post(url, content=body, headers=headers)

    assert (202, 401) == (first.status_code, again.status_code)
    assert "nonce" not in again.text.lower()


async def test_the_self_check_signs_too(door: Door, folder: Path) -> None:
    """It finds nothing wrong, or the key, or says that there is no such file."""
    good = await run(door, folder, *PYTHON, "check", SHUNIU_SM2_KEY="sm2.key")
    wrong = await run(door, folder, *PYTHON, "check", SHUNIU_SM2_KEY="other.key")
    missing = await run(door, folder, *PYTHON, "check", SHUNIU_SM2_KEY="no.key")

    assert (0, "自检通过：地址、时钟、签名都正确。\n") == good
    assert (1, True) == (wrong[0], "签名未通过" in wrong[1])
    assert (1, True) == (missing[0], "no.key" in missing[1])
