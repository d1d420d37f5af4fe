"""The challenge http-01 (RFC 8555, section 8.3): texts that the authority reads at a well-known path by plain HTTP.

They are files, so that any process that shares the directory can answer, whichever ordered the certificate.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from aiohttp import web

PATH = "/.well-known/acme-challenge/"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")


class Challenges:
    """Texts of challenges by their tokens, in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, token: str, text: str) -> None:
        """Keep the text of a token; raise `ValueError` if it is no token."""
        if not _TOKEN.fullmatch(token):
            raise ValueError(f"{token!r} is no token of a challenge")
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / token).write_text(text)

    def get(self, token: str) -> str | None:
        """Return the text of a token, or None."""
        if not _TOKEN.fullmatch(token):
            return None
        try:
            return (self._directory / token).read_text()
        except OSError:
            return None

    def remove(self, token: str) -> None:
        """Forget a token."""
        (self._directory / token).unlink(missing_ok=True)


def plain_app(challenges: Challenges, public_url: str) -> web.Application:
    """Return the application of plain HTTP: it answers challenges, and redirects everything else to `public_url`."""

    async def challenge(request: web.Request) -> web.Response:
        text = await asyncio.to_thread(challenges.get, request.match_info["token"])
        if text is None:
            raise web.HTTPNotFound
        return web.Response(text=text, headers={"Cache-Control": "no-store"})

    async def redirect(request: web.Request) -> web.Response:
        # 308 keeps the method. The host of the request is not used, because any client can choose it.
        return web.Response(status=308, headers={"Location": public_url + request.raw_path})

    app = web.Application()
    app.router.add_get(PATH + "{token}", challenge)
    app.router.add_route("*", "/{path:.*}", redirect)
    return app
