"""Settings, secrets and addresses: read in one place, resolved by reference, never shown."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from schemas.errors import Misconfigured
from shuniu.addresses import Addresses, resolved
from shuniu.secret_store import SecretStore
from shuniu.settings import Settings


def test_without_environment_everything_lies_under_the_home(tmp_path: Path) -> None:
    """SQLite and a private node by default; loopback only."""
    settings = Settings.read({"SHUNIU_HOME": str(tmp_path)})

    assert (None, f"sqlite:///{tmp_path / 'hub.db'}") == (settings.amqp_url, settings.database_url)
    assert "127.0.0.1" == settings.host


def test_a_port_that_is_none_is_told() -> None:
    """A typing slip in the environment is no traceback."""
    with pytest.raises(Misconfigured) as caught:
        Settings.read({"SHUNIU_PORT": "eighty"})

    assert "settings.port" == caught.value.code


def test_a_secret_comes_from_the_environment_or_a_private_file(tmp_path: Path) -> None:
    """The environment wins; a drawn one is kept with mode 0600 and stays the same."""
    store = SecretStore(tmp_path / "secrets", {"SHUNIU_SECRET_FIRE_SAFETY": "given"})

    store.make_missing(["fire-safety", "one-window"])
    drawn = store.get("one-window")
    store.make_missing(["one-window"])

    assert ("given", drawn) == (store.get("fire-safety"), store.get("one-window"))
    assert not (tmp_path / "secrets" / "fire-safety").exists()
    assert 0o600 == stat.S_IMODE((tmp_path / "secrets" / "one-window").stat().st_mode)


@pytest.mark.parametrize("name", ["../data-key", "", "A", "a/b", "."])
def test_a_secret_cannot_be_a_path(tmp_path: Path, name: str) -> None:
    """Names are names: no way out of the folder."""
    with pytest.raises(Misconfigured) as caught:
        SecretStore(tmp_path, {}).get(name)

    assert "secret.name" == caught.value.code


def test_the_data_key_is_drawn_once(tmp_path: Path) -> None:
    """Sixteen bytes, the same at every start."""
    first, second = SecretStore(tmp_path, {}), SecretStore(tmp_path, {})

    assert first.key("data-key") == second.key("data-key")
    assert 16 == len(first.key("data-key"))


def test_references_are_resolved_wherever_they_stand(tmp_path: Path) -> None:
    """Nested settings; plain values and other schemes stay as they are."""
    (tmp_path / "addresses.json").write_text(json.dumps({"fire": "http://127.0.0.1:7/"}))
    addresses = Addresses(tmp_path / "addresses.json", {"SHUNIU_ADDRESS_LIB": "sqlite:///x.db"})
    secrets = SecretStore(tmp_path, {"SHUNIU_SECRET_FIRE": "word"})

    settings = resolved(
        {
            "url": "address://fire/ws",
            "database": "address://lib",
            "keys": ["secret://fire"],
            "wsdl": "site://wsdl/fire.wsdl",
            "plain": "http://elsewhere/",
            "timeout_s": 3,
        },
        addresses,
        secrets,
        Path("/site"),
    )

    assert {
        "url": "http://127.0.0.1:7/ws",
        "database": "sqlite:///x.db",
        "keys": ["word"],
        "wsdl": "/site/wsdl/fire.wsdl",
        "plain": "http://elsewhere/",
        "timeout_s": 3,
    } == settings


def test_a_missing_address_says_where_to_put_it(tmp_path: Path) -> None:
    """The variable's name is in the error."""
    with pytest.raises(Misconfigured) as caught:
        Addresses(tmp_path / "none.json", {}).get("fire-safety")

    assert "SHUNIU_ADDRESS_FIRE_SAFETY" == caught.value.facts["variable"]
