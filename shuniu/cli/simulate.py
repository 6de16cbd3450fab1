"""``shuniu simulate``: the partner systems of the reference site, on real sockets."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from shuniu.cli.options import AsJson, settings_for
from shuniu.cli.output import guarded, print_json, print_table
from shuniu.cli.run import until_stopped
from shuniu.instance import Instance
from shuniu.settings import Settings
from simulators.run import run as run_simulators

__all__ = ["simulate"]


def simulate(
    *,
    seed: Annotated[int, typer.Option(help="The same seed makes the same cases.")] = 1,
    speed: Annotated[float, typer.Option(help="How fast partners answer; 1 is calm.")] = 1.0,
    watched: Annotated[bool, typer.Option("--watched", hidden=True)] = False,
    as_json: AsJson = False,
) -> None:
    settings = settings_for()
    guarded(
        lambda: asyncio.run(_simulate(settings, seed, speed, watched=watched, as_json=as_json)),
        as_json=as_json,
        lang=settings.lang,
    )


async def _simulate(
    settings: Settings, seed: int, speed: float, *, watched: bool, as_json: bool
) -> None:
    instance = Instance.of(settings)
    systems = instance.plan().declarations.systems
    instance.secrets.make_missing(systems)
    secrets = {name: instance.secrets.get(name) for name in systems}
    hub_url = f"http://{settings.host}:{settings.port}"

    async def work() -> None:
        async with run_simulators(
            settings.home, hub_url, secrets, seed=seed, speed=speed
        ) as simulators:
            if as_json:
                print_json({"ok": True, "addresses": dict(simulators.addresses)})
            elif not watched:
                print_table(("system", "address"), list(simulators.addresses.items()))
            await asyncio.Event().wait()

    await until_stopped(asyncio.create_task(work()), watched=watched)
