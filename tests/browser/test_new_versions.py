"""A page that was opened before a deployment: it goes on with its own files, or is loaded again at the next page."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Page, expect

from server.edge.pages import Pages
from tests.browser.offline_visit import controlled
from tests.browser.visitor import WITHIN
from tests.support.documents import ROOT
from tests.support.eventually import eventually

FORGOT = "Forgotten your password?"


class Deployment:
    """A server with the files of the application, of which another version can be deployed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = ""

    @property
    def static(self) -> Path:
        """The folder of the files."""
        return self._folder / "static"

    def deploy(self, name: str) -> None:
        """Replace the files by a version in which the page has another description."""
        page = self.static / "index.html"
        page.write_text(page.read_text().replace("from the people", f"from {name}, from the people"))


@pytest_asyncio.fixture(loop_scope="session")
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    """A running server of the files alone: visitors who are not signed in need nothing else."""
    deployment = Deployment(tmp_path)
    ignored = shutil.ignore_patterns("site", "screenshots")
    shutil.copytree(ROOT / "static", deployment.static, ignore=ignored)
    app = web.Application()
    app.router.add_routes(Pages(deployment.static).routes())
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    deployment.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield deployment
    await runner.cleanup()


async def version_of(page: Page) -> str:
    """Return the version of the files of a page."""
    version: str = await page.evaluate("globalThis.picshareModules.version")
    return version


async def deployed(page: Page, before: str) -> None:
    """Wait until the server has another version than `before`."""

    async def other() -> bool:
        text: str = await page.evaluate("fetch('/signin', { cache: 'no-store' }).then((response) => response.text())")
        return f"/static/v-{before}/" not in text

    await eventually(other, within=WITHIN / 1000)


async def test_an_old_page_without_a_worker_is_loaded_again_once(browser: Browser, deployment: Deployment) -> None:
    """Its module is sent by the next version, which would not fit: the wanted page opens with the new files."""
    context = await browser.new_context(service_workers="block")
    page = await context.new_page()
    await page.goto(f"{deployment.url}/signin")
    before = await version_of(page)
    deployment.deploy("second")
    await deployed(page, before)
    await page.get_by_role("link", name="Forgot").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(FORGOT, timeout=WITHIN)
    assert page.url == f"{deployment.url}/forgot"
    assert await version_of(page) != before
    await context.close()


async def test_an_old_page_keeps_its_files_and_is_replaced_at_the_next_page(
    browser: Browser, deployment: Deployment
) -> None:
    """The worker has them; once the next version is stored, the next page is of that one, also offline."""
    context = await browser.new_context(service_workers="allow")
    page = await context.new_page()
    await page.goto(f"{deployment.url}/signin")
    await controlled(page)
    before = await version_of(page)
    deployment.deploy("second")
    await deployed(page, before)
    await page.get_by_role("link", name="Forgot").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(FORGOT, timeout=WITHIN)
    assert await version_of(page) == before

    await page.get_by_label("E-mail", exact=True).fill("half written")
    await page.evaluate("window.same = navigator.serviceWorker.getRegistration().then((found) => found.update())")

    async def stored() -> bool:
        names: list[str] = await page.evaluate("caches.keys()")
        return len(names) == 2

    await eventually(stored, within=WITHIN / 1000)
    await page.evaluate("navigator.serviceWorker.ready")
    # The open page is left as it is.
    await expect(page.get_by_label("E-mail", exact=True)).to_have_value("half written")

    async def replaced() -> bool:
        await page.get_by_role("link", name="Back to sign in").click()
        await expect(page.get_by_label("User name or e-mail")).to_be_visible(timeout=WITHIN)
        if await version_of(page) != before:
            return True
        await page.go_back()
        return False

    await eventually(replaced, within=WITHIN / 1000)
    second = await version_of(page)
    deployment.deploy("third")
    await deployed(page, second)
    await page.evaluate("navigator.serviceWorker.getRegistration().then((found) => found.update())")

    async def third() -> bool:
        names: list[str] = await page.evaluate("caches.keys()")
        return len(names) == 2 and f"picshare-shell-{before}" not in names

    await eventually(third, within=WITHIN / 1000)
    await context.set_offline(True)
    await page.goto(f"{deployment.url}/forgot")
    await expect(page.get_by_role("heading", level=1)).to_have_text(FORGOT, timeout=WITHIN)
    assert await version_of(page) not in {before, second}
    await context.close()
