"""People in front of a browser: what they do with the page, in the page's own words."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, WebSocket, expect

from tests.support.eventually import eventually
from tests.support.person import Person

PASSWORD = "correct horse battery"  # what `Person.sign_up` chooses
WITHIN = 15_000  # milliseconds that anything may take on a busy machine
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}


class Visitor:
    """One person in a browser context of their own; `person` is the same account over the API."""

    def __init__(self, context: BrowserContext, page: Page, person: Person, url: str) -> None:
        self.context = context
        self.page = page
        self.person = person
        self.url = url
        self.complaints: list[str] = []
        self.expected: list[str] = []
        self._sent: list[str] = []
        self._received: list[str] = []
        page.on("websocket", self._watch)
        page.on("console", self._heard)
        page.on("pageerror", self._failed)
        page.on("dialog", self._dialog)

    def expect_complaint(self, pattern: str) -> None:
        """Accept complaints of the browser that match: the test provokes them."""
        self.expected.append(pattern)

    async def open(self, path: str = "/") -> None:
        """Go to a path of the application by its address."""
        await self.page.goto(self.url + path)

    async def sign_in(self) -> None:
        """Sign in on the page and wait for the live connection."""
        await self.page.get_by_label("User name or e-mail").fill(self.person.name)
        await self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.live()

    async def live(self) -> None:
        """Wait until the page says that it is connected."""
        await expect(self.state().first).to_have_attribute("data-state", "live", timeout=WITHIN)

    async def subscribed(self, channel: str) -> None:
        """Wait until the live connection has subscribed to a channel."""

        def answered() -> bool:
            commands = [json.loads(frame) for frame in self._sent]
            wanted = [item["id"] for item in commands if item.get("subscribe", {}).get("channel") == channel]
            replies = [json.loads(line) for frame in self._received for line in frame.split("\n")]
            return any(item.get("id") in wanted and "subscribe" in item for item in replies)

        await eventually(answered, within=WITHIN / 1000)

    def state(self) -> Locator:
        """Return where the page tells of its connection."""
        return self.page.locator(".live-state")

    async def visit(self, name: str) -> None:
        """Follow a link of the main navigation."""
        await self.page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()

    async def choose(self, file: Path | dict[str, Any]) -> None:
        """Choose a file on the page for new photos."""
        await self.visit("New photo")
        await self.page.get_by_label("Choose a photo").set_input_files(file)  # type: ignore[arg-type]

    async def share(self, file: Path | dict[str, Any], *, caption: str = "", tags: str = "") -> None:
        """Share a photo as people do."""
        await self.choose(file)
        await self.page.get_by_label("Caption").fill(caption)
        await self.page.get_by_label("Tags").fill(tags)
        await self.page.get_by_role("button", name="Share", exact=True).click()

    def card(self, caption: str) -> Locator:
        """Return the card of the photo with a caption."""
        return self.page.locator("article.card").filter(has_text=caption)

    def toast(self, text: str) -> Locator:
        """Return the passing message with a text."""
        return self.page.locator(".toast").filter(has_text=text)

    async def sees(self, locator: Locator) -> None:
        """Wait until something is in the page and visible."""
        await expect(locator.first).to_be_visible(timeout=WITHIN)

    async def loses(self, locator: Locator) -> None:
        """Wait until something is not there any more."""
        await expect(locator).to_have_count(0, timeout=WITHIN)

    async def sees_text(self, locator: Locator, text: str | re.Pattern[str]) -> None:
        """Wait until an element says a text."""
        await expect(locator).to_have_text(text, timeout=WITHIN)

    def _watch(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: self._sent.append(str(frame)))
        socket.on("framereceived", lambda frame: self._received.append(str(frame)))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._note(f"console: {message.text}")

    def _failed(self, error: Error) -> None:
        self._note(f"exception: {error}")

    async def _dialog(self, dialog: Any) -> None:
        self._note(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _note(self, text: str) -> None:
        if not any(re.search(pattern, text) for pattern in self.expected):
            self.complaints.append(text)


class House:
    """Where visitors come in: makes their accounts and browser contexts."""

    def __init__(self, browser: Browser, http: aiohttp.ClientSession, url: str) -> None:
        self._browser = browser
        self._http = http
        self.url = url
        self._visitors: list[Visitor] = []

    async def account(self) -> Person:
        """Make an account that no browser belongs to."""
        return await Person.sign_up(self._http, self.url, f"p{uuid.uuid4().hex[:12]}")

    async def visitor(self, person: Person | None = None, *, url: str | None = None, **options: Any) -> Visitor:
        """Let a person open a browser, without going anywhere; `options` are Playwright's for a context."""
        options.setdefault("viewport", DESKTOP)
        context = await self._browser.new_context(**options)
        visitor = Visitor(context, await context.new_page(), person or await self.account(), url or self.url)
        self._visitors.append(visitor)
        return visitor

    async def guest(self, person: Person | None = None, **options: Any) -> Visitor:
        """Let a person open a browser and sign in."""
        visitor = await self.visitor(person, **options)
        await visitor.open()
        await visitor.sign_in()
        return visitor

    async def friends(self) -> tuple[Visitor, Visitor]:
        """Let two people sign in who follow each other."""
        one, other = await self.account(), await self.account()
        await one.follow(other)
        await other.follow(one)
        return await self.guest(one), await self.guest(other)

    def complaints(self) -> list[str]:
        """Return what any page complained about that no test expected."""
        return [f"{visitor.person.name}: {text}" for visitor in self._visitors for text in visitor.complaints]

    async def close(self) -> None:
        """Close every context."""
        for visitor in self._visitors:
            await visitor.context.close()


async def published(author: Person, photo_id: str) -> None:
    """Wait until a photo has been published."""

    async def ready() -> bool:
        state: str = (await author.call("GET", f"/photos/{photo_id}")).expect(200)["state"]
        return state == "ready"

    await eventually(ready, within=15)
