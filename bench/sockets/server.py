"""The server under test: the live layer on its production path, and a route that reports the process's state.

`python -m bench.sockets.server memory PORT` runs `Live` with its ports in memory and needs only Redis;
`… full PORT` is composed like `picshare serve --role live`, on the backends that the environment names.
"""

from __future__ import annotations

import argparse
import gc
from contextlib import AsyncExitStack

import orjson
import uvloop
from aiohttp import web

from bench.sockets.machine.stalls import CollectionWatch, StallWatch
from channels.contract.ports import Ports
from channels.contract.settings import LiveSettings
from channels.live import Live, build_live
from server.composition.backends import open_stores
from server.composition.services import build_live_app, build_live_layer
from server.config.loading import load_settings
from server.config.section import from_sections
from server.config.settings import Settings
from server.live.routes import WEBSOCKET
from server.operation.event_loop import GarbageCollector
from server.operation.health import Health, add_health_routes
from server.operation.lifecycle import Node, ShutdownOptions, run_node
from server.operation.listening import bound
from server.operation.logs import set_up_logs
from server.operation.metrics import Metrics
from storage.ids import slot_group
from storage.redis.client import open_redis
from tests.support.fake_ports import FakeAuthenticator, FakeAuthorizer, FakeOperations, FakePresences, MemoryStreams

STATE = "/bench/state"
UNLIMITED = 1_000_000  # connections from one address: the clients share a few addresses


async def serve(kind: str, port: int) -> None:
    """Serve until terminated."""
    settings = load_settings(None).with_values("live", connections_per_address=UNLIMITED)
    set_up_logs(settings.log)
    metrics = Metrics("bench")
    async with AsyncExitStack() as stack:
        sockets = stack.enter_context(bound("127.0.0.1", port))
        if kind == "memory":
            live = _live_in_memory(settings, metrics, stack)
            app = web.Application()
            app.router.add_get(WEBSOCKET, live.handle)
        else:
            stores = await stack.enter_async_context(open_stores(settings))
            live = build_live_layer(settings, stores, metrics)
            app = build_live_app(settings, stores, live, metrics)
        watch, collections = StallWatch(), CollectionWatch()
        collections.attach()
        app.router.add_get(STATE, _State(live, watch, collections).handle)
        health = Health({"live": lambda: _require_ready(live)})
        add_health_routes(app, health, metrics)
        gc.freeze()  # as in production
        services = {"live": live.run, "stall watch": watch.run, "collector": GarbageCollector(metrics.registry).run}
        shutdown = from_sections(ShutdownOptions, settings.server)
        await run_node(Node(health=health, services=services, app=app, drain=live.close), sockets, shutdown)


class _State:
    """Handler that returns the number of connections, and the longest stall and garbage collection, in seconds."""

    def __init__(self, live: Live, watch: StallWatch, collections: CollectionWatch) -> None:
        self._live = live
        self._watch = watch
        self._collections = collections

    async def handle(self, _request: web.Request) -> web.Response:
        """Respond to any request."""
        state = {
            "connections": self._live.connections,
            "stall": self._watch.longest,
            "collection": self._collections.longest,
        }
        return web.Response(body=orjson.dumps(state), content_type="application/json")


def _live_in_memory(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> Live:
    redis = open_redis(settings.redis.url)
    stack.push_async_callback(redis.aclose)
    ports = Ports(
        authenticator=FakeAuthenticator(),
        streams=MemoryStreams(),
        authorizer=FakeAuthorizer(),
        presences=FakePresences(),
        operations=FakeOperations(),
    )
    return build_live(redis, ports, slot_group, from_sections(LiveSettings, settings.live), metrics=metrics)


async def _require_ready(live: Live) -> None:
    if not live.ready:
        raise ConnectionError("the live layer is not subscribed to its channels")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.sockets.server")
    parser.add_argument("kind", choices=["memory", "full"])
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    uvloop.run(serve(options.kind, options.port))
