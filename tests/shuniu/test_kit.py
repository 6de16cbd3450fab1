"""A partner's kit: its programs run against a running hub, its data is valid, and no secret is in it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import etree
from openapi_spec_validator import OpenAPIV31SpecValidator

from catalog.derive.guide import Guided, guide, guide_page
from catalog.derive.validator import compile_validator
from connectors.signing import hmac_sm3, sm3
from hub.store import Store
from routes.examples import run_intake
from routes.intake import compile_intake
from routes.model import IntakeDeclaration
from schemas.declarations import parse
from schemas.errors import Misconfigured
from shuniu.kit.build import KitWish, build_kit, zipped
from shuniu.kit.files import exchange
from tests.shuniu.a_gateway import PARTNER, RESOURCE, SECRET, SITE, Door, declarations, open_door

ADDRESS = "http://127.0.0.1:8080"


@cache
def kit_of(system: str, *resources: str) -> dict[str, bytes]:
    return build_kit(
        KitWish(system=system, resources=resources, address=ADDRESS, site=SITE), declarations()
    )


def read(system: str, path: str) -> Any:
    return json.loads(kit_of(system)[path])


SYSTEMS = sorted(declarations().systems)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_kit_holds_what_its_system_needs(system: str) -> None:
    """For each of ours: guide, description, keys' names, tables in three dialects, and data that is
    valid by the schemas beside it."""
    kit = kit_of(system)
    catalogue = declarations().catalogue

    assert {"guide.md", "guide.html", "openapi.json", "keys.md", "hub.env"} <= set(kit)
    assert not list(OpenAPIV31SpecValidator(read(system, "openapi.json")).iter_errors())
    samples = [path for path in kit if path.startswith("samples/")]
    assert samples
    for path in samples:
        name = path.removeprefix("samples/").removesuffix(".json")
        kind = name.rpartition(".")[0] if name.startswith("in.") else name
        if f"schemas/{kind}.schema.json" in kit:
            schema = read(system, f"schemas/{kind}.schema.json")
            jsonschema.Draft202012Validator(schema).validate(read(system, path))
        if kind in catalogue.resources:
            verdict = compile_validator(catalogue.resources[kind], catalogue)(read(system, path))
            assert not verdict.faults
            etree.XMLSchema(etree.fromstring(kit[f"schemas/{kind}.xsd"]))
    for dialect in ("postgresql", "mysql", "oracle"):
        assert [path for path in kit if path.endswith(f".{dialect}.sql")]


def test_what_a_profile_refers_to_goes_along() -> None:
    """Descriptions of services with the schemas that they include; not what is of others."""
    kit = kit_of("fire-safety")
    files = {path for path in kit if path.startswith("wsdl/")}

    assert {
        "fire-safety.wsdl",
        "fire-safety.xsd",
        "fire-application.xsd",
        "fire-notification.wsdl",
        "fire-notification.xsd",
        "fire-notice.xsd",
    } == {Path(path).name for path in files}


def test_agreed_tables_are_told(tmp_path: Path) -> None:
    """Of a system that exchanges by tables: which, who writes them, and their columns; no programs."""
    kit = kit_of("construction-approval")
    text = kit["guide.md"].decode()

    assert "gcjs_sp_sqb，由枢纽写、本系统读" in text
    assert "gcjs_sp_jdb，由本系统写、枢纽读" in text
    assert "| `blms` | 办理模式 | 字符 2：CN YB | 是 |" in text
    assert "ddl/construction-approval.mysql.sql" in kit
    assert not [path for path in kit if path.startswith("code/")]
    with pytest.raises(Misconfigured) as caught:
        build_kit(KitWish(system="fire-safety", address=ADDRESS, site=tmp_path), declarations())
    assert "site.file" == caught.value.code


def test_no_secret_is_in_a_kit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is; the value is nowhere, even where this process could know it."""
    for system in SYSTEMS:
        monkeypatch.setenv(f"SHUNIU_SECRET_{system.upper().replace('-', '_')}", "o1d-s3cr3t")
    for system in SYSTEMS:
        made = build_kit(KitWish(system=system, address=ADDRESS, site=SITE), declarations())
        assert not [path for path, content in made.items() if b"o1d-s3cr3t" in content]
    assert "| `one-window` |" in kit_of("one-window")["keys.md"].decode()


