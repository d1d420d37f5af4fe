"""The composition root: from settings and a role to a process that serves until it is stopped."""

from __future__ import annotations

import asyncio
import gc
import resource
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from importlib.metadata import version

import structlog
from aiohttp import web

from channels.contract.tracing import Tracing
from channels.live import Live
from server.api.services import no_limit
from server.composition.actions import build_demo
from server.composition.backends import Stores, open_local_broker, open_relayed_broker, open_stores
from server.composition.banner import print_banner, print_starting
from server.composition.certificates import TlsParts, build_tls, require_certificates
from server.composition.embedded import disk_space, running_engines
from server.composition.listeners import sockets_of
from server.composition.roles import (
    API,
    EVERYTHING,
    JANITOR,
    LIVE,
    RELAY,
    WORKER_ROLES,
    is_local,
    methods_of,
    only_reads,
    require_backends,
    services_of,
)
from server.composition.services import build_api_app, build_live_app, build_live_layer
from server.composition.tracing import open_tracing
from server.composition.wake_ups import relay_signal
from server.composition.workers import build_janitor, worker_context, worker_policy
from server.config.section import from_sections
from server.config.settings import Settings
from server.edge.methods import Methods
from server.edge.protocol import HttpProtocol
from server.identity.passwords import Passwords, PasswordSettings
from server.operation.backlog import Backlog
from server.operation.backup_metrics import expose_last_backup
from server.operation.dependencies import DependencyWatch
from server.operation.event_loop import GarbageCollector, LoopWatch
from server.operation.health import Check, Health, add_health_routes
from server.operation.lifecycle import Node, Run, ShutdownOptions, run_node
from server.operation.logs import log_task_failures
from server.operation.metrics import Metrics
from server.operation.process_link import Inherited, ParentLink
from storage.blobs.port import check_answers
from storage.embedded.disk_space import DiskSpace
from storage.embedded.supervisor import EngineWatch
from storage.errors import StorageError
from storage.postgres import migrate
from storage.redis.client import check_writable
from workers.broker.port import Broker
from workers.broker.relay import Relay
from workers.jobs.context import open_handlers
from workers.registry import WORKERS, WorkerSpec
from workers.worker import Worker

log = structlog.get_logger(__name__)


async def run_role(
    role: str, settings: Settings, *, with_demo: bool = False, inherited: Inherited | None = None
) -> None:
    """Run the services of a role until a signal arrives; `inherited` is what a parent has given to a serving process.

    Raises `ConfigError`, `StartError`, `EngineError`, `SchemaError` or `UnavailableError` if it cannot start, and
    `EngineLostError` if an embedded engine cannot be kept running.
    """
    require_backends(role, settings)
    require_certificates(settings)
    _raise_file_limit()
    log_task_failures(asyncio.get_running_loop())
    async with AsyncExitStack() as stack:
        # The port comes first: a port in use must not cost the start of engines.
        sockets, plain_sockets = sockets_of(role, settings, stack, inherited)
        engines, require_space = EngineWatch(), no_limit
        if role == EVERYTHING:
            print_starting(settings.data.dir)
            settings = settings.with_values("server", port=sockets[0].getsockname()[1])
            facts = {"url": settings.public_url}
            space = disk_space(settings)
            settings = await stack.enter_async_context(running_engines(settings, facts, watch=engines, space=space))
            require_space = space.require
            await migrate.migrate(settings.database.session_url)
        metrics = Metrics(version("picshare"))
        if role == EVERYTHING:
            expose_last_backup(metrics.registry, settings.data.dir.absolute())
        parent = await _linked(inherited, metrics, stack)
        stores = await stack.enter_async_context(open_stores(settings, metrics))
        tracing = await stack.enter_async_context(open_tracing(settings))
        builder = ProcessBuilder(
            settings, stores, metrics, stack, require_space=require_space, parent=parent, tracing=tracing
        )
        if role == EVERYTHING:
            builder.watch(engines, space)
        await migrate.check(stores.db)
        await builder.add(services_of(role, settings), methods=methods_of(role))
        if role not in WORKER_ROLES:
            builder.add_tls()
        # Everything built so far lives as long as the process, so the garbage collector need not traverse it again.
        gc.freeze()
        started = partial(builder.welcome, with_demo=with_demo) if role == EVERYTHING else builder.log_started
        await run_node(
            builder.node(),
            sockets,
            from_sections(ShutdownOptions, settings.server),
            plain_sockets=plain_sockets,
            started=started,
        )


