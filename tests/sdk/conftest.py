"""The tested SDKs, and live processes for them; all on one event loop, so that Node and Chromium start once."""

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
from tests.sdk.javascript_sdk import (
    PACKAGE,
    JavaScriptRuntime,
    JavaScriptSdk,
    node_runtime,
    page_runtime,
    serving_pages,
)
from tests.sdk.python_sdk import PythonSdk
from tests.support.driver_commands import commands
from tests.support.live import LiveServer

Serve = Callable[..., AbstractAsyncContextManager[LiveServer]]

# What the service does at times is quick, and its deadlines are long, because a busy machine is no failure.
FAST = {
    "tick": 0.02,
    "drain_seconds": 0.1,
    "close_deadline": 1.0,
    "connect_deadline": 60.0,
    "command_deadline": 60.0,
    "pubsub_deadline": 10.0,
}
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
    """Run every test here on the session's event loop, the loop of Node and Chromium."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engines)
            if inspect.iscoroutinefunction(getattr(item, "function", None)):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(params=OVER_WEBSOCKET + FALLBACKS)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    """Each SDK with each encoding, over each transport."""
    return _sdk(request)


@pytest.fixture(params=OVER_WEBSOCKET)
def websocket_sdk(request: pytest.FixtureRequest) -> Sdk:
    """Each SDK with each encoding, over WebSocket."""
    return _sdk(request)


def _sdk(request: pytest.FixtureRequest) -> Sdk:
    platform, encoding, *transport = request.param.split("-")
    if platform == "python":
        return PythonSdk(binary=encoding == "protobuf")
    return JavaScriptSdk(request.getfixturevalue(platform), encoding, *transport)


@pytest.fixture(scope="session")
def npm_packages() -> None:
    """Skip the test if the SDK for JavaScript is not installed."""
    if not PACKAGE.is_dir():
        pytest.skip("tests/sdk/node_modules is missing; tests/install-engines creates it")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def node(npm_packages: None) -> AsyncIterator[JavaScriptRuntime]:
    """A Node process for clients."""
    binary = shutil.which("node")
    if binary is None:
        pytest.skip("Node is missing; tests/install-engines installs it")
    async with node_runtime(binary) as engine:
        yield engine


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(npm_packages: None, browser: Browser, pages: str) -> AsyncIterator[JavaScriptRuntime]:
    """A page in Chromium for clients."""
    async with page_runtime(browser, pages) as engine:
        yield engine


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pages() -> AsyncIterator[str]:
    """The origin of the page that loads the SDK in a browser; the live processes allow this origin."""
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
    """Start a live process with the settings of a test, and short times by default."""

    def start(**settings: object) -> AbstractAsyncContextManager[LiveServer]:
        return LiveServer(redis, LiveSettings(**{**FAST, "allowed_origins": (pages,), **settings})).running()  # type: ignore[arg-type]

    return start


@pytest_asyncio.fixture(loop_scope="session")
async def server(serve: Serve) -> AsyncIterator[LiveServer]:
    """A live process with the default settings of these tests."""
    async with serve() as running:
        yield running
