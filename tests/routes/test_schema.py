"""The schemas for editors are fresh, and agree with the models on what they can know."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from routes.schema import declaration_schemas
from tests.routes.a_site import FILES

FOLDER = Path(__file__).resolve().parents[2] / "sites" / "schema"
SCHEMAS = {"systems": "system", "tables": "code-tables", "intakes": "intake", "routes": "route"}


@pytest.mark.parametrize("name", sorted(declaration_schemas()))
def test_the_published_schema_is_fresh(name: str) -> None:
    """Else run ``python scripts/schemas.py``."""
    published = json.loads((FOLDER / name).read_text(encoding="utf-8"))

    assert declaration_schemas()[name] == published
    jsonschema.Draft202012Validator.check_schema(published)


def faulty(file: str, text: str) -> bool:
    schema = declaration_schemas()[f"{SCHEMAS[file.split('/', maxsplit=1)[0]]}.schema.json"]
    document = YAML(typ="safe").load(text)
    return not jsonschema.Draft202012Validator(schema).is_valid(document)


@pytest.mark.parametrize("file", sorted(FILES))
def test_an_editor_accepts_what_we_accept(file: str) -> None:
    """All declarations of the small site."""
    assert not faulty(file, FILES[file])


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("systems/city.yaml", "connector: memory", "conector: memory"),
        ("tables/police.yaml", '"01": "1"', '"01": 1'),
        ("intakes/police.acceptance.yaml", "caseNo: ywlsh", "caseNo: 1"),
        ("intakes/police.acceptance.yaml", "from: slsj", "form: slsj"),
        ("routes/acceptances-to-city.yaml", "retry: [2s", "retry: [2"),
        ("routes/acceptances-to-city.yaml", 'only: {acceptanceResult: ["1"]}', "only: {all: 1}"),
    ],
)
def test_an_editor_refuses_what_we_refuse(file: str, old: str, new: str) -> None:
    """Slips of the pen are underlined while they are made."""
    assert old in FILES[file]
    assert faulty(file, FILES[file].replace(old, new))