def test_the_guide_tells_what_is_exchanged() -> None:
    """Items with name, type, codes, duty and example; fields in the partner's own words; faults."""
    text = kit_of("integrated-platform")["guide.md"].decode()

    assert "# 市一体化政务服务平台对接指南" in text
    assert re.search(r"\| `caseNo` \| 办件编号 \| 字符 \| an\.\.50 \|  \| 是 \| MS2026", text)
    assert "| `bjbh` | 办件编号 | 字符串、整数 | 是 |" in text
    assert "YYYY-MM-DD hh:mm:ss" in text
    assert "`1` PC端" in text
    assert f"`POST {ADDRESS}/in/integrated-platform/rating`" in text
    assert "| `item.missing` | 缺少必填项“…”。 |" in text
    assert "| `sender.denied` |" in text
    assert not re.search(r"[{}]{2}|{%", text)


def test_the_page_stands_alone() -> None:
    """One file: nothing is asked elsewhere, no script runs, and what is data stays text."""
    page = kit_of("integrated-platform")["guide.html"].decode()
    tree = etree.HTML(page)

    assert not tree.findall(".//script")
    assert not list(tree.iter("link", "img", "iframe"))
    assert "对接指南" in (tree.findtext(".//h1") or "")
    assert len(tree.findall(".//table")) > 10
    hostile = guide_page("# <script>x</script>\n\n| a |\n|---|\n| <img src=x> |\n", "<b>")
    assert "<script>" not in hostile
    assert "<img" not in hostile
    assert "<title>&lt;b&gt;</title>" in hostile


def test_anybody_may_read_the_guide_of_a_resource() -> None:
    """Without a system it tells of no keys and no programs; a bar in a name breaks no table."""
    catalogue = declarations().catalogue
    resource = catalogue.resources[RESOURCE]
    named = resource.model_copy(update={"provider": "甲|乙"})
    text = guide(Guided(resources=(named,)), catalogue)

    assert f"（`{RESOURCE}`）" in text
    assert "甲\\|乙" in text
    assert "exchange.py" not in text


def test_a_grantee_is_told_how_it_fetches() -> None:
    """By the number of its grant: in the guide, among the keys, and by the programs beside them."""
    wish = KitWish(
        system="fire-safety", address=ADDRESS, site=SITE, grants=("G2026-000001", "G2026-000002")
    )
    kit = build_kit(wish, declarations())
    text = kit["guide.md"].decode()

    assert "本系统的授权：`G2026-000001`、`G2026-000002`。" in text
    assert f"`GET {ADDRESS}/out/{{授权编号}}/file?after=0`" in text
    assert "授权 `G2026-000002` 的密钥" in kit["keys.md"].decode()
    assert {"code/exchange.py", "code/exchange.sh"} <= set(kit)
    assert "按授权取数" not in kit_of("fire-safety")["guide.md"].decode()


def test_a_new_system_exchanges_the_same_day() -> None:
    """What it will send in the catalogue's words comes with the intake that the hub applies first."""
    kit = kit_of("one-window", "caseRating")
    (path,) = [path for path in kit if path.startswith("for-the-hub/")]
    intake = parse(kit[path].decode(), IntakeDeclaration, file=path)
    declared = declarations()
    sample = json.loads(kit["samples/caseRating.json"])
    (draft,) = compile_intake(intake, declared).drafts(sample)

    assert "for-the-hub/intakes/one-window.caseRating.yaml" == path
    assert all(each.passed for each in run_intake(intake, declared))
    assert sample == draft.body
    assert "/in/one-window/caseRating`" in kit["guide.md"].decode()
    assert not [each for each in kit_of(PARTNER, RESOURCE) if each.startswith("for-the-hub/")]


@pytest.mark.parametrize(
    ("system", "resources", "code"),
    [
        ("nobody", (), "catalog.unknown-system"),
        ("one-window", ("noSuch",), "catalog.unknown-resource"),
    ],
)
def test_what_is_not_declared_is_named(system: str, resources: tuple[str, ...], code: str) -> None:
    """Before anything is written."""
    with pytest.raises(Misconfigured) as caught:
        kit_of(system, *resources)

    assert code == caught.value.code


