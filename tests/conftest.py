"""Fixtures that all tests share: private engines for the session, a fresh database and Redis for each test."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from playwright.async_api import Browser

from storage.embedded.postgres import embedded_postgres
from storage.embedded.valkey import embedded_valkey
from storage.postgres.database import Database
from storage.redis.client import Redis, open_redis
from tests.engines.databases import Databases, databases, prepare_template
from tests.engines.object_store import ObjectStore
from tests.engines.openstack import swift
from tests.engines.private import in_background, redis_server
from tests.engines.rabbitmq import RabbitNode, delete_queues, rabbit_node
from tests.engines.redis_cluster import RedisCluster, redis_cluster
from tests.engines.seaweedfs import seaweedfs
from tests.support.chromium import find_chromium, find_headless_shell, running_chromium
from tests.support.driver_commands import commands
from workers.broker.routing import queues_of

pytest_plugins = ["tests.support.sent_statements"]

# A busy machine is no failure: neither an example nor the generation of examples has a deadline.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

_numbers = itertools.count(1)
_MIN_FREE = 4_000_000_000  # bytes
_ENGINES = {"redis": "real_redis_url", "valkey": "valkey_url", "cluster": "cluster_url"}
# The folders whose tests are about commands and scripts of Redis. All others run on Redis alone.
_ON_VALKEY = (
    "contract",
    "integration/channels/bus",
    "integration/storage/cache",
    "integration/storage/feeds",
    "integration/storage/limits",
    "integration/storage/redis",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat a test that asks for `redis_url` or `redis` on each engine that is meant for it."""
    if "redis_engine" in metafunc.fixturenames:
        folder = _below_tests(metafunc.definition)
        engines = ["redis"]
        if any(folder.is_relative_to(about_redis) for about_redis in _ON_VALKEY):
            engines.append("valkey")
        if metafunc.definition.get_closest_marker("cluster") is not None:
            engines.append("cluster")
        metafunc.parametrize("redis_engine", engines)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage while tests are collected: the objects are many, and nearly all of them stay to the end.

    Later searches leave them out as well. That takes a fifth off the collection in each process of a run.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests: folders with long modules first, so that all processes of a run end at the same time.

    One process runs a module as a whole. Those of whole installations take up to minutes, those of the browser up to
    one, and those of units less than a second.
    """
    order = {"e2e": 0, "soak": 1, "browser": 2, "sdk": 3, "integration": 4, "contract": 5, "unit": 6}
    items.sort(key=lambda item: order.get(_below_tests(item).parts[0], 7))


def _below_tests(item: pytest.Item) -> Path:
    return item.path.relative_to(Path(__file__).parent)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Fail a skipped test in CI, because it would then run nowhere."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI does not allow: {report.longrepr}"


def memory_file_system() -> Path | None:
    """Return the in-memory file system if it has enough space: cloning a database is ten times as fast there."""
    shared = Path("/dev/shm")
    usable = shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > _MIN_FREE
    return shared if usable else None


@pytest.fixture(scope="session")
def engines_dir() -> Iterator[Path]:
    """A directory for engines with a short name, because the length of a unix socket's path is limited."""
    folder = Path(tempfile.mkdtemp(prefix="psh-", dir=memory_file_system()))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_dsn(engines_dir: Path) -> Iterator[str]:
    """The DSN of a PostgreSQL for this session; without durability, because its data is deleted after the session."""
    unsafe = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    with in_background(lambda: embedded_postgres(engines_dir / "pg", options=unsafe)) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def valkey_url(engines_dir: Path) -> Iterator[str]:
    """The URL of a Valkey for this session."""
    with in_background(lambda: embedded_valkey(engines_dir / "vk")) as url:
        yield url


@pytest.fixture(scope="session")
def real_redis_url(engines_dir: Path) -> Iterator[str]:
    """The URL of a Redis (not Valkey) for this session."""
    with redis_server(engines_dir / "rd") as url:
        yield url


