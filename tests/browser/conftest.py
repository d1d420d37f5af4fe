"""A real service and a real Chromium: one `picshare run` for all browser tests, one browser context for each test."""

from __future__ import annotations

import asyncio
import inspect
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Error, Page, expect

from tests.browser.live_tab import LiveTab, OpenTab
from tests.browser.scripted_server import ScriptedServer
from tests.browser.visitor import WITHIN, Promote, Site
from tests.engines.private import free_port, in_background
from tests.support.api_user import ApiUser
from tests.support.documents import ROOT
from tests.support.issuer import Issuer
from tests.support.service import Service

expect.set_options(timeout=WITHIN)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test here with `browser`; they share one event loop and so one browser.

    A test that fails is run once more, and pytest's summary names it: a browser beside many processes on two cores is
    not always as fast as the people whom these tests imitate.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=1))
            if inspect.iscoroutinefunction(getattr(item, "function", None)):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def receiver_port() -> int:
    """The one port of this machine to which the service may send webhooks."""
    return free_port()


@pytest.fixture(scope="session")
def issuer_port() -> int:
    """The port at which the service expects the provider with which users sign in."""
    return free_port()


@pytest.fixture(scope="session")
def page_port() -> int:
    """The port of the one other origin whose pages may use the service."""
    return free_port()


@pytest.fixture(scope="session")
def service_folder() -> Iterator[Path]:
    """The folder of the service, whose data are in `data`."""
    folder = Path(tempfile.mkdtemp(prefix="psb-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def promote(service_folder: Path) -> Promote:
    """Make an account that of a moderator, by the command for operators."""

    async def run(account: ApiUser) -> ApiUser:
        command = (
            sys.executable,
            "-m",
            "server.cli",
            "user",
            "promote",
            account.name,
            "--data",
            service_folder / "data",
        )
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)
        assert await process.wait() == 0
        return account

    return run


@pytest.fixture(scope="session")
def service_url(service_folder: Path, receiver_port: int, issuer_port: int, page_port: int) -> Iterator[str]:
    """The address of a running `picshare run` without the demonstration community."""
    with in_background(lambda: _running(service_folder, receiver_port, issuer_port, page_port)) as url:
        yield url


@asynccontextmanager
async def _running(folder: Path, receiver_port: int, issuer_port: int, page_port: int) -> AsyncIterator[str]:
    port = free_port()
    limits = {"SIGN_UP_ADDRESS": "10000/h", "SIGN_IN_ADDRESS": "10000/5m", "SIGN_IN_ACCOUNT": "10000/5m"}
    service = Service(
        ["run", "--no-demo", "--port", str(port), "--data", str(folder / "data")],
        folder=folder,
        name="picshare",
        port=port,
        env={
            "PICSHARE_LIVE__PRESENCE_GRACE": "0.5",
            "PICSHARE_SERVER__ALLOWED_ORIGINS": f"http://127.0.0.1:{page_port}",
            "PICSHARE_PUSH__HOSTS": "127.0.0.1",
            "PICSHARE_OUTBOUND__ALLOW_HTTP": "true",
            "PICSHARE_OUTBOUND__ALLOWED_NETWORKS": "127.0.0.1/32",
            "PICSHARE_OUTBOUND__PORTS": f"443,{receiver_port}",
            "PICSHARE_OIDC__PROVIDERS": json.dumps([Issuer(url=f"http://127.0.0.1:{issuer_port}").settings]),
            **{f"PICSHARE_LIMITS__{name}": rate for name, rate in limits.items()},
        },
    )
    await service.start()
    try:
        yield service.url
    finally:
        await service.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def site(browser: Browser, service_url: str) -> AsyncIterator[Site]:
    """The service for visitors; fails if one of their pages logged an unexpected error."""
    # As the browser, so that its first sign-in with an account is no new device, of which the user would be notified.
    async with aiohttp.ClientSession(headers={"User-Agent": "Mozilla/5.0 (X11; Linux) Chrome/1"}) as http:
        site = Site(browser, http, service_url)
        yield site
        await site.close()
    assert site.unexpected_errors() == []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def module_page(browser: Browser) -> AsyncIterator[Page]:
    """A page of the scripted server, for tests that call single modules and change nothing in the page."""
    async with ScriptedServer.running() as server:
        context = await browser.new_context(locale="en-GB", timezone_id="UTC")
        context.set_default_timeout(WITHIN)
        page = await context.new_page()
        await page.goto(server.url)
        yield page
        await context.close()


class Uncaught:
    """The uncaught errors of a page."""

    def __init__(self) -> None:
        self.errors: list[Error] = []

    def record(self, error: Error) -> None:
        """Record an error."""
        self.errors.append(error)


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser profile of its own."""
    context = await browser.new_context(locale="en-US")
    context.set_default_timeout(WITHIN)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A page in a context of its own; fails on an uncaught error."""
    page = await context.new_page()
    uncaught = Uncaught()
    page.on("pageerror", uncaught.record)
    yield page
    assert uncaught.errors == []


@pytest_asyncio.fixture(loop_scope="session")
async def server() -> AsyncIterator[ScriptedServer]:
    """A scripted server without connections."""
    async with ScriptedServer.running() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def tab(page: Page, server: ScriptedServer) -> LiveTab:
    """A tab, not opened yet, that does not share its connection."""
    return LiveTab(page, server.url)


@pytest_asyncio.fixture(loop_scope="session")
async def tabs(context: BrowserContext, server: ScriptedServer) -> AsyncIterator[OpenTab]:
    """Open one more tab of a user, "ada" by default; fails on an uncaught error in any tab."""
    uncaught = Uncaught()

    async def another(user: str = "ada") -> LiveTab:
        page = await context.new_page()
        page.on("pageerror", uncaught.record)
        return await LiveTab(page, server.url, user=user).open()

    yield another
    assert uncaught.errors == []
