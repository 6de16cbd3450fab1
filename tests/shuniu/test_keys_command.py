"""``shuniu keys``: a private key goes into the secret store, and nowhere else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hub.crypto.sm2 import Sm2PrivateKey, Sm2PublicKey, sign, verify
from tests.commands import shuniu


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHUNIU_HOME", str(tmp_path))
    return tmp_path


def test_a_key_is_drawn_kept_and_shown_by_its_public_part(home: Path) -> None:
    """In both forms, the same again when it is asked for; the file is its owner's alone."""
    made = shuniu("keys", "new", "--sm2", "one-window-sm2", "--json")
    shown = shuniu("keys", "show", "one-window-sm2", "--json")
    told = shuniu("keys", "show", "one-window-sm2")

    file = home / "secrets" / "one-window-sm2"
    private = Sm2PrivateKey.read(file.read_text())
    assert (0, 0, 0) == (made.code, shown.code, told.code)
    assert made.told == shown.told
    assert {"ok": True, "name": "one-window-sm2"}.items() <= made.told.items()
    for text in (made.told["hex"], made.told["pem"]):
        assert verify(Sm2PublicKey.read(text), b"x", sign(private, b"x"))
    assert f"{private.public.hex}\n{private.public.pem}" == told.out
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    for done in (made, shown, told):
        assert private.hex not in done.out + done.err
        assert "PRIVATE" not in done.out + done.err


def test_a_key_is_never_drawn_over(home: Path) -> None:
    """What is signed with it already could not be verified any more."""
    shuniu("keys", "new", "--sm2", "k")
    kept = (home / "secrets" / "k").read_text()

    again = shuniu("keys", "new", "--sm2", "k", "--json")

    assert (78, "secret.there") == (again.code, again.told["errors"][0]["code"])
    assert kept == (home / "secrets" / "k").read_text()


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        (("new", "k"), 65, "keys.kind"),
        (("new", "--sm2", "../k"), 78, "secret.name"),
        (("show", "k"), 78, "secret.missing"),
        (("show", "word"), 78, "crypto.sm2-key"),
    ],
)
def test_what_cannot_be_done_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], exit_code: int, code: str
) -> None:
    """And what is no key is not printed."""
    monkeypatch.setenv("SHUNIU_SECRET_WORD", "open-sesame")

    done = shuniu("keys", *words, "--json")

    assert (exit_code, code) == (done.code, done.told["errors"][0]["code"])
    assert "open-sesame" not in done.out + done.err
