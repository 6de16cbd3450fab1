"""The peers do the same work as the hub: the same bodies come out, item by item."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

from bench.plain import DIGEST, passed_on
from bench.records import BODIES, a_record, size_kb, taken, taken_records
from bench.site import bench_plan
from hub.amqp.packed import unpacked
from hub.convert import convert
from hub.crypto import sm3
from hub.envelope import decode_taken, encode_body
from schemas.errors import Rejected

ROOT = Path(__file__).parents[2]
ASK_NODE = """
const { passedOn } = require('./bench/node/mapping.js');
const { readFileSync } = require('node:fs');
const lines = readFileSync(0, 'utf8').trim().split('\\n').map((line) => JSON.parse(line));
for (const { digest, content } of lines) {
  console.log(passedOn(digest, Buffer.from(content, 'utf8')).body.toString('utf8'));
}
"""


@pytest.mark.parametrize("kb", [0.5, 2.0, 10.0])
def test_the_plain_hop_gives_the_bodies_of_the_hub(kb: float) -> None:
    """All of the bodies that are sent, whatever their size; 30 items where none is left out."""
    for n in range(BODIES):
        content = encode_body(a_record(n, kb))
        wanted = convert(taken(n, kb), bench_plan()).messages[0].body

        headers, body = passed_on(sm3(content), content)

        assert wanted == orjson.loads(body)
        assert sm3(body) == headers[DIGEST]
    assert 30 == len(convert(taken(0), bench_plan()).messages[0].body)


def test_the_plain_hop_checks_the_digest() -> None:
    """Else it would do less than the hub does."""
    content = encode_body(a_record(1))

    with pytest.raises(Rejected):
        passed_on(sm3(content), content.replace(b"130104", b"130105"))


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
@pytest.mark.parametrize("kb", [0.5, 2.0])
def test_the_hop_in_javascript_gives_the_bodies_of_the_hub(kb: float) -> None:
    """The same, mapped by hand in the other language."""
    contents = [encode_body(a_record(n, kb)) for n in range(BODIES)]
    lines = [json.dumps({"digest": sm3(each), "content": each.decode()}) for each in contents]

    told = subprocess.run(
        ["node", "-e", ASK_NODE],
        cwd=ROOT,
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    wanted = [convert(taken(n, kb), bench_plan()).messages[0].body for n in range(BODIES)]
    assert wanted == [json.loads(line) for line in told]


def test_records_are_unlike_each_other() -> None:
    """Every one has an id and a key of its own and its body's digest, as the gateway gives them."""
    records = [decode_taken(unpacked(dict(each.headers)), each.body) for each in taken_records(600)]

    assert 600 == len({record.id for record in records})
    assert 600 == len({record.record.key for record in records})
    assert 600 == len({record.record.body["ywlsh"] for record in records})


@pytest.mark.parametrize("kb", [0.5, 2.0, 10.0, 100.0])
def test_records_have_their_size(kb: float) -> None:
    """To a tenth: figures are told by it."""
    assert kb == pytest.approx(size_kb(kb), rel=0.15)
