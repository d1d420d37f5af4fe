"""The server of `bench.feed`: the API as in production, and a bare handler that returns the same bytes."""

from __future__ import annotations

import asyncio
import gc
import json
import sys

import uvloop
from aiohttp import ClientSession, web

from bench.feed_community import ONE_AUTHOR, community
from server.composition.backends import open_stores
from server.composition.services import build_api_app
from server.composition.signing import secret_bytes
from server.config.loading import load_settings
from server.config.settings import Settings
from server.identity.passwords import Passwords
from server.identity.tokens import AccessTokens
from server.operation.logs import set_up_logs
from server.operation.metrics import Metrics
from storage.models import Role

MEMORY = "/bench/memory"
TOKEN_SECONDS = 3600


async def serve(memory_port: int) -> None:
    """Serve both until terminated; print the access tokens of the viewers as JSON when ready."""
    settings = load_settings(None)
    set_up_logs(settings.log)
    async with open_stores(settings) as stores:
        viewers = await community(stores)
        issuer = AccessTokens(secret_bytes(settings), ttl=TOKEN_SECONDS)
        tokens = {
            name: issuer.issue(user_id=viewer.user_id, session=viewer.session, role=Role.USER)
            for name, viewer in viewers.items()
        }
        passwords = Passwords(threads=1)
        app = build_api_app(settings, stores, None, Metrics("bench"), passwords)
        memory = Memory()
        app.router.add_get(MEMORY, memory.handle)
        await _listen(app, settings.server.port)
        memory.body = await _page(settings, tokens[ONE_AUTHOR])
        bare = web.Application()
        bare.router.add_get(MEMORY, memory.handle)
        await _listen(bare, memory_port)
        gc.freeze()  # as the service does when it peers_running
        print(json.dumps(tokens), flush=True)
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


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
