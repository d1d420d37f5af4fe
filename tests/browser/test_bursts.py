"""Many notifications in a second, thousands of comments, and texts of every kind: the page stays small and usable."""

from __future__ import annotations

import re
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Locator, Page, expect

from server.operation.data_dir import read_run_file
from storage import ids
from tests.browser.scripted_server import ScriptedServer
from tests.browser.visitor import PHONE, WITHIN, Site, Visitor, published
from tests.support.many_photos import MILLISECOND
from tests.support.pictures import photograph

COMMENTS = """
    INSERT INTO comments
    SELECT (jsonb_populate_record(comment, jsonb_build_object(
        'id', comment.id - number * $3::bigint, 'text', 'echidna ' || number))).*
    FROM comments comment CROSS JOIN generate_series(1, $2) number WHERE comment.id = $1"""
TEXTS = {
    "right to left": "שלום عليكم " * 20,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈" * 40,
    "zalgo": ("h" + "\u0335\u0321\u0358" * 2 + "o" + "\u0336\u0322" * 3) * 30,
    "links": "https://example.org/" + "path/" * 30,
}


def comment(visitor: Visitor, number: int) -> Locator:
    """Return the row of a comment by its number."""
    return visitor.page.locator(".comments > li").filter(has_text=re.compile(rf"echidna {number}(?!\d)"))


async def test_thousands_of_comments(site: Site, service_folder: Path) -> None:
    """Page after page is shown, and the page does not grow; a button leads back to the first comments."""
    visitor = await site.signed_in(viewport=PHONE, at=None)
    photo = await visitor.account.upload(photograph("flower"), "echidnas")
    await published(visitor.account, photo["id"])
    path = f"/photos/{photo['id']}/comments"
    first = (await visitor.account.call("POST", path, json={"text": "echidna 0"})).expect(201)
    connection = await asyncpg.connect(read_run_file(service_folder / "data")["database"])
    await connection.execute(COMMENTS, ids.decode(first["id"]), 4999, MILLISECOND)
    await connection.close()
    await visitor.open(f"/p/{photo['id']}")
    await visitor.sees(comment(visitor, 29))
    rows = visitor.page.locator(".comments > li")
    for shown in range(60, 421, 30):
        await visitor.page.get_by_role("button", name="Show more comments").click()
        await visitor.sees(comment(visitor, shown - 1))
        assert await rows.count() <= 240
        # What was read last is where it was.
        await expect(comment(visitor, shown - 31)).to_be_in_viewport()
    await expect(comment(visitor, 0)).to_have_count(0)
    await visitor.page.get_by_role("button", name="Back to the first comments").click()
    await visitor.sees(comment(visitor, 0))
    await expect(rows).to_have_count(30)


async def test_many_notifications_at_once(module_page: Page) -> None:
    """Two hundred in a moment are two toasts, the second with their number, and two changes of the badge."""
    publication = {"type": "notification", "notification": {"kind": "comment", "text": "numbat", "seen": False}}
    script = """async ([data, number]) => {
        const { NotificationCenter } = await import("/static/js/notifications/notification_center.js");
        let received = null;
        const shown = [];
        let counts = 0;
        const live = { on: (_stream, listener) => (received = listener), onGap: () => {} };
        const center = new NotificationCenter({ live, toasts: { show: (text) => shown.push(String(text)) } });
        center.addEventListener("count", () => (counts += 1));
        for (let at = 1; at <= number; at++) {
            received({ data: { ...data, counters: { unseen: at, unread: at, kinds: {} } } });
        }
        await new Promise((resolve) => center.addEventListener("count", resolve, { once: true }));
        return { shown, counts, unseen: center.counters.unseen };
    }"""
    found = await module_page.evaluate(script, [publication, 200])
    assert found == {"shown": ["numbat", "199 new notifications"], "counts": 2, "unseen": 200}


@pytest.mark.parametrize("kind", TEXTS)
async def test_texts_of_every_kind(site: Site, kind: str) -> None:
    """A caption and a comment are shown within the page."""
    visitor = await site.signed_in(viewport=PHONE)
    await visitor.share(photograph("temple"), caption=TEXTS[kind])
    await visitor.sees(visitor.page.locator("article.card .caption"))
    await visitor.page.locator("article.card .card-actions a.action").click()
    await visitor.page.get_by_label("Your comment").fill(TEXTS[kind])
    await visitor.page.get_by_role("button", name="Post", exact=True).click()
    await visitor.sees(visitor.page.locator(".comments > li:not(.sending) .comment-body"))
    assert await visitor.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


