"""A visitor whose browser has the service worker, of a service that really stops and starts."""

from __future__ import annotations

import json
from typing import Any

from playwright.async_api import Locator, Page, expect

from tests.browser.visitor import WITHIN, Site, Visitor
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually

# Browser errors while a service is away.
AWAY = "ERR_|WebSocket|status of 50[234]|net::"

_RECORDS = """async ([database, name]) => {
    if (!(await indexedDB.databases()).some((each) => each.name === database)) return [];
    const opened = await new Promise((resolve) => {
        const request = indexedDB.open(database);
        request.onsuccess = () => resolve(request.result);
    });
    const all = await new Promise((resolve) => {
        const request = opened.transaction(name).objectStore(name).getAll();
        request.onsuccess = () => resolve(request.result);
    });
    opened.close();
    return all.map((record) => JSON.parse(JSON.stringify(record)));
}"""


async def records(page: Page, store: str) -> list[dict[str, Any]]:
    """Return what the browser keeps in a store of `static/js/service/browser_store.js`."""
    found: list[dict[str, Any]] = await page.evaluate(_RECORDS, ["picshare.offline", store])
    return found


async def with_worker(site: Site, account: ApiUser | None = None, **options: Any) -> Visitor:
    """Sign a visitor in, and wait until the service worker has the files of the application."""
    visitor = await site.signed_in(account, service_workers="allow", **options)
    visitor.expect_error(AWAY)
    await controlled(visitor.page)
    return visitor


async def controlled(page: Page) -> None:
    """Wait until the service worker has taken over a page."""
    await eventually(lambda: page.evaluate("navigator.serviceWorker.controller !== null"), within=WITHIN / 1000)


async def feed_kept(page: Page, *captions: str) -> None:
    """Wait until the browser keeps a home feed with these captions, the newest first."""

    async def kept() -> bool:
        found = await records(page, "feeds")
        return [[each["photo"]["caption"] for each in record["photos"]] for record in found] == [list(captions)]

    await eventually(kept, within=WITHIN / 1000)


def tray(visitor: Visitor) -> Locator:
    """Return what lists the changes that are not sent yet."""
    return visitor.page.get_by_role("region", name="Not sent yet")


async def waits(visitor: Visitor, number: int) -> None:
    """Wait until the page shows how many changes wait for the connection."""
    text = "1 change waits for the connection" if number == 1 else f"{number} changes wait for the connection"
    await expect(tray(visitor).locator(".waiting .name")).to_have_text(text, timeout=WITHIN)


async def nothing_waits(visitor: Visitor) -> None:
    """Wait until the page shows that everything was sent, and the browser keeps nothing of it."""
    await expect(tray(visitor)).to_be_hidden(timeout=WITHIN)

    async def empty() -> bool:
        return await records(visitor.page, "pending") == []

    await eventually(empty, within=WITHIN / 1000)


def block(name: str, error: str) -> str:
    """Return a script after which the browser refuses a kind of storage."""
    refuse = f"() => {{ throw new DOMException('refused', {json.dumps(error)}); }}"
    return f"Object.defineProperty(window, {json.dumps(name)}, {{ get: {refuse} }});"
