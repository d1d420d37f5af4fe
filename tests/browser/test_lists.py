"""Lists of accounts in the browser: the switch between feeds, the pages of lists, and the menu of a profile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Locator, Response, Route, expect

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import PHONE, WITHIN, Site, Visitor, published
from tests.support.api_user import ApiUser
from tests.support.pictures import photograph


async def _listed(owner: ApiUser, title: str, *members: ApiUser) -> str:
    """Create a list with accounts and return its id."""
    list_id: str = (await owner.call("POST", "/lists", json={"title": title})).expect(201)["id"]
    for member in members:
        (await owner.call("PUT", f"/lists/{list_id}/accounts/{member.id}")).expect(204)
    return list_id


def _sources(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("navigation", name="Feeds")


async def test_a_list_from_its_beginning_to_its_end(site: Site) -> None:
    """A list is created, filled by a search, read as a feed, renamed, and deleted."""
    author = await site.create_account()
    photo = await author.upload(photograph("rocket"), "Apart from all others")
    await published(author, photo["id"])
    visitor = await site.signed_in(viewport=PHONE)
    page = visitor.page
    await _sources(visitor).get_by_role("link", name="Lists").click()
    await visitor.sees(page.get_by_role("heading", name="No lists yet"))
    await page.get_by_role("button", name="New list").click()
    form = page.get_by_role("dialog", name="New list")
    visitor.expect_error("status of 422")
    await form.get_by_role("button", name="Create").click()
    await visitor.sees(form.get_by_text("A title has 1 to 80 letters"))
    await form.get_by_label("Title").fill("Rocketeers")
    await form.get_by_role("button", name="Create").click()
    await page.get_by_role("main").get_by_role("listitem").get_by_role("link", name="Rocketeers").last.click()
    await visitor.sees(page.get_by_role("heading", name="This list is empty"))
    await page.get_by_role("link", name="Add people").click()
    await page.get_by_label("Find people by user name").fill(author.name)
    await page.get_by_role("button", name=f"Add {author.name}").click()
    await visitor.sees(page.get_by_role("button", name=f"Remove {author.name}"))
    await page.get_by_role("link", name="To the photos of this list").click()
    await visitor.sees(visitor.card("Apart from all others"))
    await visitor.sees(page.get_by_role("link", name="1 person"))
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    current = _sources(visitor).get_by_role("link", name="Rocketeers")
    await expect(current).to_have_attribute("aria-current", "page")
    await page.get_by_role("button", name="Options of Rocketeers").click()
    await page.get_by_role("menuitem", name="Rename list").click()
    form = page.get_by_role("dialog", name="Rename list")
    await expect(form.get_by_label("Title")).to_have_value("Rocketeers")
    await form.get_by_label("Title").fill("Space")
    await form.get_by_role("button", name="Save").click()
    await visitor.sees(page.get_by_role("heading", name="Space"))
    await expect(page).to_have_title("Space · PicShare")
    await visitor.sees(_sources(visitor).get_by_role("link", name="Space"))
    await _delete(visitor, "Space")
    await page.get_by_role("button", name="New list").click()
    form = page.get_by_role("dialog", name="New list")
    await form.get_by_label("Title").fill("Second")
    await form.get_by_role("button", name="Create").click()
    await _delete(visitor, "Second")


async def _delete(visitor: Visitor, title: str) -> None:
    """Delete the only list by its menu, which is on its own page and on that of all lists."""
    page = visitor.page
    await page.get_by_role("button", name=f"Options of {title}").click()
    await page.get_by_role("menuitem", name="Delete list").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await visitor.sees(page.get_by_role("heading", name="No lists yet"))
    await visitor.loses(_sources(visitor).get_by_role("link", name=title))


async def test_a_list_without_photos_says_why(site: Site) -> None:
    """A list without people asks for some, also if its photos were read before its number of people."""
    visitor = await site.signed_in()
    list_id = await _listed(visitor.account, "Kin")
    photos_read = asyncio.Event()

    async def late(route: Route) -> None:
        await photos_read.wait()
        await route.continue_()

    def answered(response: Response) -> None:
        if "/api/v1/feed?" in response.url:
            photos_read.set()

    await visitor.page.route("**/api/v1/lists*", late)
    await visitor.page.route("**/api/v1/lists/*", late)
    visitor.page.on("response", answered)
    await visitor.open(f"/lists/{list_id}")
    await visitor.sees(visitor.page.get_by_role("heading", name="This list is empty"))
    await visitor.page.unroute_all(behavior="ignoreErrors")


async def test_an_account_is_added_on_its_profile(site: Site) -> None:
    """The menu of a profile shows which lists have the account; the home feed's switch then leads to its photos."""
    author, other = await site.create_account(), await site.create_account()
    photo = await author.upload(photograph("temple"), "A temple")
    await published(author, photo["id"])
    visitor = await site.signed_in()
    page = visitor.page
    await _listed(visitor.account, "Work", other)
    kin = await _listed(visitor.account, "Kin", author, other)
    await visitor.open(f"/u/{author.name}")
    await page.get_by_role("button", name="Profile options").click()
    await page.get_by_role("menuitem", name="Add to lists").click()
    dialog = page.get_by_role("dialog", name=f"Lists with @{author.name}")
    await expect(dialog.get_by_label("Kin")).to_be_checked(timeout=WITHIN)
    await expect(dialog.get_by_label("Work")).not_to_be_checked()
    await dialog.get_by_label("Kin").uncheck()
    await dialog.get_by_label("New list").fill("Places")
    await dialog.get_by_role("button", name="Create and add").click()
    await expect(dialog.get_by_label("Places")).to_be_checked(timeout=WITHIN)
    await dialog.get_by_role("button", name="Done").click()
    await visitor.loses(dialog)
    found = (await visitor.account.call("GET", f"/users/{author.id}/lists")).expect(200)["items"]
    assert [each["title"] for each in found] == ["Places"]
    await visitor.visit("Home")
    await _sources(visitor).get_by_role("link", name="Places").click()
    await visitor.sees(visitor.card("A temple"))
    await _sources(visitor).get_by_role("link", name="Kin").click()
    await visitor.sees(page.get_by_role("heading", name="No photos yet"))
    await _sources(visitor).get_by_role("link", name="Tags").click()
    await visitor.sees(page.get_by_role("heading", name="Tags you follow"))
    await _sources(visitor).get_by_role("link", name="Home").click()
    await visitor.sees(page.get_by_role("heading", name="Your feed is empty"))

    # An account that is blocked is in no list, and cannot be added to one.
    (await visitor.account.call("PUT", f"/users/{author.id}/block")).expect(204)
    await visitor.open(f"/u/{author.name}")
    await page.get_by_role("button", name="Profile options").click()
    await visitor.sees(page.get_by_role("menuitem", name="Unblock"))
    await expect(page.get_by_role("menuitem", name="Add to lists")).to_have_count(0)
    (await visitor.account.call("DELETE", f"/lists/{kin}")).expect(204)


