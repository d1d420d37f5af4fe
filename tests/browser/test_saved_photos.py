"""The button that saves a photo, the order of a collection, and the collections on a profile, in the browser."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
from playwright.async_api import Locator, Route, expect

from server.operation.data_dir import read_run_file
from storage import ids
from tests.browser.visitor import PHONE, WITHIN, Site, Visitor, published
from tests.support.eventually import eventually
from tests.support.many_photos import copies
from tests.support.pictures import photograph


async def _shared(site: Site, owner: Visitor, *captions: str) -> list[str]:
    """Let an account share photos, and return their ids."""
    found = []
    for caption in captions:
        photo = (await owner.account.upload(photograph(), caption))["id"]
        await published(owner.account, photo)
        found.append(photo)
    return found


def _save_button(within: Locator | Any) -> Locator:
    button: Locator = within.get_by_role("button", name="Save", exact=True)
    return button


async def _is_pressed(button: Locator, pressed: bool) -> None:
    await expect(button).to_have_attribute("aria-pressed", str(pressed).lower(), timeout=WITHIN)


async def _refuse_as(route: Route, status: int) -> None:
    body = json.dumps({"title": "Refused", "status": status, "code": "refused", "detail": "Try again later."})
    await route.fulfill(status=status, body=body, content_type="application/problem+json")


async def _refuse(route: Route) -> None:
    await _refuse_as(route, 503)


async def test_the_button_in_the_feed(site: Site) -> None:
    """Each card has the true state, changes at once, and takes it back with a message if the request fails."""
    owner, fan = await site.signed_in(), await site.signed_in(viewport=PHONE, at=None)
    await fan.account.follow(owner.account)
    rocket, moon = await _shared(site, owner, "A rocket", "The moon")
    (await fan.account.call("PUT", f"/photos/{rocket}/save")).expect(204)
    await fan.open("/")
    await _is_pressed(_save_button(fan.card("A rocket")), True)
    await _is_pressed(_save_button(fan.card("The moon")), False)
    await _save_button(fan.card("The moon")).click()
    await _is_pressed(_save_button(fan.card("The moon")), True)
    await fan.sees(fan.toast("Saved"))

    async def saved() -> set[str]:
        state = await fan.account.call("GET", f"/photos/saved-state?ids={rocket},{moon}")
        return set(state.expect(200)["saved"])

    assert await saved() == {rocket, moon}
    # The state of a photo is the same wherever the page shows it.
    await fan.card("The moon").get_by_role("link", name="Comments").click()
    button = _save_button(fan.page.locator(".photo-page"))
    await _is_pressed(button, True)
    await button.click()
    await _is_pressed(button, False)
    await fan.sees(fan.toast("Removed from your saved photos"))
    await fan.page.get_by_role("button", name="Back").click()
    await _is_pressed(_save_button(fan.card("The moon")), False)
    assert await saved() == {rocket}

    held = asyncio.Event()

    async def refuse_later(route: Route) -> None:
        await held.wait()
        # A 503 would be sent again later (test_offline.py).
        await _refuse_as(route, 403)

    fan.expect_error("403")
    await fan.page.route("**/photos/*/save", refuse_later)
    await _save_button(fan.card("A rocket")).click()
    await _is_pressed(_save_button(fan.card("A rocket")), False)
    held.set()
    await fan.sees(fan.toast("Try again later."))
    await _is_pressed(_save_button(fan.card("A rocket")), True)
    assert await saved() == {rocket}


async def test_a_feed_without_the_states(site: Site) -> None:
    """Where what is saved cannot be read, the feed and its buttons work; the dialog's change is shown, too."""
    owner, fan = await site.signed_in(), await site.signed_in()
    await fan.account.follow(owner.account)
    (rocket,) = await _shared(site, owner, "A rocket")
    fan.expect_error("503")
    await fan.page.route("**/photos/saved-state*", _refuse)
    await fan.open("/")
    card = fan.card("A rocket")
    await _is_pressed(_save_button(card), False)
    await card.get_by_role("button", name="Photo options").click()
    await fan.page.get_by_role("menuitem", name="Save").click()
    dialog = fan.page.get_by_role("dialog", name="Save photo")
    await dialog.get_by_label("Saved photos").check()
    await dialog.get_by_role("button", name="Done").click()
    await _is_pressed(_save_button(card), True)
    assert (await fan.account.call("GET", f"/photos/{rocket}")).expect(200)["saved"]


async def _collection(visitor: Visitor, title: str, photo_ids: list[str], *, public: bool = False) -> str:
    """Create a collection of photos, the last one first."""
    created = (await visitor.account.call("POST", "/collections", json={"title": title, "public": public})).expect(201)
    for photo_id in photo_ids:
        path = f"/collections/{created['id']}/items"
        (await visitor.account.call("POST", path, json={"photo_id": photo_id})).expect(204)
    identifier: str = created["id"]
    return identifier


async def _listed(visitor: Visitor, collection: str) -> list[str]:
    page = (await visitor.account.call("GET", f"/collections/{collection}/items")).expect(200)
    return [photo["id"] for photo in page["items"]]


