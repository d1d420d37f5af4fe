"""The server of `bench.feed`: the API as in production, and a bare handler that returns the same bytes."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Mapping

import uvloop
from aiohttp import ClientSession, web
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from bench.feed_community import ONE_AUTHOR, community
from server.composition.backends import open_stores
from server.composition.services import build_api_app
from server.composition.signing import secret_bytes
from server.config.loading import load_settings
from server.config.settings import Settings
from server.identity.passwords import Passwords
from server.identity.tokens import AccessTokens
from server.operation.event_loop import THRESHOLDS
from server.operation.logs import set_up_logs
from server.operation.metrics import Metrics
from server.operation.tracing import SdkTracing
from storage.models import Role

MEMORY = "/bench/memory"
TOKEN_SECONDS = 3600


async def serve(memory_port: int, traced: Mapping[str, float]) -> None:
    """Serve both until terminated; print the access tokens of the viewers as JSON when ready.

    On each port of `traced` the API is served with traces of this share of its requests.
    """
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
        for port, ratio in traced.items():
            exporter = OTLPSpanExporter(endpoint="http://127.0.0.1:9/v1/traces", timeout=1)
            tracing = SdkTracing(exporter, ratio=ratio, service="bench")
            apart = build_api_app(settings, stores, None, Metrics("bench"), passwords, tracing=tracing)
            await _listen(apart, int(port))
        memory = Memory()
        app.router.add_get(MEMORY, memory.handle)
        await _listen(app, settings.server.port)
        memory.body = await _page(settings, tokens[ONE_AUTHOR])
        bare = web.Application()
        bare.router.add_get(MEMORY, memory.handle)
        await _listen(bare, memory_port)
        gc.freeze()  # as the service does, and with its thresholds
        gc.set_threshold(*THRESHOLDS)
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
    uvloop.run(serve(int(sys.argv[1]), json.loads(sys.argv[2])))