async def test_a_list_that_is_full_or_gone(site: Site) -> None:
    """A refused addition is explained, and its check mark removed; a list that was deleted is not available."""
    author = await site.create_account()
    visitor = await site.signed_in()
    page = visitor.page
    list_id = await _listed(visitor.account, "Kin")
    refusal = '{"code": "list_full", "detail": "A list can have up to 500 accounts. Remove one of them first."}'
    visitor.expect_error("status of 40")
    await page.route(
        "**/api/v1/lists/*/accounts/*",
        lambda route: route.fulfill(status=409, content_type="application/problem+json", body=refusal),
    )
    await visitor.open(f"/u/{author.name}")
    await page.get_by_role("button", name="Profile options").click()
    await page.get_by_role("menuitem", name="Add to lists").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Kin").click()
    await visitor.sees(visitor.toast("A list can have up to 500 accounts"))
    await expect(dialog.get_by_label("Kin")).not_to_be_checked()
    (await visitor.account.call("DELETE", f"/lists/{list_id}")).expect(204)
    for path in (f"/lists/{list_id}", f"/lists/{list_id}/accounts", "/lists/nothing"):
        await visitor.open(path)
        heading = page.get_by_role("heading", level=1)
        await expect(heading).to_have_text("List not available", timeout=WITHIN)
        await expect(page).to_have_title("List not available · PicShare")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_pages_of_lists_fit_and_are_readable(site: Site, scheme: Any) -> None:
    """Long titles, in letters from right to left too, widen no page; texts have enough contrast."""
    member = await site.create_account()
    visitor = await site.signed_in(viewport={"width": 320, "height": 700}, color_scheme=scheme)
    page = visitor.page
    longest = await _listed(visitor.account, "Donaudampfschifffahrtsgesellschaft" * 2, member)
    for title in ("משפחה וחברים קרובים", *(f"List {number}" for number in range(12))):
        await _listed(visitor.account, title)
    for path, heading in (
        ("/lists", "Lists"),
        (f"/lists/{longest}", "Donaudampf"),
        (f"/lists/{longest}/accounts", "Donaudampf"),
        ("/discover/tags", "Tags you follow"),
    ):
        await visitor.open(path)
        await visitor.sees(page.get_by_role("heading", name=heading))
        if path != f"/lists/{longest}/accounts":
            await visitor.sees(_sources(visitor).get_by_role("link", name="List 11"))
            current = _sources(visitor).locator("[aria-current]")
            await expect(current).to_be_in_viewport(timeout=WITHIN)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert await poor_contrasts(visitor) == [], path
