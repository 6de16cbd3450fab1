"""Which language a reader gets: the one chosen (cookie), else the browser's, else Chinese."""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request

__all__ = ["COOKIE", "LANGUAGES", "Lang", "language_of", "preferred"]

Lang = Literal["zh", "en"]
LANGUAGES: tuple[Lang, ...] = ("zh", "en")
COOKIE = "shuniu_lang"


def language_of(request: Request) -> Lang:
    """The language of the answer to *request*."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    return preferred(request.headers.get("accept-language", ""))


def preferred(accepted: str) -> Lang:
    """
    Read an ``Accept-Language`` header (RFC 9110, 12.5.4).

    The heaviest of ours wins, the first of equals; what cannot be read weighs nothing.
    """
    best: Lang = "zh"
    weight = 0.0
    for part in accepted[:500].split(","):
        tag, _, rest = part.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        quality = _quality(rest)
        if primary in LANGUAGES and quality > weight:
            best, weight = primary, quality
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if not parameters.strip():
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
