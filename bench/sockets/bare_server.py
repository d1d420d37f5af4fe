"""The yardstick for connects and for the storm: a bare aiohttp WebSocket handler that verifies the same access token.

`python -m bench.sockets.bare_server PORT` reads the secret from the environment as the service does. There are no
limits, no registration in Redis, no streams and no metrics; uvloop and the frozen garbage collector are as in
production. A message for some of the connected comes in by a POST to `PUBLISH`.
"""

from __future__ import annotations

import gc
import sys

import orjson
import uvloop
from aiohttp import web

from bench.sockets.server import STATE
from server.composition.signing import secret_bytes
from server.config.loading import load_settings
from server.identity.tokens import AccessTokens
from server.live.routes import WEBSOCKET

PUBLISH = "/bench/publish"


class BareServer:
    """Accept WebSockets, verify the token of the first command, answer it, and then keep the connection open."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens
        self._connections: dict[int, web.WebSocketResponse] = {}

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until the client ends it; an invalid token closes it."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        command = orjson.loads(await socket.receive_str())
        claims = self._tokens.verify(command["connect"]["token"])
        reply = {"id": command["id"], "connect": {"client": str(claims.user_id), "subs": {}}}
        await socket.send_str(orjson.dumps(reply).decode())
        self._connections[claims.user_id] = socket
        try:
            async for _ in socket:
                pass
        finally:
            # A user who has reconnected already has a newer entry, which must stay.
            if self._connections.get(claims.user_id) is socket:
                del self._connections[claims.user_id]
        return socket

    async def publish(self, request: web.Request) -> web.Response:
        """Send a text to some users, and return how many of them are connected."""
        message = orjson.loads(await request.read())
        sockets = [self._connections[user] for user in message["users"] if user in self._connections]
        for socket in sockets:
            await socket.send_str(message["text"])
        return web.Response(text=str(len(sockets)))

    async def state(self, _request: web.Request) -> web.Response:
        """Return the number of connections as `bench.sockets.server` does."""
        state = {"connections": len(self._connections), "stall": 0.0, "collection": 0.0}
        return web.Response(body=orjson.dumps(state), content_type="application/json")


def app_of(tokens: AccessTokens) -> web.Application:
    """Return the application, with a readiness route as the service has it."""
    server = BareServer(tokens)
    app = web.Application()
    app.router.add_get(WEBSOCKET, server.connect)
    app.router.add_get(STATE, server.state)
    app.router.add_post(PUBLISH, server.publish)
    app.router.add_get("/readyz", server.state)
    return app


if __name__ == "__main__":
    application = app_of(AccessTokens(secret_bytes(load_settings(None)), ttl=900))
    gc.freeze()
    web.run_app(
        application,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop=uvloop.new_event_loop(),
        access_log=None,
        print=None,
        backlog=1024,
    )