async def _shown(visitor: Visitor) -> list[str]:
    found: list[str] = await visitor.page.locator(".grid > [data-photo]").evaluate_all(
        "cells => cells.map((cell) => cell.dataset.photo)"
    )
    return found


async def _has_order(visitor: Visitor, collection: str, expected: list[str]) -> None:
    """Wait until the page shows an order and the server has it."""

    async def agreed() -> bool:
        return await _shown(visitor) == expected == await _listed(visitor, collection)

    await eventually(agreed, within=WITHIN / 1000)


async def _arrange(visitor: Visitor) -> None:
    await visitor.page.get_by_role("button", name="Collection options").click()
    await visitor.page.get_by_role("menuitem", name="Arrange photos").click()


async def test_arranging_a_collection(site: Site) -> None:
    """Its owner moves photos by buttons, arrow keys and dragging; the server has the order, and a reload shows it."""
    owner = await site.signed_in()
    photos = await _shared(site, owner, "one", "two", "three", "four")
    one, two, three, four = photos
    collection = await _collection(owner, "Space", photos)
    await owner.open(f"/c/{collection}")
    await expect(owner.page.locator("a.cell")).to_have_count(4, timeout=WITHIN)
    assert await _shown(owner) == [four, three, two, one]
    assert await owner.page.get_by_role("button", name="Move later").count() == 0
    await _arrange(owner)

    def cell(photo: str) -> Locator:
        return owner.page.locator(f".arranged[data-photo='{photo}']")

    def tool(photo: str, label: str) -> Locator:
        return cell(photo).get_by_role("button", name=label)

    await tool(four, "Move later").click()
    await _has_order(owner, collection, [three, four, two, one])
    await owner.sees(owner.page.get_by_text("Place 2 of 4"))
    await expect(tool(four, "Move later")).to_be_focused()
    for _ in range(2):
        await owner.page.keyboard.press("ArrowRight")
    await _has_order(owner, collection, [three, two, one, four])
    await owner.page.keyboard.press("ArrowRight")  # it is the last one
    await owner.page.keyboard.press("Home")
    await _has_order(owner, collection, [four, three, two, one])
    await tool(one, "Move earlier").click()
    await tool(two, "Move to the front").click()
    await _has_order(owner, collection, [two, four, three, one])
    await cell(one).drag_to(cell(two), target_position={"x": 5, "y": 5})
    await _has_order(owner, collection, [one, two, four, three])
    box = await cell(three).bounding_box()
    assert box is not None
    await cell(one).drag_to(cell(three), target_position={"x": box["width"] - 5, "y": 5})
    await _has_order(owner, collection, [two, four, three, one])
    await cell(one).click(position={"x": 5, "y": 5})
    assert owner.page.url.endswith(f"/c/{collection}")  # photos are not opened meanwhile
    await owner.page.get_by_role("button", name="Done").click()
    await owner.loses(owner.page.get_by_role("button", name="Move later"))
    await owner.page.reload()
    await _has_order(owner, collection, [two, four, three, one])
    await owner.page.locator(f"a.cell[href='/p/{four}']").click()
    await owner.sees(owner.page.locator(".photo-page"))


FILL = """
    INSERT INTO collection_items (shard, collection_id, photo_id, owner_id, position)
    SELECT i.shard, i.collection_id, p.id, i.owner_id, i.position - p.place * 1000
    FROM collection_items i CROSS JOIN unnest($2::bigint[]) WITH ORDINALITY AS p (id, place)
    WHERE i.collection_id = $1"""


async def _long_collection(owner: Visitor, folder: Path, photo: str, number: int) -> tuple[str, list[str]]:
    """Create a collection of a photo and copies of it; return its id and those of the photos in their order."""
    collection = await _collection(owner, "Space", [photo])
    others = await copies(folder / "data", photo, number - 1, caption="comet")
    connection = await asyncpg.connect(read_run_file(folder / "data")["database"])
    await connection.execute(FILL, ids.decode(collection), [ids.decode(each) for each in others])
    await connection.close()
    return collection, [photo, *others]


async def test_arranging_a_long_collection(site: Site, service_folder: Path) -> None:
    """The page stays bounded; a photo moves over a distance that is not drawn, keeps the focus and is in sight."""
    owner = await site.signed_in()
    photo = await owner.account.upload(photograph("rocket"), "comet")
    await published(owner.account, photo["id"])
    collection, photos = await _long_collection(owner, service_folder, photo["id"], 300)
    page = owner.page
    await owner.open(f"/c/{collection}")
    await owner.sees(page.locator(f".arranged[data-photo='{photos[0]}']"))
    await _arrange(owner)
    last = page.locator(f".arranged[data-photo='{photos[-1]}']")
    async with asyncio.timeout(WITHIN / 1000):
        while not await last.count():
            await page.evaluate("() => scrollBy({ top: innerHeight, behavior: 'instant' })")
            await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert await page.locator(".arranged").count() < 200
    front = last.get_by_role("button", name="Move to the front")
    await front.click()
    await owner.sees(page.get_by_text("Place 1 of 300"))
    await expect(front).to_be_focused()
    await expect(last).to_be_in_viewport(timeout=WITHIN)
    await page.keyboard.press("ArrowRight")
    expected = [photos[0], photos[-1], *photos[1:-1]]

    async def arranged() -> bool:
        shown = await _shown(owner)
        return shown == expected[: len(shown)] and await _listed(owner, collection) == expected[:20]

    await eventually(arranged, within=WITHIN / 1000)
    assert await page.locator(".arranged").count() < 200


