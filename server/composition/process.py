"""The composition root: from settings and a role to a process that serves until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version

import structlog
from aiohttp import web

from channels.live import Live
from server.composition.backends import Stores, open_stores
from server.composition.brokers import open_local, open_relaying
from server.composition.embedded import engines
from server.composition.roles import API, EVERYTHING, JANITOR, LIVE, RELAY, require_backends, services_of
from server.composition.schemes import is_local
from server.composition.services import api_app, janitor_of, live_app, live_layer, policy_of, worker_context
from server.config.section import from_sections
from server.config.settings import Settings
from server.demo.community import Demo
from server.identity.passwords import Passwords
from server.operation.backlog import Backlog
from server.operation.banner import starting, welcome
from server.operation.event_loop import Collector
from server.operation.health import Check, Health, add_health_routes
from server.operation.lifecycle import Node, Run, ShutdownOptions, run_node
from server.operation.listening import bound
from server.operation.logs import log_task_failures
from server.operation.metrics import LoopWatch, Metrics
from storage.errors import StorageError
from storage.postgres import migrate
from workers.broker.port import Broker
from workers.broker.relay import Relay
from workers.jobs.context import open_handlers
from workers.registry import WORKERS
from workers.worker import Worker

log = structlog.get_logger(__name__)


async def run_role(role: str, settings: Settings, *, with_demo: bool = False) -> None:
    """Run what a role stands for until a signal comes.

    Raises `ConfigError`, `StartError`, `EngineError`, `SchemaError` or `UnavailableError` when it cannot start.
    """
    require_backends(role, settings)
    _raise_file_limit()
    log_task_failures(asyncio.get_running_loop())
    async with AsyncExitStack() as stack:
        sockets = _sockets(role, settings, stack)
        if role == EVERYTHING:
            starting(settings.data.dir)
            settings = settings.with_values("server", port=sockets[0].getsockname()[1])
            settings = await stack.enter_async_context(engines(settings, {"url": settings.public_url}))
            await migrate.migrate(settings.database.url)
        process = Process(settings, await stack.enter_async_context(open_stores(settings)), stack)
        await migrate.check(process.stores.db)
        await process.add(services_of(role, settings))
        leaving = from_sections(ShutdownOptions, settings.server)
        # What stands now stays: the collector need not look at it again and again.
        gc.freeze()
        started = partial(process.introduce, with_demo=with_demo) if role == EVERYTHING else process.tell
        await run_node(process.node(), sockets, leaving, started=started)


class Process:
    """One process in the making: services are added, then `node` is what runs."""

    def __init__(self, settings: Settings, stores: Stores, stack: AsyncExitStack) -> None:
        self.stores = stores
        self._settings = settings
        self._stack = stack
        self._metrics = Metrics(version("picshare"))
        self._passwords = Passwords(threads=settings.auth.hash_concurrency)
        stack.callback(self._passwords.close)
        self._app = web.Application()
        self._drain: Run | None = None
        self._runs: dict[str, Run] = {"loop watch": LoopWatch(self._metrics.registry).run}
        self._checks: dict[str, Check] = {
            "database": lambda: stores.db.fetchval("SELECT 1"),
            "redis": stores.redis.ping,
        }

    async def add(self, services: frozenset[str]) -> None:
        """Build the services and what they need."""
        self._add_edge(services)
        if services - {API, LIVE, JANITOR}:
            await self._add_workers(services)
        if JANITOR in services:
            self._runs["janitor"] = janitor_of(self._settings, self.stores).run

    def node(self) -> Node:
        """Return what was built, with its health routes."""
        health = Health(self._checks)
        add_health_routes(self._app, health, self._metrics)
        return Node(health=health, services=self._runs, app=self._app, drain=self._drain)

    async def introduce(self, *, with_demo: bool) -> None:
        """Bring the demonstration community where it is wanted, then print where the service is."""
        demo, available = Demo(self.stores.db, self.stores.blobs, self._passwords), False
        try:
            if with_demo:
                await demo.run()
            available = await demo.available()
        except StorageError as error:
            # The service stands without it, and the next start takes it up.
            log.warning("demo_unfinished", error=str(error))
        welcome(self._settings.public_url, demo=available)

    async def tell(self) -> None:
        """Log that the process works."""
        log.info("started", services=sorted(self._runs))

    def _add_edge(self, services: frozenset[str]) -> None:
        live = None
        if LIVE in services:
            live = live_layer(self._settings, self.stores, self._metrics)
            self._runs["live"], self._drain = live.run, live.close
            self._runs["collector"] = Collector(self._metrics.registry).run
            self._checks["live"] = partial(_require_ready, live)
            self._app = live_app(self._settings, live, self._metrics)
        if API in services:
            self._app = api_app(self._settings, self.stores, live, self._metrics, self._passwords)

    async def _add_workers(self, services: frozenset[str]) -> None:
        settings, workers = self._settings, [spec for spec in WORKERS if spec.name in services]
        broker: Broker
        if is_local(settings):
            at_once = sum(settings.worker.concurrency(spec.name) for spec in workers)
            broker = await self._stack.enter_async_context(open_local(settings, at_once))
        else:
            relaying = await self._stack.enter_async_context(open_relaying(settings))
            if RELAY in services:
                self._runs["relay"] = Relay(self.stores.db, relaying).run
            self._checks["broker"] = relaying.depths
            broker = relaying
        for spec in workers:
            context = worker_context(spec.name, settings, self.stores, self._metrics)
            handlers = await self._stack.enter_async_context(open_handlers(spec, context))
            worker = Worker(broker, spec.name, handlers, policy_of(spec.name, settings), self._metrics)
            self._runs[spec.name] = worker.run
        if is_local(settings) or RELAY in services:
            self._runs["backlog"] = Backlog(self.stores.db, broker, self._metrics).run


async def _require_ready(live: Live) -> None:
    if not live.ready:
        raise ConnectionError("the live layer does not hear its channels")


def _sockets(role: str, settings: Settings, stack: AsyncExitStack) -> list[socket.socket]:
    """Take the ports of a role: the service's, or a worker's for its health where one is set."""
    if role in {EVERYTHING, API, LIVE}:
        return stack.enter_context(bound(settings.server.host, settings.server.port))
    section = settings.worker
    if section.health_port is None:
        return []
    return stack.enter_context(bound(section.health_host, section.health_port, key="worker.health_port"))


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets us: each live connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1_048_576
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError) as error:
            log.info("file_limit_kept", soft=soft, hard=hard, error=str(error))
