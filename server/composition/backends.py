"""Backends: the URL of each, in the settings, selects its adapter here and nowhere else.

Two adapters that are not both in use by one process are imported in their branch, so that a process loads one driver.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from channels.bus.presence_store import PresenceStore
from channels.bus.publisher import LivePublisher
from server.composition.blob_stores import open_blobs
from server.composition.delivery import delivery_script
from server.composition.roles import is_local, only_reads
from server.composition.wake_ups import leave_to_polling, notify_relay
from server.config.section import from_sections
from server.config.settings import Settings
from server.errors import ConfigError
from storage.blobs.observed import BlobMetrics
from storage.blobs.port import Blobs
from storage.blobs.variants import VariantRegistry
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.cache.write_positions import WritePositions
from storage.circuit import Circuit
from storage.feeds.feeds import FeedMetrics, Feeds
from storage.feeds.notification_log import NotificationLog
from storage.ids import slot_group
from storage.postgres.database import Database
from storage.postgres.fallback import CIRCUIT as FALLBACK_CIRCUIT
from storage.postgres.fallback import DatabaseFallback
from storage.postgres.notifier import Notify
from storage.postgres.outbox import is_on_cluster
from storage.postgres.pool import SILENCE as DATABASE_SILENCE
from storage.postgres.primary_server import PrimaryServer
from storage.postgres.reads import NoPositions, PrimaryReads, ReadMetrics, Reads, ReplicaReads
from storage.postgres.replica import Replica
from storage.postgres.replicas import ReplicaMetrics, Replicas
from storage.redis.client import Redis, open_redis
from workers.broker import routing
from workers.broker.port import Broker
from workers.broker.relay import EventPublisher
from workers.outbound.circuits import CircuitMetrics, CircuitRegistry


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The stores of a process; each connects to its backend when it is first used.

    `replicas` is None if there are none. They answer `reads` while a task of the process follows them. `circuits` are
    those of all outward calls of the process.
    """

    db: Database
    reads: Reads
    replicas: Replicas | None = None
    redis: Redis
    blobs: Blobs
    cards: Cards
    counter_cache: CounterCache
    feeds: Feeds
    notification_log: NotificationLog
    publisher: LivePublisher
    presence: PresenceStore
    fallback: DatabaseFallback
    circuits: CircuitRegistry = field(default_factory=CircuitRegistry)


class StoreMetrics(BlobMetrics, FeedMetrics, ReadMetrics, CircuitMetrics, Protocol):
    """Metrics of the stores, and of the circuits of all outward calls."""


@asynccontextmanager
async def open_stores(settings: Settings, metrics: StoreMetrics | None = None) -> AsyncIterator[Stores]:
    """Open the stores, and close them on leaving; raise `UnavailableError`.

    The URLs must be those of running engines, see `server.composition.embedded`.
    """
    pool = settings.database
    async with AsyncExitStack() as stack:
        circuits = CircuitRegistry(metrics)
        redis = open_redis(settings.redis.url, circuits.circuit)
        stack.push_async_callback(redis.aclose)
        db = await stack.enter_async_context(
            open_database(
                settings,
                min_size=pool.pool_min,
                max_size=max(pool.pool_min, pool.pool_max),
                notify=notify_relay(redis),
                circuit=circuits.circuit("database", DATABASE_SILENCE),
            )
        )
        cards, delivery = Cards(db, redis, variant_registry(settings)), delivery_script(redis)
        reads: Reads = PrimaryReads(db)
        replicas = await stack.enter_async_context(open_replicas(settings, metrics))
        if replicas is not None:
            kept = NoPositions() if only_reads(settings) else WritePositions(redis)
            reads = ReplicaReads(db, replicas, kept, metrics)
        fallback = _fallback(settings, db, reads, circuits)
        yield Stores(
            db=db,
            reads=reads,
            replicas=replicas,
            redis=redis,
            blobs=open_blobs(settings, metrics, circuits),
            cards=cards,
            counter_cache=CounterCache(db, redis, fallback),
            feeds=Feeds(db, redis, cards, delivery, days=settings.retention.feed_days, metrics=metrics),
            notification_log=NotificationLog(redis, delivery),
            publisher=LivePublisher(redis, slot_group),
            presence=PresenceStore(redis, slot_group),
            fallback=fallback,
            circuits=circuits,
        )


