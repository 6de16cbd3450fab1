"""``shuniu keys``: keys of the hub's own, drawn into the secret store; what is shown is their public part.

Careful    no command prints a private key
"""

from __future__ import annotations

from typing import Annotated

import typer

from hub.crypto.sm2 import Sm2PrivateKey, Sm2PublicKey, new_key
from schemas.errors import Rejected
from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import guarded, print_json
from shuniu.instance import Instance
from shuniu.secret_store import SecretStore

__all__ = ["app", "new", "show"]

app = typer.Typer(help="Keys of the hub's own.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="What secret://NAME refers to.")]


@app.callback()
def _group() -> None:
    """Keys of the hub's own."""


@app.command("new")
def new(
    name: Name,
    *,
    sm2: Annotated[bool, typer.Option("--sm2", help="To sign by SM2.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw a key, keep it under NAME, print its public part for the partner."""
    settings = settings_for()
    store = Instance.of(settings).secrets
    public = guarded(lambda: _drawn(store, name, sm2=sm2), as_json=as_json, lang=settings.lang)
    _print(name, public, as_json=as_json)


@app.command("show")
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Print the public part of the key NAME."""
    settings = settings_for()
    store = Instance.of(settings).secrets
    private = guarded(
        lambda: Sm2PrivateKey.read(store.get(name)), as_json=as_json, lang=settings.lang
    )
    _print(name, private.public, as_json=as_json)


def _drawn(store: SecretStore, name: str, *, sm2: bool) -> Sm2PublicKey:
    if not sm2:
        raise Rejected("keys.kind", "The kind of key is not told")
    private = new_key()
    store.keep_new(name, private.hex)
    return private.public


def _print(name: str, public: Sm2PublicKey, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "name": name, "hex": public.hex, "pem": public.pem})
    else:
        print(f"{public.hex}\n{public.pem}", end="")