@pytest.fixture(scope="session")
def cluster(engines_dir: Path) -> Iterator[RedisCluster]:
    """A Redis Cluster of three masters for this session; a test that changes it has to restore it."""
    with redis_cluster(engines_dir / "rc") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def rabbit(engines_dir: Path) -> Iterator[RabbitNode]:
    """A RabbitMQ node for this session, which a test may kill and has to start again."""
    with rabbit_node(engines_dir / "mq") as node:
        yield node


@pytest.fixture(scope="session")
def rabbitmq_url(rabbit: RabbitNode) -> str:
    """The URL of a RabbitMQ for this session."""
    return rabbit.url


@pytest.fixture
async def rabbit_prefix(rabbitmq_url: str) -> AsyncIterator[str]:
    """A prefix for the names of one test's queues, which are deleted after it."""
    prefix = f"t{next(_numbers)}."
    yield prefix
    await delete_queues(rabbitmq_url, prefix)


@pytest.fixture(scope="session")
def seaweed(engines_dir: Path) -> Iterator[ObjectStore]:
    """A SeaweedFS for this session."""
    with seaweedfs(engines_dir / "weed") as store:
        yield store


@pytest.fixture(scope="session")
def openstack(engines_dir: Path) -> Iterator[ObjectStore]:
    """An OpenStack Swift for this session."""
    with swift(engines_dir / "swift") as store:
        yield store


@pytest.fixture(scope="session")
def template_database(postgres_dsn: str) -> str:
    """The name of a migrated database, the template of the tests' databases."""
    import asyncio

    from storage.postgres.migrate import migrate

    async def prepare() -> None:
        connection = await asyncpg.connect(postgres_dsn)
        await connection.execute("CREATE DATABASE template_picshare")
        await connection.close()
        template = postgres_dsn.replace("/picshare?", "/template_picshare?")
        await migrate(template)
        await prepare_template(template)

    asyncio.run(prepare())
    return "template_picshare"


@pytest.fixture(scope="session")
def empty_databases(postgres_dsn: str, template_database: str) -> Iterator[Databases]:
    """The databases of this session's tests."""
    with databases(postgres_dsn, template_database) as kept:
        yield kept


@pytest.fixture
def database_dsn(request: pytest.FixtureRequest, empty_databases: Databases) -> Iterator[str]:
    """The DSN of an empty, migrated database; no test has used it before if the test is marked `fresh_database`."""
    yield empty_databases.take(fresh=request.node.get_closest_marker("fresh_database") is not None)
    empty_databases.give_back()


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    """A fresh `Database` whose events go to the embedded broker's queues."""
    database = await Database.connect(database_dsn, routes=queues_of, min_size=1, max_size=8)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def cluster_url(cluster: RedisCluster) -> str:
    """The URL of the cluster."""
    return cluster.url


@pytest.fixture
def redis_url(request: pytest.FixtureRequest, redis_engine: str) -> str:
    """The URL of an engine: Redis, Valkey for the folders of `_ON_VALKEY`, and a cluster for tests marked `cluster`."""
    url: str = request.getfixturevalue(_ENGINES[redis_engine])
    return url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of each empty engine of `redis_url`."""
    client = open_redis(redis_url)
    await commands(client).flushall()
    yield client
    await client.aclose()


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A temporary directory with a short name, for unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="pst-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium for this session; each test has a context of its own."""
    async with _chromium(find_headless_shell() or find_chromium()) as browser:
        yield browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser_with_windows() -> AsyncIterator[Browser]:
    """A Chromium for this session that can hide and freeze tabs, and that keeps pages in its back/forward cache."""
    async with _chromium(find_chromium()) as browser:
        yield browser


@asynccontextmanager
async def _chromium(path: str | None) -> AsyncIterator[Browser]:
    if path is None:
        pytest.skip("Chromium is missing; tests/install-engines installs it")
    async with running_chromium(path) as browser:
        yield browser