def _fallback(settings: Settings, db: Database, reads: Reads, circuits: CircuitRegistry) -> DatabaseFallback:
    """Return the reads in place of Redis, which in a region that only reads are all reads."""
    far = only_reads(settings)
    # Elsewhere half of the pool is left to what always needs the database.
    at_once = settings.database.pool_max if far else max(1, settings.database.pool_max // 2 - 1)
    circuit = circuits.circuit("fallback", FALLBACK_CIRCUIT)
    return DatabaseFallback(db, reads, at_once=at_once, circuit=circuit, far=far)


@asynccontextmanager
async def open_database(
    settings: Settings, *, min_size: int, max_size: int, notify: Notify | None = None, circuit: Circuit | None = None
) -> AsyncIterator[Database]:
    """Connect to PostgreSQL, with a pool of `min_size` to `max_size` connections; raise `UnavailableError`.

    `notify` wakes the relay after a commit. Without it the relay finds the rows within a second; the workers of the
    local broker are always woken by PostgreSQL.
    """
    section = settings.database
    db = await Database.connect(
        section.url,
        routes=outbox_routes(settings),
        min_size=min_size,
        max_size=max_size,
        direct_url=section.direct_url,
        transaction_pooler=section.pooler == "transaction",
        notify=None if is_local(settings) else notify or leave_to_polling,
        claims_events=is_local(settings),
        circuit=circuit,
    )
    try:
        yield db
    finally:
        await db.close()


@asynccontextmanager
async def open_replicas(settings: Settings, metrics: ReplicaMetrics | None = None) -> AsyncIterator[Replicas | None]:
    """Yield the replicas of the settings, or None; nothing is connected until they run.

    Without replicas here, those of other regions still need the positions of writes.
    """
    section = settings.database
    if not (section.replicas or section.carried_positions):
        yield None
        return
    primary = await PrimaryServer.open(section.session_url)
    followed = [Replica(url, pool_size=section.pool_max) for url in section.replicas]
    try:
        yield Replicas(
            primary, followed, max_lag=section.replica_max_lag, stale_reads=section.stale_reads, metrics=metrics
        )
    finally:
        await primary.close()


def variant_registry(settings: Settings) -> VariantRegistry:
    """Return the variants of images."""
    return from_sections(VariantRegistry, settings.media)


class RelayedBroker(Broker, EventPublisher, Protocol):
    """A broker to which the relay publishes the events of the outbox."""


def outbox_routes(settings: Settings) -> Callable[[str], Sequence[str]]:
    """Return the function from a topic to its queues in the outbox: those of the workers, or that of the relay."""
    return routing.queues_of if is_local(settings) else routing.relay_of


@dataclass(frozen=True, kw_only=True)
class BrokerDescription:
    """A broker as an operator knows it; one that is `in_database` is available if and only if the database is."""

    name: str
    in_database: bool


def describe_broker(settings: Settings) -> BrokerDescription:
    """Return the description of the broker that the URL selects."""
    local = is_local(settings)
    return BrokerDescription(name="local (the outbox)" if local else "RabbitMQ", in_database=local)


@asynccontextmanager
async def open_broker(settings: Settings, *, concurrency: int = 1) -> AsyncIterator[Broker]:
    """Open the broker, and close it on leaving; `concurrency` is the number of jobs at once, over all queues."""
    opened = open_local_broker(settings, concurrency) if is_local(settings) else open_relayed_broker(settings)
    async with opened as broker:
        yield broker


@asynccontextmanager
async def open_local_broker(
    settings: Settings, concurrency: int, *, writer: Database | None = None
) -> AsyncIterator[Broker]:
    """Open the broker that claims rows of the outbox; raise `ConfigError` on a cluster, where that is impossible.

    The commits of `writer`, a `Database` of this process, wake its consumers directly.
    """
    from workers.broker.local import LocalBroker  # noqa: PLC0415 - one adapter per process

    # A claim holds its connection while its handler runs. Each queue needs two more: to listen and to look for rows.
    connections = concurrency + 2 * len(routing.QUEUES)
    async with open_database(settings, min_size=1, max_size=connections) as db:
        if await is_on_cluster(db):
            raise ConfigError(
                'broker.url is "local:", which needs a single PostgreSQL, and the database is a cluster (it has the '
                "extension citus); set broker.url to the amqp:// URL of a RabbitMQ."
            )
        yield LocalBroker(db, writer=writer)


@asynccontextmanager
async def open_relayed_broker(settings: Settings) -> AsyncIterator[RelayedBroker]:
    """Open RabbitMQ; raise `ConfigError` if the URL is that of the local broker."""
    if is_local(settings):
        raise ConfigError('broker.url is "local:", which needs no relay; set it to the amqp:// URL of a RabbitMQ.')
    from workers.broker.rabbitmq.broker import RabbitBroker  # noqa: PLC0415 - one adapter per process

    broker = RabbitBroker(settings.broker.url)
    try:
        yield broker
    finally:
        await broker.close()
