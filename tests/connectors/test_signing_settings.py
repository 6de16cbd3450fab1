"""Profiles say how is signed: what is missing or wrong is told by the setting's name, and never its value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from catalog.read import read_catalogue
from connectors import http_json, soap_settings
from connectors.signing_schemes import HmacSm3, Sm2
from hub.crypto.sm2 import new_key
from routes.site import read_declarations
from shuniu.settings_lint import lint_settings
from shuniu.site import release_texts

OURS, THEIRS = new_key(), new_key().public
SECRET = "a-shared-secret"
SM2 = {"sign_type": "SM2", "private_key": OURS.hex, "public_key": THEIRS.hex}
URL = {"url": "http://far/api"}
SITE = Path(__file__).parents[2] / "sites" / "reference"


def read(**told: object) -> http_json.Settings:
    return http_json.Settings.model_validate({**URL, **told})


def test_a_secret_is_hmac_and_keys_are_sm2() -> None:
    """By what a profile says, in each form of a key."""
    assert HmacSm3(SECRET) == read(secret=SECRET).scheme()
    for ours, theirs in (
        (OURS.hex, THEIRS.hex),
        (OURS.pem, THEIRS.pem),
        (OURS.hex, THEIRS.hex[2:]),
    ):
        settings = read(sign_type="SM2", private_key=ours, public_key=theirs, receives=True)
        assert Sm2(OURS, THEIRS) == settings.scheme()
    assert Sm2(OURS) == read(sign_type="SM2", private_key=OURS.hex).scheme()
    assert Sm2(OURS, THEIRS, "x") == read(**SM2, user_id="x").scheme()


@pytest.mark.parametrize(
    ("told", "setting", "said"),
    [
        ({}, "secret", "sign_type HMAC-SM3 needs secret"),
        ({"sign_type": "SM2"}, "private_key", "sign_type SM2 needs private_key"),
        (
            {**SM2, "public_key": None, "receives": True},
            "receives",
            "pushes with sign_type SM2 needs public_key",
        ),
        ({**SM2, "secret": SECRET}, "secret", "secret is for sign_type HMAC-SM3"),
        ({"secret": SECRET, "public_key": THEIRS.hex}, "public_key", "is for sign_type SM2"),
        ({"secret": SECRET, "private_key": OURS.hex}, "private_key", "is for sign_type SM2"),
        ({**SM2, "private_key": SECRET}, "private_key", "not an SM2 key"),
        ({**SM2, "public_key": THEIRS.hex[:-2]}, "public_key", "not an SM2 key"),
        ({**SM2, "public_key": OURS.hex}, "public_key", "not an SM2 key"),
        ({"sign_type": "RSA", "secret": SECRET}, "sign_type", "'HMAC-SM3' or 'SM2'"),
    ],
)
def test_what_is_wrong_is_told(told: dict[str, Any], setting: str, said: str) -> None:
    """One finding, at the setting, in words to act on; no secret is quoted."""
    with pytest.raises(ValidationError) as caught:
        read(**told)

    (found,) = caught.value.errors(include_input=False, include_url=False)
    assert setting == ".".join(map(str, found["loc"]))
    assert said in found["msg"]
    assert SECRET not in found["msg"]
    assert OURS.hex not in found["msg"]


def test_soap_says_the_same() -> None:
    """Its profile has the same settings; one that calls us needs its public key."""
    receives = {"wsdl": "w", "operation": "o", "key": "k"}
    told = {**URL, **SM2, "wsdl": "w", "answer": {"done": ["0"]}, "receives": receives}

    assert Sm2(OURS, THEIRS) == soap_settings.Settings.model_validate(told).scheme()
    with pytest.raises(ValidationError) as caught:
        soap_settings.Settings.model_validate({**told, "public_key": None})
    assert "needs public_key" in caught.value.errors()[0]["msg"]


def found(settings: str) -> list[tuple[int, str, str]]:
    """What lint finds in a site whose one-window system has *settings*, one a line from the first on."""
    texts = dict(release_texts(SITE))
    file = "systems/one-window.yaml"
    head, _, _ = texts[file].partition("settings:")
    at = head.count("\n") + 2
    texts[file] = f"{head}settings:\n{settings}"
    findings = lint_settings(read_declarations(texts, read_catalogue(texts)))
    return [
        (each.line - at, str(each.facts["setting"]), str(each.facts["said"])) for each in findings
    ]


def test_lint_tells_file_and_line() -> None:
    """A public key at its line; what is missing at the settings; what is a reference only where it runs."""
    url, ours = '  url: "address://one-window"\n', '  private_key: "secret://one-window-sm2"\n'
    sm2 = "  sign_type: SM2\n"
    theirs = f'  public_key: "{THEIRS.hex}"\n'

    assert [] == found(url + sm2 + ours + theirs + "  receives: true\n")
    (wrong,) = found(url + sm2 + ours + '  public_key: "04ab"\n')
    assert (3, "public_key") == wrong[:2]
    assert "not an SM2 key" in wrong[2]
    (missing,) = found(url + sm2 + theirs)
    assert (-1, "private_key") == missing[:2]
    assert "needs private_key" in missing[2]
    (unbelievable,) = found(url + sm2 + ours + "  receives: true\n")
    assert (3, "receives") == unbelievable[:2]
    assert "needs public_key" in unbelievable[2]