def test_an_archive_is_the_same_each_time() -> None:
    """Everything in one folder; no time of day in it."""
    made = zipped(kit_of(PARTNER), "kit")

    assert made == zipped(kit_of(PARTNER), "kit")
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert {f"kit/{path}" for path in kit_of(PARTNER)} == set(archive.namelist())


@pytest.mark.parametrize("length", [0, 1, 3, 55, 56, 63, 64, 65, 119, 200])
def test_the_partners_sm3_is_ours(length: int) -> None:
    """Where Python's OpenSSL has it and where it has not; keys longer than a block too."""
    content = bytes(range(256))[:length]

    assert sm3(content) == exchange._sm3(content) == exchange.sm3(content)
    assert hmac_sm3(content or b"k", b"text") == exchange.hmac_sm3(content or b"k", b"text")


def test_the_standards_example() -> None:
    """GB/T 32905-2016, annex A.1."""
    digest = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"

    assert digest == exchange._sm3(b"abc")


@pytest.fixture
async def door(amqp_url: str, store: Store) -> AsyncIterator[Door]:
    async with open_door(amqp_url, store) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The partner's kit, unpacked on its machine."""
    for path, content in kit_of(PARTNER).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    return tmp_path


async def run(door: Door, folder: Path, *command: str, secret: str = SECRET) -> tuple[int, str]:
    """A program of the kit, in a process of its own; its exit code and what it said."""
    system = {"SHUNIU_URL": door.url, "SHUNIU_SYSTEM": PARTNER, "SHUNIU_SECRET": secret}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **system, "PYTHONIOENCODING": "utf-8"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


SAMPLE = f"samples/in.{RESOURCE}.1.json"
PYTHON = (sys.executable, "code/exchange.py")
PROGRAMS = {
    "python": (*PYTHON, "send", RESOURCE, SAMPLE, "--wait", "20"),
    "curl": ("sh", "code/exchange.sh", "send", RESOURCE, SAMPLE),
    "java": ("java", "code/Exchange.java", "send", RESOURCE, SAMPLE),
}


@pytest.mark.parametrize("language", sorted(PROGRAMS))
async def test_its_programs_run(door: Door, folder: Path, language: str) -> None:
    """Signed by their own code, accepted by the hub; again it is a repeat; with a wrong key they are
    turned away, and say so by their exit code."""
    command = PROGRAMS[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on this machine")
    sent, told = await run(door, folder, *command)
    again, repeated = await run(door, folder, *command)
    denied, refusal = await run(door, folder, *command, secret="another")

    assert (0, 0) == (sent, again), told
    assert re.search(r'"state": ?"accepted"', told), told
    assert re.search(r'"state": ?"repeated"', repeated), repeated
    assert "401" in refusal
    assert denied == (0 if language == "curl" else 1)


async def test_the_self_check_finds_what_is_wrong(door: Door, folder: Path) -> None:
    """Nothing, a wrong key, a wrong address, a missing variable; and it sends no business data."""
    good = await run(door, folder, *PYTHON, "check")
    wrong_key = await run(door, folder, *PYTHON, "check", secret="another")
    nowhere = await run(replace(door, url="http://127.0.0.1:9"), folder, *PYTHON, "check")
    unset = await run(door, folder, *PYTHON, "check", secret="")
    unknown = await run(door, folder, *PYTHON, "receipt", "none")
    no_file = await run(door, folder, *PYTHON, "send", RESOURCE, "no-such-file")

    assert (0, "自检通过：地址、时钟、签名都正确。\n") == good
    assert (1, True) == (wrong_key[0], "签名未通过" in wrong_key[1])
    assert (1, True) == (nowhere[0], "连接不上枢纽" in nowhere[1])
    assert (2, True) == (unset[0], "keys.md" in unset[1])
    assert (2, "没有这个文件：no-such-file\n") == no_file
    assert (1, True) == (unknown[0], '"unknown"' in unknown[1])
