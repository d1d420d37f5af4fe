"""What the browser keeps of uploads over a reload, and the locks by which one tab at a time works on them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page

from tests.browser.modules import call
from tests.browser.scripted_server import ScriptedServer
from tests.support.eventually import eventually

NUMBERED = [f"n{number}" for number in range(5)]
DAY = 24 * 3600 * 1000
RECORD = """
    const record = (id, more = {}) => {
        return { id, user: "ada", size: 10, savedAt: Date.now(), file: new Blob(["photo"]), ...more };
    };
    const ids = async (user) => (await store.list(user)).map(({ id }) => id);
"""


async def run(page: Page, script: str) -> Any:
    """Run a script with a store `store`, the functions `record` and `ids`, and return its result."""
    expression = f"(async () => {{ const store = new m.BrowserStore('uploads'); {RECORD} {script} }})()"
    return await call(page, "js/service/browser_store", expression)


async def test_records_outlive_the_page(page: Page, server: ScriptedServer) -> None:
    """Records and their files are there after a reload, those of the user alone and the oldest first."""
    await page.goto(server.url)
    await run(
        page,
        """
        await store.add(record("late"));
        await store.add(record("early", { savedAt: Date.now() - 1000 }));
        await store.add(record("bob's", { user: "bob" }));
        await store.update("late", { url: "/there" });
        """,
    )
    await page.reload()
    assert await run(page, "return ids('ada')") == ["early", "late"]
    found = await run(page, "const { url, file } = await store.get('late'); return [url, await file.text()]")
    assert found == ["/there", "photo"]
    await run(page, "await store.removeAll('ada')")
    assert await run(page, "return [await ids('ada'), await ids('bob')]") == [[], ["bob's"]]


async def test_a_removed_record_stays_removed(page: Page, server: ScriptedServer) -> None:
    """A change that comes after the removal, for example from another tab, does not bring the record back."""
    await page.goto(server.url)
    script = """
        await store.add(record("one"));
        store.remove("one");
        await store.update("one", { url: "/" });
        return ids("ada");
    """
    assert await run(page, script) == []


async def test_changes_do_not_overtake(page: Page, server: ScriptedServer) -> None:
    """Changes that are made without waiting for the ones before are all made, in their order."""
    await page.goto(server.url)
    script = """
        store.add(record("one"));
        for (let number = 0; number < 5; number += 1) store.update("one", { number, [`n${number}`]: true });
        return store.get("one");
    """
    found = await run(page, script)
    assert (found["number"], [name for name in found if name.startswith("n")]) == (4, ["number", *NUMBERED])


async def test_old_records_are_removed(page: Page, server: ScriptedServer) -> None:
    """A record is kept for a week."""
    await page.goto(server.url)
    script = f"""
        await store.add(record("old", {{ savedAt: Date.now() - 7 * {DAY} - 1000 }}));
        await store.add(record("young", {{ savedAt: Date.now() - 7 * {DAY} + 60_000 }}));
        const listed = await ids("ada");
        return [listed, await store.get("old")];
    """
    assert await run(page, script) == [["young"], None]


@pytest.mark.parametrize(("count", "size", "kept"), [(25, 10, 20), (5, 60_000_000, 3)])
async def test_the_store_is_bounded(page: Page, server: ScriptedServer, count: int, size: int, kept: int) -> None:
    """At most 20 records and 200 MB are kept; what does not fit is not."""
    await page.goto(server.url)
    script = f"""
        for (let n = 0; n < {count}; n += 1) await store.add(record(`r${{n}}`, {{ size: {size} }}));
        return (await ids("ada")).length;
    """
    assert await run(page, script) == kept


async def test_a_browser_that_keeps_nothing_is_no_error(page: Page, server: ScriptedServer) -> None:
    """If the browser refuses to open a database, every method works as if the store were empty."""
    await page.goto(server.url)
    script = """
        const open = () => { throw new DOMException("no", "SecurityError"); };
        Object.defineProperty(window, "indexedDB", { value: { open } });
        await store.add(record("one"));
        await store.update("one", {});
        await store.remove("one");
        return [await store.get("one"), await ids("ada")];
    """
    assert await run(page, script) == [None, []]


async def test_the_next_tab_takes_over(context: BrowserContext, server: ScriptedServer) -> None:
    """A task with a long lock runs in one tab; when that tab is closed, the task of the next one begins."""
    one, other = await context.new_page(), await context.new_page()
    script = """async (a) => {
        const { withLongTabLock } = await import("/static/js/service/tab_lock.js");
        const begun = new Promise((resolve) => {
            withLongTabLock("upload", () => new Promise(() => { window.began = true; resolve(); }));
        });
        if (a) await begun;
    }"""
    for page in (one, other):
        await page.goto(server.url)
        await page.evaluate(script, page is one)
    assert await one.evaluate("window.began")

    async def waiting() -> bool:
        pending: int = await other.evaluate("(async () => (await navigator.locks.query()).pending.length)()")
        return pending == 1

    await eventually(waiting)
    assert await other.evaluate("window.began") is None
    await one.close()
    await eventually(lambda: other.evaluate("window.began === true"))
