"""The city's integrated platform (市一体化政务服务平台): sends applications, shows citizens what came of them.

Speaks to  the hub's ``/in/integrated-platform/`` ``application``, ``supplement`` and ``rating``; takes
           ``POST /progress /licences /supplements /dispatches``, signed, with ``Idempotency-Key``: 201,
           or 409 for a repeat, ``{"number": …}``; refusals 422 ``{"reason", "item"}``
Form       names are initials of Chinese words; times ``yyyy-MM-dd HH:mm:ss``
Careful    the applicant's reply to a supplement notice comes at the business time that
           `simulators.lifecycle` foresees, so that the authority's course is known beforehand
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from simulators.applications import STAMP, application
from simulators.authority import now_ms
from simulators.chance import chance
from simulators.door import Door
from simulators.exchange_control import control_routes
from simulators.json_form import missing
from simulators.lifecycle import reply_time
from simulators.signing import Doorkeeper
from simulators.store import Content, Store, Told, Wanted
from simulators.surroundings import Surroundings
from simulators.switches import Misbehaving

__all__ = ["IntegratedPlatform"]

REPLY_S, RATING_S = (0.5, 2.0), (0.2, 1.0)
RATED, MOST_AT_ONCE = 0.2, 100_000
GRADES = ("非常满意", "非常满意", "满意", "基本满意", "不满意", "非常不满意")


@dataclass(frozen=True, slots=True)
class _Form:
    """What is delivered under one call. *subject*: the items that say what it is about."""

    needed: Sequence[str]
    subject: Sequence[str]

    def subject_of(self, content: Content) -> str:
        return "/".join(str(content[name]) for name in self.subject)


FORMS: Mapping[str, _Form] = {
    "progress": _Form(("sqbh", "zt", "bbh", "gxsj", "sx"), ("sqbh", "bbh")),
    "licences": _Form(("bjbh", "zzbs", "zzmc", "zzbh", "czr.mc", "fzrq"), ("bjbh", "zzbs")),
    "supplements": _Form(("bjbh", "xh", "gzsj", "yy"), ("bjbh", "xh")),
    "dispatches": _Form(("bjbh", "fs", "zt"), ("bjbh", "zt")),
}


class IntegratedPlatform:
    name = "integrated-platform"
    addresses: Mapping[str, str] = {}

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._doorkeeper = Doorkeeper(surroundings.secrets[self.name])
        inner = Starlette(
            routes=[
                *(Route(f"/{call}", self._taking(call), methods=["POST"]) for call in FORMS),
                Route("/ping", self._ping),
                Route("/_sim/submit", self._submit, methods=["POST"]),
                *control_routes(self),
            ]
        )
        self.app = Misbehaving(
            inner,
            broken=lambda: JSONResponse({"reason": "平台维护中"}, 500),
            refusal=lambda: _refused("抽检不合格", "bjbh"),
            refusable=_is_delivery,
        )

    async def __aenter__(self) -> Self:
        given = self._surroundings
        url = f"sqlite:///{given.folder / self.name}.db"
        self._store = await asyncio.to_thread(Store, url, "YTH")
        self._door = await Door(
            system=self.name,
            hub_url=given.hub_url,
            secret=given.secrets[self.name],
            store=self._store,
            written=_document,
            content_type="application/json",
            switches=lambda: self.app.switches,
        ).__aenter__()
        self._later: set[asyncio.TimerHandle] = set()
        self._counting = asyncio.Lock()
        return self

    async def __aexit__(self, *exc: object) -> None:
        for timer in self._later:
            timer.cancel()
        await self._door.__aexit__(*exc)
        await asyncio.to_thread(self._store.close)

    async def submit(self, count: int) -> list[str]:
        """Let *count* applications come in; gives their numbers, which go on from the last."""
        async with self._counting:
            known = await asyncio.to_thread(self._store.told_of, "application")
            numbers = [f"MS2026{n:07}" for n in range(known + 1, known + count + 1)]
            applications = await asyncio.to_thread(self._made, numbers)
            for told in await asyncio.to_thread(self._store.tell, applications):
                self._door.put(told)
        return numbers

    def _made(self, numbers: Sequence[str]) -> list[Wanted]:
        seed = self._surroundings.seed
        return [
            Wanted(key=n, kind="application", case_no=n, content=application(seed, n))
            for n in numbers
        ]

    # What it takes.

    def _taking(self, call: str) -> Callable[[Request], Any]:
        form = FORMS[call]

        async def take(request: Request) -> Response:
            if why := await self._stranger(request):
                return JSONResponse({"reason": why}, 401)
            content = orjson.loads(await request.body())
            if item := missing(content, form.needed):
                return _refused("必填项缺失", item)
            taken = await asyncio.to_thread(
                self._store.take,
                key=request.headers.get("idempotency-key", ""),
                call=call,
                subject=form.subject_of(content),
                case_no=content.get("bjbh") or content["sqbh"],
            )
            if not taken.repeated:
                await self._answer(call, content)
            return JSONResponse({"number": taken.number}, 409 if taken.repeated else 201)

        return take

    async def _answer(self, call: str, content: Content) -> None:
        """The citizen's part: a supplement notice is answered, some finished cases are rated."""
        rng = chance(self._surroundings.seed, content.get("bjbh", ""), call)
        if call == "supplements":
            await self._tell_later("supplement", self._reply(content), rng.uniform(*REPLY_S))
        elif call == "dispatches" and content["zt"] == "YQS" and rng.random() < RATED:
            rating = {
                "bjbh": content["bjbh"],
                "qd": rng.choice(("APP", "PC", "EWM")),
                "pjsj": content["qssj"],
                "cs": 1,
                "myd": rng.choice(GRADES),
                "xzqh": content["xzqh"],
            }
            await self._tell_later("rating", rating, rng.uniform(*RATING_S))

    def _reply(self, notice: Content) -> dict[str, Any]:
        noticed_at = datetime.strptime(notice["gzsj"], STAMP)  # noqa: DTZ007 - Beijing time
        number, seed = int(notice["xh"]), self._surroundings.seed
        replied_at = reply_time(seed, notice["bjbh"], number, noticed_at)
        named = "、".join(notice.get("cl") or ()) or "所需材料"
        kept = {name: notice[name] for name in ("bjbh", "gzsj", "yy", "xzqh")}
        return {
            **kept,
            "xh": number,
            "hfsj": replied_at.strftime(STAMP),
            "hfnr": f"已按要求补充：{named}",
        }

    async def _tell_later(self, kind: str, content: dict[str, Any], delay_s: float) -> None:
        key = f"{content['bjbh']}/{kind}/{content.get('xh', 1)}"
        wanted = Wanted(key=key, kind=kind, case_no=content["bjbh"], content=content)
        loop = asyncio.get_running_loop()
        for told in await asyncio.to_thread(self._store.tell, [wanted]):
            timer = loop.call_later(delay_s / self._surroundings.speed, self._door.put, told)
            self._later = {each for each in self._later if each.when() > loop.time()} | {timer}

    async def _stranger(self, request: Request) -> str:
        return self._doorkeeper.refusal(
            request.method,
            request.url.path,
            request.url.query,
            request.headers,
            await request.body(),
            now_ms=now_ms(),
        )

    async def _ping(self, request: Request) -> Response:
        why = await self._stranger(request)
        return JSONResponse({"reason": why}, 401) if why else JSONResponse({"ok": True})

    # Control.

    async def _submit(self, request: Request) -> Response:
        given = await request.json()
        count = given.get("cases") if isinstance(given, dict) else None
        if type(count) is not int or not 0 < count <= MOST_AT_ONCE:
            return JSONResponse({"error": f"cases is a number from 1 to {MOST_AT_ONCE}"}, 422)
        began = time.monotonic()
        numbers = await self.submit(count)
        seconds = round(time.monotonic() - began, 3)
        return JSONResponse({"cases": count, "first": numbers[0], "seconds": seconds})

    async def misbehave(self, given: Mapping[str, object], /) -> None:
        self.app.turn(given)

    async def counts(self) -> Mapping[str, int]:
        found = await asyncio.to_thread(self._store.counts)
        return {**found, "cases": await asyncio.to_thread(self._store.told_of, "application")}

    async def holds(self, call: str | None, /) -> list[dict[str, str]]:
        return await asyncio.to_thread(self._store.holds, call)

    async def quiet(self) -> bool:
        return (await self.counts())["waiting"] == 0


def _is_delivery(scope: Scope) -> bool:
    return bool(scope["path"].lstrip("/") in FORMS)


def _document(told: Told) -> bytes:
    return orjson.dumps(told.content)


def _refused(reason: str, item: str) -> Response:
    return JSONResponse({"reason": reason, "item": item}, 422)
