"""Until people sign in: a reader chooses who he is among those whom the site declares.

Careful    no proof of anybody's identity; the console listens on this machine only. Sign-in replaces
           `ChosenActor` by its own `catalog.pages.ports.Actors`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from catalog.lifecycle.people import Actor
from web.shell import form_of

__all__ = ["COOKIE", "ChosenActor", "choose"]

COOKIE = "shuniu_actor"
NOBODY = Actor("", "", frozenset())


@dataclass(frozen=True, slots=True)
class ChosenActor:
    """The chosen one of *choices*; nobody, who may look at all and do nothing, until one is."""

    choices: Sequence[Actor]

    def of(self, request: Request) -> Actor:
        name = unquote(request.cookies.get(COOKIE, ""))
        return next((each for each in self.choices if each.name == name), NOBODY)


async def choose(request: Request) -> Response:
    """Keep the choice, and go back to where it was made."""
    form = form_of(request)
    back = form.get("back", ["/catalogue"])[0]
    if not back.startswith("/") or back.startswith(("//", "/\\")):
        back = "/catalogue"
    answer = RedirectResponse(back, 303)
    name = quote(form.get("name", [""])[0][:64])
    answer.set_cookie(COOKIE, name, httponly=True, samesite="strict")
    return answer
