"""Every published SDK that is tested, and a live process for it; all on one event loop, so that they start once."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from channels.contract.settings import LiveSettings
from storage.redis.client import Redis, open_redis
from tests.sdk.clients import Sdk
from tests.sdk.javascript_sdk import PACKAGE, Engine, JavaScriptSdk, node_engine, page_engine, serving_pages
from tests.sdk.python_sdk import PythonSdk
from tests.support.driver_commands import commands
from tests.support.live import LiveServer

Serve = Callable[..., AbstractAsyncContextManager[LiveServer]]

QUICK = {"tick": 0.02, "pubsub_deadline": 1.0, "close_deadline": 1.0, "drain_seconds": 0.1}
OVER_WEBSOCKET = [
    "python-json",
    "python-protobuf",
    "node-json",
    "node-protobuf",
    pytest.param("chromium-json", marks=pytest.mark.browser),
]
FALLBACKS = [
    "node-json-http_stream",
    "node-protobuf-http_stream",
    pytest.param("chromium-json-sse", marks=pytest.mark.browser),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put every test here on the session's event loop, where Node and Chromium are."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engines)
            if inspect.iscoroutinefunction(getattr(item, "function", None)):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(params=OVER_WEBSOCKET + FALLBACKS)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    """Each SDK in each of its forms, over each transport."""
    return _sdk(request)


@pytest.fixture(params=OVER_WEBSOCKET)
def websocket_sdk(request: pytest.FixtureRequest) -> Sdk:
    """Each SDK in each of its forms, over WebSocket."""
    return _sdk(request)


def _sdk(request: pytest.FixtureRequest) -> Sdk:
    platform, form, *transport = request.param.split("-")
    if platform == "python":
        return PythonSdk(binary=form == "protobuf")
    return JavaScriptSdk(request.getfixturevalue(platform), form, *transport)


@pytest.fixture(scope="session")
def npm_packages() -> None:
    """The SDK for JavaScript, as `make test` installs it."""
    if not PACKAGE.is_dir():
        pytest.skip("tests/sdk/node_modules is missing; tests/install-engines makes it")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def node(npm_packages: None) -> AsyncIterator[Engine]:
    """A Node process, in which clients live."""
    binary = shutil.which("node")
    if binary is None:
        pytest.skip("there is no Node; tests/install-engines installs it")
    async with node_engine(binary) as engine:
        yield engine


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(npm_packages: None, browser: Browser, pages: str) -> AsyncIterator[Engine]:
    """A page in Chromium, in which clients live."""
    async with page_engine(browser, pages) as engine:
        yield engine


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pages() -> AsyncIterator[str]:
    """The origin of the page in which a browser loads the SDK; live processes here let it in."""
    async with serving_pages() as origin:
        yield origin


@pytest_asyncio.fixture(loop_scope="session")
async def redis(real_redis_url: str) -> AsyncIterator[Redis]:
    """A client of an empty Redis."""
    client = open_redis(real_redis_url)
    await commands(client).flushall()
    yield client
    await client.aclose()


@pytest.fixture
def serve(redis: Redis, pages: str) -> Serve:
    """Start a live process with settings of the test's own, quick where nothing is said."""

    def start(**settings: object) -> AbstractAsyncContextManager[LiveServer]:
        return LiveServer(redis, LiveSettings(**{**QUICK, "allowed_origins": (pages,), **settings})).running()  # type: ignore[arg-type]

    return start


@pytest_asyncio.fixture(loop_scope="session")
async def server(serve: Serve) -> AsyncIterator[LiveServer]:
    """A live process with everyday settings."""
    async with serve() as running:
        yield running
