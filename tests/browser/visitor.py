"""Users in front of a browser, and what they do with the page."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, WebSocket, expect

from tests.support.api_user import API, PASSWORD, ApiUser
from tests.support.eventually import eventually

WITHIN = 60_000  # timeout in milliseconds, for a busy machine; also without `timeout=` (see `conftest.py`)
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
# Follows a link to a path, as one on the page would.
_FOLLOW = """(path) => {
    const link = document.createElement("a");
    link.href = path;
    document.body.append(link);
    link.click();
    link.remove();
}"""
# Makes an account that of a moderator.
Promote = Callable[[ApiUser], Awaitable[ApiUser]]


class Visitor:
    """One user in a browser context of their own; `account` is their account over the API."""

    def __init__(self, context: BrowserContext, page: Page, account: ApiUser, url: str) -> None:
        self.context = context
        self.page = page
        self.account = account
        self.url = url
        self.unexpected_errors: list[str] = []
        # Playwright says so where it blocks them.
        self._expected: list[str] = ["Service Worker registration blocked"]
        self._sent: list[str] = []
        self._received: list[str] = []
        page.on("websocket", self._watch)
        page.on("console", self._logged)
        page.on("pageerror", self._failed)
        page.on("dialog", self._dialog_opened)

    def expect_error(self, pattern: str) -> None:
        """Accept browser errors that match a pattern, because the test provokes them."""
        self._expected.append(pattern)

    async def open(self, path: str = "/") -> None:
        """Go to a path of the application by its address."""
        await self.page.goto(self.url + path)

    async def go(self, path: str) -> None:
        """Go to a path of the application without loading it again."""
        await self.page.evaluate(_FOLLOW, path)

    async def sign_in(self) -> None:
        """Sign in on the page and wait for the live connection."""
        await self.page.get_by_label("User name or e-mail").fill(self.account.name)
        await self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.live()

    async def live(self) -> None:
        """Wait until the page shows that it is connected."""
        await expect(self.connection_status().first).to_have_attribute("data-state", "live", timeout=WITHIN)

    async def subscribed(self, channel: str) -> None:
        """Wait until the live connection has subscribed to a channel."""

        def subscribed() -> bool:
            commands = [json.loads(frame) for frame in self._sent]
            numbers = [item["id"] for item in commands if item.get("subscribe", {}).get("channel") == channel]
            replies = [json.loads(line) for frame in self._received for line in frame.split("\n")]
            return any(item.get("id") in numbers and "subscribe" in item for item in replies)

        await eventually(subscribed, within=WITHIN / 1000)

    async def received(self, *texts: str) -> None:
        """Wait until the live connection has received something that contains all of these."""
        await eventually(
            lambda: any(all(text in frame for text in texts) for frame in self._received), within=WITHIN / 1000
        )

    def connection_status(self) -> Locator:
        """Return the elements that show the state of the connection."""
        return self.page.locator(".connection-status")

    async def visit(self, name: str) -> None:
        """Follow a link of the main navigation."""
        await self.page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()

    async def choose(self, file: Path | dict[str, Any]) -> None:
        """Choose a file on the page for new photos."""
        await self.visit("New photo")
        await self.page.get_by_label("Choose a photo").set_input_files(file)  # type: ignore[arg-type]

    async def share(self, file: Path | dict[str, Any], *, caption: str = "", tags: str = "") -> None:
        """Share a photo by the form."""
        await self.choose(file)
        await self.page.get_by_label("Caption").fill(caption)
        await self.page.get_by_label("Tags").fill(tags)
        await self.page.get_by_role("button", name="Share", exact=True).click()

    def card(self, caption: str) -> Locator:
        """Return the card of the photo with a caption."""
        return self.page.locator("article.card").filter(has_text=caption)

    def toast(self, text: str) -> Locator:
        """Return the toast with a text."""
        return self.page.locator(".toast").filter(has_text=text)

    async def sees(self, locator: Locator) -> None:
        """Wait until an element is visible."""
        await expect(locator.first).to_be_visible(timeout=WITHIN)

    async def loses(self, locator: Locator) -> None:
        """Wait until no such element exists."""
        await expect(locator).to_have_count(0, timeout=WITHIN)

    async def sees_text(self, locator: Locator, text: str | re.Pattern[str]) -> None:
        """Wait until an element has a text."""
        await expect(locator).to_have_text(text, timeout=WITHIN)

    def _watch(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: self._sent.append(str(frame)))
        socket.on("framereceived", lambda frame: self._received.append(str(frame)))

    def _logged(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._record(f"console: {message.text} {message.location['url']}")

    def _failed(self, error: Error) -> None:
        self._record(f"exception: {error}")

    async def _dialog_opened(self, dialog: Any) -> None:
        if dialog.type == "beforeunload":
            # The browser asks before it leaves a page with an upload; the user confirms it.
            await dialog.accept()
            return
        self._record(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _record(self, text: str) -> None:
        if not any(re.search(pattern, text) for pattern in self._expected):
            self.unexpected_errors.append(text)


class Site:
    """The running service; creates accounts and browser contexts for visitors."""

    def __init__(self, browser: Browser, http: aiohttp.ClientSession, url: str) -> None:
        self._browser = browser
        self._http = http
        self.url = url
        self._visitors: list[Visitor] = []

    async def create_account(self) -> ApiUser:
        """Create an account without a browser."""
        return await ApiUser.sign_up(self._http, self.url, f"p{uuid.uuid4().hex[:12]}")

    def account(self, name: str, token: str) -> ApiUser:
        """Return an account that exists."""
        account = ApiUser(self._http, self.url, name)
        account.token = token
        return account

    async def visitor(self, account: ApiUser | None = None, *, url: str | None = None, **options: Any) -> Visitor:
        """Open a browser for a user, with an empty page; `options` are those of a Playwright context.

        Service workers are blocked unless a test is about them: a worker would start and store its files in each test.
        So are animations, which would take a third of the browser's drawing.
        """
        options.setdefault("viewport", DESKTOP)
        # The tests read English texts, whatever the language of the machine.
        options.setdefault("locale", "en-US")
        options.setdefault("service_workers", "block")
        options.setdefault("reduced_motion", "reduce")
        context = await self._browser.new_context(**options)
        context.set_default_timeout(WITHIN)
        visitor = Visitor(context, await context.new_page(), account or await self.create_account(), url or self.url)
        self._visitors.append(visitor)
        return visitor

    async def signed_in(self, account: ApiUser | None = None, *, at: str | None = "/", **options: Any) -> Visitor:
        """Open a path in a browser for a user who is signed in already, and wait for the live connection.

        With `at=None` the page stays empty: a test that begins elsewhere than at the feed saves a page.
        """
        visitor = await self.visitor(account, **options)
        # By the API and not by the form, which `test_accounts` tests: that saves a page in most of the tests.
        fields = {"username": visitor.account.name, "password": PASSWORD, "cookie": True}
        response = await visitor.context.request.post(f"{visitor.url}{API}/tokens", data=fields)
        assert response.ok, await response.text()
        if at is not None:
            await visitor.open(at)
            await visitor.live()
        return visitor

    async def friends(self) -> tuple[Visitor, Visitor]:
        """Sign in two users who follow each other, in a browser each."""
        one, other = await self.create_account(), await self.create_account()
        await one.follow(other)
        await other.follow(one)
        return await self.signed_in(one), await self.signed_in(other)

    def unexpected_errors(self) -> list[str]:
        """Return the browser errors of all visitors that no test expected."""
        return [f"{visitor.account.name}: {text}" for visitor in self._visitors for text in visitor.unexpected_errors]

    async def close(self) -> None:
        """Close every context."""
        for visitor in self._visitors:
            await visitor.context.close()


async def published(author: ApiUser, photo_id: str) -> None:
    """Wait until a photo has been published."""

    async def ready() -> bool:
        state: str = (await author.call("GET", f"/photos/{photo_id}")).expect(200)["state"]
        return state == "ready"

    await eventually(ready)
