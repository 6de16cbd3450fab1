"""The files that are derived from a site: which there are, and for whom."""

from __future__ import annotations

import orjson
import pytest

from catalog.derive.openapi_pulls import PULLS
from schemas.errors import Misconfigured
from shuniu.exports import Form, Wish, exported
from shuniu.site import read_site
from tests.shuniu.a_gateway import SITE

DECLARED = read_site(SITE)
ONE = Wish(resources=("caseRating",), system="one-window", dialect="mysql")


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (Form.OPENAPI, "openapi.json"),
        (Form.ASYNCAPI, "asyncapi.json"),
        (Form.DCAT, "catalogue.jsonld"),
        (Form.XLSX, "catalogue.xlsx"),
        (Form.DDL, "caseRating.mysql.sql"),
        (Form.MASKED_VIEW, "caseRating.masked.mysql.sql"),
        (Form.INTAKE, "one-window.caseRating.yaml"),
        (Form.GUIDE, "caseRating.guide.md"),
        (Form.JSON_SCHEMA, "caseRating.schema.json"),
        (Form.XSD, "caseRating.xsd"),
        (Form.YAML, "caseRating.yaml"),
        (Form.SAMPLE, "caseRating.sample.json"),
    ],
)
def test_a_file_for_each_or_one_for_all(form: Form, name: str) -> None:
    """Of a resource that is named, even where the system does not exchange it yet."""
    files = exported(form, ONE, DECLARED)

    assert name == next(iter(files))
    assert len(files) == (2 if form is Form.GUIDE else 1)
    assert b"caseRating" in files[name] or form in {
        Form.XLSX,
        Form.DDL,
        Form.MASKED_VIEW,
        Form.SAMPLE,
    }


def test_a_system_gets_its_own_part() -> None:
    """What it exchanges, and the calls that it is concerned with."""
    (text,) = exported(Form.OPENAPI, Wish(system="one-window"), DECLARED).values()
    document = orjson.loads(text)

    assert ["/in/one-window/event", "/api/receipts/{id}", *PULLS] == list(document["paths"])
    assert {"itemCase", "caseResult"} <= set(document["components"]["schemas"])
    assert "taxViolation" not in document["components"]["schemas"]


@pytest.mark.parametrize(
    ("form", "wish", "code"),
    [
        (Form.INTAKE, Wish(), "catalog.whose"),
        (Form.OPENAPI, Wish(system="nobody"), "catalog.unknown-system"),
        (Form.XSD, Wish(resources=("noSuch",)), "catalog.unknown-resource"),
        (Form.DDL, Wish(dialect="oracel"), "front-db.dialect"),
    ],
)
def test_what_is_not_there_is_named(form: Form, wish: Wish, code: str) -> None:
    """Before anything is written."""
    with pytest.raises(Misconfigured) as caught:
        exported(form, wish, DECLARED)

    assert code == caught.value.code