async def test_a_move_that_fails(site: Site) -> None:
    """The photos return to the order that the server has, with a message; a later move works."""
    owner = await site.signed_in(viewport=PHONE)
    photos = await _shared(site, owner, "one", "two", "three")
    one, two, three = photos
    collection = await _collection(owner, "Space", photos)
    owner.expect_error("503")
    await owner.page.route("**/items/*", _refuse)
    await owner.open(f"/c/{collection}")
    await _arrange(owner)
    later = owner.page.locator(f".arranged[data-photo='{three}']").get_by_role("button", name="Move later")
    await later.click()
    await owner.sees(owner.toast("Try again later."))
    await _has_order(owner, collection, [three, two, one])
    await owner.page.unroute("**/items/*")
    await later.click()
    await _has_order(owner, collection, [two, three, one])


async def test_only_owners_arrange(site: Site) -> None:
    """Others see a public collection without the menu."""
    owner, fan = await site.signed_in(), await site.signed_in(at=None)
    collection = await _collection(owner, "Space", await _shared(site, owner, "one"), public=True)
    await fan.open(f"/c/{collection}")
    await expect(fan.page.locator("a.cell")).to_have_count(1, timeout=WITHIN)
    assert await fan.page.get_by_role("button", name="Collection options").count() == 0


async def test_collections_on_a_profile(site: Site) -> None:
    """A profile shows public collections, page by page, and to its owner the others, too; none without any."""
    owner, fan = await site.signed_in(), await site.signed_in(viewport=PHONE, at=None)
    photos = await _shared(site, owner, "one")
    await fan.open(f"/u/{owner.account.name}")
    await expect(fan.page.locator("a.cell")).to_have_count(1, timeout=WITHIN)
    assert await fan.page.get_by_role("heading", name="Collections").count() == 0
    await _collection(owner, "Secret", photos)
    for number in range(13):
        await _collection(owner, f"Space {number}", photos if number == 12 else [], public=True)
    for visitor, expected in ((fan, 13), (owner, 14)):
        await visitor.open(f"/u/{owner.account.name}")
        region = visitor.page.get_by_role("region", name="Collections")
        await expect(region.get_by_role("listitem")).to_have_count(12, timeout=WITHIN)
        await expect(region.locator("img")).to_have_count(1)
        await region.get_by_role("button", name="More collections").click()
        await expect(region.get_by_role("listitem")).to_have_count(expected, timeout=WITHIN)
        await visitor.loses(region.get_by_role("button", name="More collections"))
        await expect(region.get_by_text("Secret")).to_have_count(expected - 13)
        await expect(region.get_by_text("Only you")).to_have_count(expected - 13)
    await fan.page.get_by_role("link", name="Space 12").click()
    await fan.sees(fan.page.get_by_role("heading", name="Space 12"))


async def test_a_response_from_before_takes_nothing_back(site: Site) -> None:
    """What is read again with a connection may be older than what the user does meanwhile."""
    owner, fan = await site.signed_in(), await site.signed_in()
    (photo,) = await _shared(site, owner, "A rocket")
    held, asked, reads = asyncio.Event(), asyncio.Event(), 0

    async def answer(route: Route) -> None:
        nonlocal reads
        reads += 1
        response = await route.fetch()
        if reads > 1:
            asked.set()
            await held.wait()
        await route.fulfill(response=response)

    await fan.page.route(f"**/api/v1/photos/{photo}", answer)
    fan.expect_error("ERR_|WebSocket")
    await fan.open(f"/p/{photo}")
    await fan.subscribed(f"photo:{photo}")
    await fan.context.set_offline(True)
    await expect(fan.connection_status().first).to_have_attribute("data-state", "offline", timeout=WITHIN)
    await fan.context.set_offline(False)
    await asyncio.wait_for(asked.wait(), WITHIN / 1000)
    button = _save_button(fan.page.locator(".photo-page"))
    like = fan.page.locator(".photo-page").get_by_role("button", name="Like")
    await button.click()
    await like.click()
    await fan.sees(fan.toast("Saved"))
    await expect(like).to_have_attribute("aria-pressed", "true", timeout=WITHIN)
    async with fan.page.expect_response(lambda response: f"/photos/{photo}/comments" in response.url):
        held.set()
    await _is_pressed(button, True)
    await expect(like).to_have_attribute("aria-pressed", "true", timeout=WITHIN)