class ProcessBuilder:
    """Builder of one process: `add` the services, then run the `node`.

    What a service holds is closed by `stack`, last opened first. `require_space` raises `FullError` while there is no
    space for anything new. `parent` is that of a serving process.
    """

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        metrics: Metrics,
        stack: AsyncExitStack,
        *,
        require_space: Callable[[], None] = no_limit,
        parent: ParentLink | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing = tracing
        self._settings = settings
        self._stores = stores
        self._metrics = metrics
        self._stack = stack
        self._require_space = require_space
        self._parent = parent
        self._tls: TlsParts | None = None
        self._passwords = Passwords.of(from_sections(PasswordSettings, settings.auth))
        stack.callback(self._passwords.close)
        self._app = web.Application()
        self._drain: Run | None = None
        self._space: DiskSpace | None = None
        self._serves_api = False
        self._runs: dict[str, Run] = {"loop watch": LoopWatch(self._metrics.registry).run}
        self._checks: dict[str, Check] = {
            "database": stores.db.check_writable,
            "redis": partial(check_writable, stores.redis),
        }

    async def add(self, services: frozenset[str], *, methods: Methods = Methods.ALL) -> None:
        """Build services, by name, and everything that they need; the API accepts `methods`."""
        live = self._add_live() if LIVE in services else None
        if API in services:
            self._serves_api = True
            self._app = build_api_app(
                self._settings,
                self._stores,
                live,
                self._metrics,
                self._passwords,
                methods=methods,
                require_space=self._require_space,
                tracing=self._tracing,
            )
        workers = [spec for spec in WORKERS if spec.name in services]
        if workers or RELAY in services:
            await self._add_broker(workers, relay=RELAY in services)
        if self._stores.replicas is not None and services & {API, LIVE}:
            self._runs["replicas"] = self._stores.replicas.run
        if JANITOR in services:
            self._runs["janitor"] = build_janitor(self._settings, self._stores, self._metrics).run

    def add_tls(self) -> None:
        """Let the service use TLS, if the settings name a certificate or domains; raise `CertificateError`."""
        self._tls = build_tls(self._settings, self._metrics)
        if self._tls is not None:
            self._runs.update(self._tls.services)

    def watch(self, engines: EngineWatch, space: DiskSpace) -> None:
        """End the process when an embedded engine cannot be kept running; measure the data directory's disk."""
        self._runs["engines"] = engines.run
        self._space = space

    def node(self) -> Node:
        """Return what was built, with the health routes."""
        health = self._health()
        add_health_routes(self._app, health, self._metrics, self._parent)
        self._runs["dependencies"] = DependencyWatch(health, self._metrics, space=self._space).run
        secure = self._settings.public_url.startswith("https://")
        protocol = partial(HttpProtocol, secure=secure, draining=lambda: health.draining)
        node = Node(health=health, services=self._runs, app=self._app, drain=self._drain, protocol=protocol)
        if self._parent is not None:
            # The parent passes SIGHUP on to all, and by default it would end the process. The queue of connections
            # belongs to all processes: the one that is woken first must not take eight of them at once.
            node = replace(node, reload=_nothing, accepts_at_once=1)
        if self._tls is None:
            return node
        certificate = self._tls.certificate
        return replace(node, tls=lambda: certificate.context, plain=self._tls.plain, reload=certificate.reload)

    def _health(self) -> Health:
        blobs: dict[str, Check] = {"blobs": partial(check_answers, self._stores.blobs)}
        if not self._serves_api:
            return Health(self._checks, degrading=blobs)
        if only_reads(self._settings) and self._stores.replicas is not None:
            checks = {"database": self._checks["database"], "replica": self._stores.replicas.require_one, **blobs}
            return Health({}, degrading=checks, one_of=("database", "replica"))
        # With either of them pages are answered, if not all of them; see the degraded modes in docs/operation.md.
        return Health({}, degrading={**self._checks, **blobs}, one_of=("database", "redis"))

    async def welcome(self, *, with_demo: bool) -> None:
        """Create the demonstration community if it is wanted, then print the URL of the service."""
        demo, available = build_demo(self._stores, self._passwords), False
        try:
            if with_demo:
                await demo.run()
            available = await demo.available()
        except StorageError as error:
            # The service works without it, and the next start completes it.
            log.warning("demo_unfinished", error=str(error))
        print_banner(self._settings.public_url, demo=available)

    async def log_started(self) -> None:
        """Log that the process is ready, and report it to the parent."""
        log.info("started", services=sorted(self._runs))
        if self._parent is not None:
            await self._parent.started()

    def _add_live(self) -> Live:
        live = build_live_layer(
            self._settings, self._stores, self._metrics, require_space=self._require_space, tracing=self._tracing
        )
        self._runs["live"], self._drain = live.run, live.close
        self._runs["garbage collector"] = GarbageCollector(self._metrics.registry).run
        self._checks["live"] = partial(_require_ready, live)
        self._app = build_live_app(self._settings, self._stores, live, self._metrics)
        return live

    async def _add_broker(self, workers: list[WorkerSpec], *, relay: bool) -> None:
        broker: Broker
        local = is_local(self._settings)
        if local:
            concurrency = sum(self._settings.worker.concurrency(spec.name) for spec in workers)
            opening = open_local_broker(self._settings, concurrency, writer=self._stores.db)
            broker = await self._stack.enter_async_context(opening)
        else:
            broker = relayed = await self._stack.enter_async_context(open_relayed_broker(self._settings))
            self._checks["broker"] = relayed.depths
            if relay:
                listen = relay_signal(self._stores.redis).receive
                self._runs["relay"] = Relay(self._stores.db, relayed, listen=listen, tracing=self._tracing).run
        for spec in workers:
            await self._add_worker(spec, broker)
        if local or relay:
            # One process measures for all: the only one, or the relay.
            self._runs["backlog"] = Backlog(self._stores.db, broker, self._metrics).run

    async def _add_worker(self, spec: WorkerSpec, broker: Broker) -> None:
        context = worker_context(spec.name, self._settings, self._stores, self._metrics)
        handlers = await self._stack.enter_async_context(open_handlers(spec, context))
        policy = worker_policy(spec.name, self._settings)
        worker = Worker(broker, spec.name, handlers, policy, self._metrics, tracing=self._tracing)
        self._runs.update(context.services)
        self._runs[spec.name] = worker.run


async def _require_ready(live: Live) -> None:
    if not live.ready:
        raise ConnectionError("the live layer is not subscribed to its channels")


def _nothing() -> None:
    """Do nothing."""


async def _linked(inherited: Inherited | None, metrics: Metrics, stack: AsyncExitStack) -> ParentLink | None:
    """Return the link to the parent, which is served from now on: also a process that still starts ends with it."""
    if inherited is None:
        return None
    link = ParentLink(inherited, metrics.render)
    serving = asyncio.create_task(link.run())
    stack.callback(serving.cancel)
    return link


def _raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard limit: each live connection is an open file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1_048_576
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError) as error:
            log.info("file_limit_kept", soft=soft, hard=hard, error=str(error))
