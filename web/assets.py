"""Style sheet, script and icon, served from here under names that carry their content's digest.

Promises   a name never changes its content, so a browser may keep it for ever; no other origin is
           ever asked for anything
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

__all__ = ["Asset", "Assets"]

KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    url: str
    kind: str
    content: bytes


class Assets:
    """The files of *package*'s folder ``assets``, read once."""

    def __init__(self, package: str = "web") -> None:
        self._by_name: dict[str, Asset] = {}
        for file in files(package).joinpath("assets").iterdir():
            stem, dot, suffix = file.name.rpartition(".")
            if (kind := KINDS.get(dot + suffix)) is None:
                continue
            content = file.read_bytes()
            digest = sha256(content).hexdigest()[:12]
            url = f"/assets/{stem}.{digest}.{suffix}"
            self._by_name[file.name] = Asset(url, kind, content)
        self._by_url = {asset.url: asset for asset in self._by_name.values()}

    def url(self, name: str) -> str:
        """Where the file *name* is served."""
        return self._by_name[name].url

    async def serve(self, request: Request) -> Response:
        """The endpoint of all assets; a name of old content is not found."""
        asset = self._by_url.get(request.url.path)
        if asset is None:
            return PlainTextResponse("", 404)
        headers = {"cache-control": FOR_EVER}
        return Response(asset.content, media_type=asset.kind, headers=headers)
