"""Lists of thousands of photos: a bounded page, every photo once and in order, and nothing that is read moves."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from server.edge.authentication import ACCESS_COOKIE
from tests.browser.visitor import PHONE, WITHIN, Site, Visitor, published
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.many_photos import copies
from tests.support.pictures import photograph

PHOTOS = 2000
# Of the whole page. Its frame has about 150 elements, a card 60, a cell 15.
MOST_ELEMENTS = 3000
SHOWN = """() => [...document.querySelectorAll("main [data-photo].viewable")]
    .filter((item) => { const { top, bottom } = item.getBoundingClientRect(); return bottom > 0 && top < innerHeight; })
    .map((item) => [item.dataset.photo, Math.round(item.getBoundingClientRect().top)])"""
DRAWN = "() => [...document.querySelectorAll('main [data-photo].viewable')].map((item) => item.dataset.photo)"
ELEMENTS = "() => document.querySelectorAll('*').length"
# A part of the list next to the screen, whose photos are to be drawn: they may have to be fetched again first.
GAP = """() => [...document.querySelectorAll("main .spacer")].map((spacer) => spacer.getBoundingClientRect())
    .some(({ top, bottom }) => bottom > 0 && top < innerHeight)"""
# The user moves to a photo in the moment in which the page is left, before the browser draws that.
MOVES_WHEN_IT_IS_LEFT = f"""addEventListener("pagehide", () => {{
    if (!window.movesTo) return;
    document.querySelector(`[data-photo='${{movesTo}}']`).scrollIntoView({{ behavior: "instant", block: "center" }});
    sessionStorage.setItem("test.shown", JSON.stringify(({SHOWN})()));
}})"""
# One step of reading: what is drawn after each is noted.
SCROLL = "(step) => { scrollBy({ top: step * innerHeight, behavior: 'instant' }); return scrollY; }"


@dataclass
class Gallery:
    """An author of thousands of photos, and the ids of these, the newest first."""

    author: ApiUser
    ids: list[str]


async def gallery(site: Site, folder: Path, number: int) -> Gallery:
    """Create an author with so many photos."""
    author = await site.create_account()
    first = await author.upload(photograph("temple"), "quokkas")
    await published(author, first["id"])
    return Gallery(author, [first["id"], *await copies(folder / "data", first["id"], number - 1, caption="quokka")])


async def reader(site: Site, shown: Gallery, kind: str, **options: Any) -> Visitor:
    """Open the photos as the cells of a profile, or as the cards of a list."""
    visitor = await site.signed_in(**options, at=None)
    if kind == "grid":
        await visitor.open(f"/u/{shown.author.name}")
    else:
        made = (await visitor.account.call("POST", "/lists", json={"title": "Quokkas"})).expect(201)
        await visitor.account.call("PUT", f"/lists/{made['id']}/accounts/{shown.author.id}")
        await visitor.open(f"/lists/{made['id']}")
    await visitor.sees(visitor.page.locator(f"[data-photo='{shown.ids[0]}']"))
    return visitor


async def frames(page: Page) -> None:
    """Wait until the browser has drawn twice."""
    await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


async def read(page: Page, ids: list[str], *, step: int = 2, up: bool = False) -> int:
    """Scroll from one end to the other; every drawn part is in order. Return the most elements that the page had."""
    seen: set[str] = set()
    most = 0
    end = ids[0] if up else ids[-1]
    async with asyncio.timeout(4 * WITHIN / 1000):
        while end not in seen:
            drawn = await page.evaluate(DRAWN)
            start = ids.index(drawn[0])
            assert drawn == ids[start : start + len(drawn)]
            seen.update(drawn)
            most = max(most, await page.evaluate(ELEMENTS))
            await page.evaluate(SCROLL, -step if up else step)
            await frames(page)
            await page.wait_for_function(f"() => !({GAP})()")
    assert seen == set(ids)
    return most


async def scroll_to(page: Page, photo: str) -> None:
    """Scroll down until a photo is on the screen."""
    async with asyncio.timeout(4 * WITHIN / 1000):
        while all(photo != shown for shown, _ in await page.evaluate(SHOWN)):
            await page.evaluate(SCROLL, 2 if photo < (await page.evaluate(DRAWN))[-1] else 0.4)
            await frames(page)


async def keeps(page: Page, before: list[list[Any]]) -> None:
    """Wait until the same photos are at the same places as before."""

    async def same() -> bool:
        shown = dict(await page.evaluate(SHOWN))
        moved = {photo: (top, shown.get(photo)) for photo, top in before if abs(shown.get(photo, 10**6) - top) > 2}
        assert moved == {}
        return True

    await eventually(same, within=WITHIN / 1000)


@pytest.mark.parametrize(("kind", "step"), [("grid", 2), ("feed", 5)])
async def test_thousands_of_photos_in_a_bounded_page(site: Site, service_folder: Path, kind: str, step: int) -> None:
    """Down to the last photo and back to the first, each is there once and in order, and the page does not grow."""
    shown = await gallery(site, service_folder, PHOTOS)
    visitor = await reader(site, shown, kind, viewport=PHONE)
    before = await visitor.page.evaluate(SHOWN)
    # Eight rows are drawn above and below the screen, so that no photo is left out.
    down = await read(visitor.page, shown.ids, step=step)
    up = await read(visitor.page, shown.ids, step=step, up=True)
    assert max(down, up) < MOST_ELEMENTS
    await keeps(visitor.page, before)


async def test_no_step_moves_more_than_the_page(site: Site, service_folder: Path) -> None:
    """Up and down in small steps, each photo moves by the step alone, whatever is drawn or removed around it."""
    shown = await gallery(site, service_folder, 120)
    visitor = await reader(site, shown, "feed", viewport=PHONE)
    await scroll_to(visitor.page, shown.ids[60])
    for step in [-150] * 60 + [150] * 60:
        before = await visitor.page.evaluate(SHOWN)
        await visitor.page.evaluate("(step) => scrollBy({ top: step, behavior: 'instant' })", step)
        await frames(visitor.page)
        after = dict(await visitor.page.evaluate(SHOWN))
        both = [(top, after[photo]) for photo, top in before if photo in after]
        assert both
        assert all(abs(before - step - now) <= 1 for before, now in both), both


async def test_live_changes_far_from_what_is_read(site: Site, service_folder: Path) -> None:
    """A new photo and a deleted one far above move nothing, and are right when the user scrolls there."""
    shown = await gallery(site, service_folder, 300)
    visitor = await reader(site, shown, "grid")
    visitor.expect_error("status of 404")
    await visitor.subscribed(f"user:{shown.author.id}")
    await scroll_to(visitor.page, shown.ids[200])
    before = await visitor.page.evaluate(SHOWN)
    (await shown.author.call("DELETE", f"/photos/{shown.ids[3]}")).expect(204)
    new = await shown.author.upload(photograph("cat"), "a new quokka")
    await published(shown.author, new["id"])
    ids = [new["id"], *shown.ids[:3], *shown.ids[4:]]
    # One photo came and another went above it, so the row is the same.
    await keeps(visitor.page, before)
    await visitor.page.evaluate("() => scrollTo({ top: 0, behavior: 'instant' })")

    async def right() -> bool:
        drawn = await visitor.page.evaluate(DRAWN)
        assert drawn == ids[: len(drawn)]
        return True

    await eventually(right, within=WITHIN / 1000)


@pytest.mark.parametrize("kind", ["grid", "feed"])
async def test_a_reload_and_a_way_back_lead_to_the_same_photo(site: Site, service_folder: Path, kind: str) -> None:
    """After a reload, and back from a page that was loaded again, the list is at the same photo and complete."""
    shown = await gallery(site, service_folder, 400)
    visitor = await reader(site, shown, kind, viewport=PHONE)
    await scroll_to(visitor.page, shown.ids[300])
    before = await visitor.page.evaluate(SHOWN)
    await visitor.page.reload()
    await keeps(visitor.page, before)
    await visitor.page.locator(f"[data-photo='{before[0][0]}']").first.evaluate(
        "(item) => (item.matches('a') ? item : item.querySelector('.card-actions a')).click()"
    )
    await visitor.sees(visitor.page.locator(".photo-page"))
    await visitor.page.reload()
    await visitor.sees(visitor.page.locator(".photo-page"))
    await visitor.page.go_back()
    await keeps(visitor.page, before)
    await visitor.page.evaluate("() => scrollTo({ top: 0, behavior: 'instant' })")
    assert await read(visitor.page, shown.ids) < MOST_ELEMENTS


async def test_new_photos_are_offered_after_a_reload(site: Site) -> None:
    """The home feed is at the same photo after a reload; the button shows what was posted before and during it."""
    reader = await site.signed_in(viewport=PHONE)
    author = await site.create_account()
    await reader.account.follow(author)
    ids = []
    for number in range(8):
        ids.append((await author.upload(photograph("flower"), f"wombat {number}"))["id"])
        await published(author, ids[-1])
    page = reader.page
    await page.add_init_script(MOVES_WHEN_IT_IS_LEFT)
    await reader.open()
    await reader.sees(reader.card("wombat 7"))
    await page.locator(f"[data-photo='{ids[2]}']").wait_for(state="attached")
    await page.evaluate("(photo) => { window.movesTo = photo; }", ids[2])
    await page.goto("about:blank")
    await published(author, (await author.upload(photograph("cat"), "a new wombat"))["id"])
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await page.route("**/api/v1/feed?*", hold)
    # Without a token, the feed does not come with the page.
    reader.expect_error("401.*/users/me")
    await reader.context.clear_cookies(name=ACCESS_COOKIE)
    await page.go_back()
    await reader.live()
    newest = (await author.upload(photograph("temple"), "the newest wombat"))["id"]
    await reader.received("photo.new", newest)
    released.set()
    await keeps(page, json.loads(await page.evaluate("sessionStorage.getItem('test.shown')")))
    await page.get_by_role("button", name="2 new photos").click()
    await page.wait_for_function("() => scrollY === 0")
    drawn = reader.page.locator(".feed .card")
    await expect(drawn).to_contain_text(["the newest wombat", "a new wombat", "wombat 7"], timeout=WITHIN)


async def test_the_lightbox_and_the_focus_in_a_long_list(site: Site, service_folder: Path) -> None:
    """The lightbox goes through more photos than are drawn at once, and a focused photo stays in the page."""
    shown = await gallery(site, service_folder, 200)
    visitor = await reader(site, shown, "grid")
    page = visitor.page
    await page.locator(f"[data-photo='{shown.ids[0]}']").focus()
    await page.keyboard.press("z")
    await visitor.sees(page.locator("dialog.lightbox"))
    for photo in shown.ids[1:70]:
        await page.keyboard.press("ArrowRight")
        await page.wait_for_function("(id) => document.querySelector(`[data-photo='${id}']`)", arg=photo)
    await page.keyboard.press("Escape")
    await expect(page.locator(f"[data-photo='{shown.ids[69]}']")).to_be_focused()
    await page.evaluate("() => scrollTo({ top: 0, behavior: 'instant' })")
    await frames(page)
    await expect(page.locator(f"[data-photo='{shown.ids[69]}']")).to_be_focused()
    await page.keyboard.press("Shift+Tab")
    await visitor.sees(page.locator(f"[data-photo='{shown.ids[68]}']"))


async def test_a_link_names_a_photo_of_a_list(site: Site, service_folder: Path) -> None:
    """`?at=` opens a profile at a photo further down; of one that is not there the page says so."""
    shown = await gallery(site, service_folder, 150)
    visitor = await site.signed_in(at=None)
    await visitor.open(f"/u/{shown.author.name}?at={shown.ids[120]}")
    await expect(visitor.page.locator(f"[data-photo='{shown.ids[120]}']")).to_be_in_viewport(timeout=WITHIN)
    await visitor.open(f"/u/{shown.author.name}?at=0000000000000")
    await visitor.sees(visitor.toast("This photo is not in this list"))


async def pull(page: Page, distance: int) -> None:
    """Pull the page down by a finger."""
    session = await page.context.new_cdp_session(page)
    for kind, y in [("touchStart", 200), *(("touchMove", 200 + distance * part // 8) for part in range(1, 9))]:
        await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": 190, "y": y}]})
    await session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


async def test_a_page_is_refreshed_by_a_pull_and_by_a_button(site: Site, service_folder: Path) -> None:
    """A pull from the top shows new photos, a short one or one further down does not; the button does the same."""
    shown = await gallery(site, service_folder, 40)
    visitor = await reader(site, shown, "feed", viewport=PHONE, has_touch=True, is_mobile=True)
    requests: list[str] = []
    visitor.page.on("request", lambda request: requests.append(request.url) if "source=list" in request.url else None)
    await pull(visitor.page, 60)
    await frames(visitor.page)
    assert requests == []
    new = await shown.author.upload(photograph("cat"), "pulled quokka")
    await published(shown.author, new["id"])
    await pull(visitor.page, 240)
    await visitor.sees(visitor.card("pulled quokka"))
    await expect(visitor.page.locator(".pull")).to_be_hidden()
    another = await shown.author.upload(photograph("flower"), "quokka of the button")
    await published(shown.author, another["id"])
    await visitor.page.get_by_role("button", name="Refresh").click()
    await visitor.sees(visitor.card("quokka of the button"))