async def test_a_text_that_is_too_long(site: Site) -> None:
    """Of 10,000 letters the fields take as many as the server does, and both texts are shown within the page."""
    visitor = await site.signed_in(viewport=PHONE)
    text = "wallaby " * 1250
    await visitor.share(photograph("temple"), caption=text)
    caption = visitor.page.locator("article.card .caption")
    await expect(caption).to_have_text(text[:2200].strip(), timeout=WITHIN)
    folded = await caption.bounding_box()
    assert folded is not None
    assert folded["height"] < 120
    await visitor.page.get_by_role("button", name="Show all of it").click()
    unfolded = await caption.bounding_box()
    assert unfolded is not None
    assert unfolded["height"] > 500
    await visitor.page.locator("article.card .card-actions a.action").click()
    await visitor.page.get_by_label("Your comment").fill(text)
    await visitor.page.get_by_role("button", name="Post", exact=True).click()
    shown = visitor.page.locator(".comments > li:not(.sending) .comment-body")
    await expect(shown).to_contain_text(text[:1000].strip(), timeout=WITHIN)
    assert await visitor.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


LIST = """async () => {
    const { notificationsPage } = await import("/static/js/notifications/notifications.js");
    const number = (item) => ({
        id: String(item), position: String(item).padStart(9, "0"), kind: "follow", actors: [], seen: false,
        read: false, text: `quoll ${item}`, created_at: "2026-11-01T12:00:00Z",
    });
    const list = { newest: 600, requests: 0, opened: [] };
    const get = async (path, { cursor } = {}) => {
        if (path !== "/notifications") return { items: [] };
        list.requests += 1;
        const first = cursor ? Number(cursor) : list.newest;
        const items = Array.from({ length: 30 }, (_, at) => number(first - at)).filter(({ id }) => id > 0);
        await new Promise((resolve) => setTimeout(resolve));
        return { items, next: first > 30 ? String(first - 30) : null };
    };
    const center = new EventTarget();
    Object.assign(center, { counters: { kinds: {} }, markSeen: async () => {}, setCounters: () => {} });
    const app = Object.assign(new EventTarget(), {
        api: { get }, notificationCenter: center, live: { fetched: () => {} }, accounts: { watch: () => () => {} },
        toasts: { clear: () => {}, error: (error) => { throw error; } },
        push: Object.assign(new EventTarget(), { state: "unsupported", isSupported: false }),
        installation: new EventTarget(), session: { id: "ada" },
    });
    list.arrive = (type = "notification") => {
        if (type === "notification") list.newest += 1;
        const detail = number(list.newest);
        return center.dispatchEvent(new CustomEvent(type, { detail, cancelable: true }));
    };
    const page = notificationsPage(app);
    document.body.replaceChildren(page.element);
    globalThis.list = list;
}"""
ROWS = "() => [...document.querySelectorAll('.notifications li')].map((row) => Number(row.dataset.notification))"


async def rows_of(page: Page, *wanted: int) -> None:
    """Wait until the list has notifications from one number down to another."""
    first, last = wanted
    await page.wait_for_function(
        f"([first, last]) => {{ const rows = ({ROWS})(); return rows[0] === first && rows.at(-1) === last; }}",
        arg=[first, last],
    )
    assert await page.evaluate(ROWS) == list(range(first, last - 1, -1))


async def test_a_long_list_of_notifications(page: Page, server: ScriptedServer) -> None:
    """Page after page is shown, the list does not grow, and what is read keeps its place; a button leads back."""
    await page.goto(server.url)
    await page.evaluate(LIST)
    await rows_of(page, 600, 571)
    for last in range(541, 450, -30):
        await page.get_by_role("button", name="Show older").click()
        await rows_of(page, 600, last)
    read = page.locator("[data-notification='451']")
    await read.scroll_into_view_if_needed()
    top = await read.evaluate("(row) => row.getBoundingClientRect().top")
    await page.get_by_role("button", name="Show older").evaluate("(button) => button.click()")
    await rows_of(page, 510, 421)
    assert abs(await read.evaluate("(row) => row.getBoundingClientRect().top") - top) <= 1
    # A new one is not shown before the rows that are left, so that the user is told of it by a message.
    assert await page.evaluate("() => list.arrive()")
    await rows_of(page, 510, 421)
    await page.get_by_role("button", name="Back to the newest notifications").click()
    await rows_of(page, 601, 572)
    await expect(page.locator(".notifications li a").first).to_be_focused()


async def test_a_burst_of_notifications_in_the_list(page: Page, server: ScriptedServer) -> None:
    """Of two hundred at once the list shows the newest page, with few requests, and then single ones again."""
    await page.goto(server.url)
    await page.evaluate(LIST)
    await rows_of(page, 600, 571)
    await page.evaluate("() => { list.requests = 0; for (let at = 0; at < 200; at++) list.arrive(); }")
    await rows_of(page, 800, 771)
    assert await page.evaluate("() => list.requests") <= 2
    assert not await page.evaluate("() => list.arrive()")
    await rows_of(page, 801, 771)
    # A change of one that is not shown belongs where its position is.
    await page.evaluate("() => { for (let at = 0; at < 200; at++) list.arrive('changed'); }")
    await rows_of(page, 801, 771)
    assert await page.evaluate("() => list.requests") <= 2
