"""A guest-house application from end to end, looked at as its people would (R-B1)."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connectors.signing import signed_headers
from tests.journeys.conftest import CASES, City

pytestmark = pytest.mark.xdist_group("city")
APPLICATION = "integrated-platform/application"


def test_every_application_comes_to_its_end(city: City) -> None:
    """All items of all departments in one place; names masked."""
    listed = _get(city, "/api/applications")["applications"]
    one = _get(city, f"/api/applications/{listed[0]['number']}")

    assert CASES == len(listed)
    for application in listed:
        assert application["items"]
        assert "＊" in application["applicant"]
        assert all(item["state"] in "67" for item in application["items"])
    assert any(item["licence_number"] for each in listed for item in each["items"])
    assert all(item["timeline"] for item in one["items"])


def test_a_case_can_be_traced_across_all_hops(city: City) -> None:
    """By its case number: split, delivered to its system, reported back, reported to the province."""
    item = next(i for a in _get(city, "/api/applications")["applications"] for i in a["items"])

    code, told = city.shuniu("trace", item["case_no"])

    assert 0 == code
    events = {hop["event"] for hop in told["hops"]}
    assert {"record.received", "message.published", "delivery.done", "service.done"} <= events
    routes = {hop["route"] for hop in told["hops"] if hop["event"] == "delivery.done"}
    assert any(route.startswith("items-to-") for route in routes)
    unknown, _ = city.shuniu("trace", "nothing-of-the-kind")
    assert 1 == unknown


def test_the_declarations_are_sound(city: City) -> None:
    """``lint`` finds no error, every example passes, ``doctor`` finds everything in place."""
    lint, found = city.shuniu("lint")
    test, run = city.shuniu("test")
    doctor, checks = city.shuniu("doctor")

    assert (0, []) == (lint, [f for f in found["findings"] if f["severity"] == "error"])
    assert (0, []) == (test, run["failed"])
    assert run["examples"] > 50
    assert (0, []) == (doctor, [check for check in checks["checks"] if not check["ok"]])


def test_nobody_is_shown(city: City) -> None:
    """No page, API or log shows a certificate number, a phone or a secret of this city."""
    held = _held(city)
    assert held
    texts = [(city.home.parent / "output").read_text("utf-8")]
    paths = ["/", "/routes", "/failures", "/applications", "/cards", "/api/applications"]
    number = _get(city, "/api/applications")["applications"][0]["number"]
    paths += [f"/applications/{number}", f"/trace?q={number}"]
    code, told = city.shuniu("trace", number)
    assert 0 == code
    texts.append(json.dumps(told))
    paths += [f"/messages/{hop['message_id']}" for hop in told["hops"][:40:4]]
    texts += [httpx.get(city.url + path, trust_env=False, timeout=30).text for path in paths]

    for text in texts:
        assert not [word for word in held if word in text]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/applications",
        "/cards",
        "/routes",
        "/panels/applications",
        "/panels/cards",
        "/panels/failures",
    ],
)
def test_every_page_and_panel_can_be_read(city: City, path: str) -> None:
    """In Chinese and in English, with its content and no trouble."""
    number = _get(city, "/api/applications")["applications"][0]["number"]
    for lang in ("zh", "en"):
        answer = httpx.get(
            city.url + path, cookies={"shuniu_lang": lang}, trust_env=False, timeout=20
        )
        assert 200 == answer.status_code, answer.text[:2000]
        assert "web.panel" not in answer.text
        assert "applications" not in path or number in answer.text


BAD: list[tuple[str, bytes, int, str]] = [
    ("broken", b'{"sqbh": "A', 400, "JSON"),
    ("wrong encoding", '{"sqbh": "民宿"}'.encode("gbk"), 400, "GBK"),
    ("not an object", b"[1]", 400, "JSON"),
    ("20 MB", b"x" * 20_000_000, 413, "1048576"),
]


@pytest.mark.parametrize(("name", "body", "status", "word"), BAD, ids=[b[0] for b in BAD])
def test_what_cannot_be_read_is_refused_at_the_door(
    city: City, name: str, body: bytes, status: int, word: str
) -> None:
    """With the reason in Chinese and English, and a receipt."""
    answer = _push(city, APPLICATION, body)

    assert status == answer.status_code, answer.text
    (reason,) = answer.json()["reasons"]
    assert word in reason
    assert any("一" <= each <= "鿿" for each in reason)
    receipt = _receipt(city, answer.headers["x-receipt-id"])
    assert "refused" == receipt["state"]


def test_an_unknown_resource_is_refused_by_name(city: City) -> None:
    """The kinds that the system may send are named."""
    receipt = _pushed(city, "integrated-platform/nothing", {"x": 1})

    assert ("rejected", ["record.unknown-kind"]) == (
        receipt["state"],
        [reason["code"] for reason in receipt["reasons"]],
    )
    assert "application" in receipt["reasons"][0]["zh"]


def test_a_stranger_is_turned_away(city: City) -> None:
    """A wrong signature, and a signature used twice."""
    body = b"{}"
    wrong = _push(city, APPLICATION, body, secret="not the secret")
    headers = _headers(city, APPLICATION, body)
    url = f"{city.url}/in/{APPLICATION}"
    httpx.post(url, content=body, headers=headers, trust_env=False, timeout=30)
    again = httpx.post(url, content=body, headers=headers, trust_env=False, timeout=30)

    assert (401, 401) == (wrong.status_code, again.status_code)


@pytest.mark.parametrize(
    "text",
    [
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>',
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    ],
    ids=["bomb", "external entity"],
)
def test_xml_that_acts_is_refused(city: City, text: str) -> None:
    """Entities, inner and outer, are not even read."""
    answer = _push(city, "fire-safety/notification", text.encode(), content_type="text/xml")

    assert 400 == answer.status_code
    assert "DOCTYPE" in answer.text or "DTD" in answer.text or "文档类型" in answer.text
    assert "root:" not in answer.text


def test_bad_input_disturbs_nobody(city: City) -> None:
    """After all that: no failure of any route, and everything still flows."""
    code, told = city.shuniu("failures", "list")

    assert 0 == code
    assert [] == [each for each in told["failures"] if each["stage"] != "intake"]
    assert httpx.get(f"{city.url}/readyz", trust_env=False, timeout=30).json() == {"ready": True}


def _get(city: City, path: str) -> Any:
    answer = httpx.get(city.url + path, trust_env=False, timeout=30)
    assert answer.is_success, answer.text
    return answer.json()


def _headers(city: City, path: str, body: bytes, secret: str | None = None) -> dict[str, str]:
    system = path.partition("/")[0]
    return signed_headers(
        secret or city.secrets[system],
        method="POST",
        url=f"{city.url}/in/{path}",
        body=body,
        at=datetime.now(UTC),
        app_id=system,
    )


def _push(
    city: City,
    path: str,
    body: bytes,
    *,
    secret: str | None = None,
    content_type: str = "application/json",
) -> httpx.Response:
    headers = _headers(city, path, body, secret) | {"Content-Type": content_type}
    return httpx.post(
        f"{city.url}/in/{path}", content=body, headers=headers, trust_env=False, timeout=30
    )


def _pushed(city: City, path: str, document: dict[str, Any]) -> Any:
    """The final receipt of *document*."""
    answer = _push(city, path, json.dumps(document).encode())
    assert 202 == answer.status_code, answer.text
    return _receipt(city, answer.json()["id"])


def _receipt(city: City, receipt_id: str) -> Any:
    deadline = time.monotonic() + 20
    told: Any = None
    while time.monotonic() < deadline:
        told = httpx.get(
            f"{city.url}/api/receipts/{receipt_id}", trust_env=False, timeout=30
        ).json()
        if told["state"] not in ("unknown", "pending"):
            return told
        time.sleep(0.05)
    pytest.fail(f"no final receipt: {told}")


def _held(city: City) -> set[str]:
    """Words that must never show: certificate numbers and phones of the applicants, all secrets."""
    found = set(city.secrets.values())
    addresses = json.loads((city.home / "addresses.json").read_text("utf-8"))
    assert addresses
    for file in city.home.glob("*.db"):
        if file.name.startswith("integrated"):
            found |= _numbers(file.read_bytes())
    return found


def _numbers(content: bytes) -> set[str]:
    return {each.decode() for each in re.findall(rb"\b1[3-9]\d{9}\b|\b\d{17}[\dX]\b", content)}
