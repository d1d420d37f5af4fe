"""The server of `bench.feed`: the API as in production, and a bare handler that returns the same bytes."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Any

import uvloop
from aiohttp import ClientSession, web

from server.composition.backends import Stores, open_stores
from server.composition.services import build_api_app, secret_bytes
from server.config.loading import load_settings
from server.config.settings import Settings
from server.identity.passwords import Passwords
from server.identity.tokens import AccessTokens
from server.operation.logs import set_up_logs
from server.operation.metrics import Metrics
from storage.models import Role, User
from storage.stores import follows, photo_processing, photos, sessions, users

MEMORY = "/bench/memory"
PHOTOS = 60
PLACEHOLDER = "1QcSHQRnh493V4dIh4eXh1h4kJUI"
WORDS: dict[str, Any] = {
    "caption": "Evening light over the temple, just after the rain",
    "alt_text": "A temple",
    "location": "Kyoto",
}


async def serve(memory_port: int) -> None:
    """Serve both until terminated; print the access token when ready."""
    settings = load_settings(None)
    set_up_logs(settings.log)
    async with open_stores(settings) as stores:
        viewer, session = await _community(stores)
        token = AccessTokens(secret_bytes(settings), ttl=900).issue(user_id=viewer.id, session=session, role=Role.USER)
        passwords = Passwords(threads=1)
        app = build_api_app(settings, stores, None, Metrics("bench"), passwords)
        memory = Memory()
        app.router.add_get(MEMORY, memory.handle)
        await _listen(app, settings.server.port)
        memory.body = await _page(settings, token)
        bare = web.Application()
        bare.router.add_get(MEMORY, memory.handle)
        await _listen(bare, memory_port)
        gc.freeze()  # as the service does when it peers_running
        print(token, flush=True)
        await asyncio.Event().wait()


class Memory:
    """Handler that responds with bytes from memory."""

    def __init__(self) -> None:
        self.body = b""

    async def handle(self, _request: web.Request) -> web.Response:
        """Respond to any request."""
        return web.Response(body=self.body, content_type="application/json")


async def _listen(app: web.Application, port: int) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()


async def _page(settings: Settings, token: str) -> bytes:
    address = f"http://127.0.0.1:{settings.server.port}/api/v1/feed?limit=20"
    async with ClientSession(headers={"Authorization": f"Bearer {token}"}) as client, client.get(address) as response:
        assert response.status == 200, await response.text()
        return await response.read()


async def _community(stores: Stores) -> tuple[User, str]:
    """Create an author of many photos, and a viewer as its follower; return the viewer and a session."""
    async with stores.db.transaction() as tx:
        accounts = [
            await users.create(
                tx, username=name, email=f"{name}@picshare.example", password_hash="", display_name=name.title()
            )
            for name in ("viewer", "author")
        ]
        viewer, author = accounts
        session = await sessions.open(tx, viewer.id, token_sha256=b"x" * 32, expires_at=author.created_at)
        await follows.follow(tx, viewer.id, author.id)
        for number in range(PHOTOS):
            photo = await photos.create(
                tx,
                author_id=author.id,
                sha256=f"{number:064x}",
                content_type="image/jpeg",
                bytes=3_000_000,
                width=4000,
                height=3000,
                tags=["kyoto", "rain"],
                **WORDS,
            )
            await photo_processing.mark_ready(
                tx, photo.id, width=4000, height=3000, placeholder="1QcSHQRnh493V4dIh4eXh1h4kJUI", exif={}
            )
    return viewer, session


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
