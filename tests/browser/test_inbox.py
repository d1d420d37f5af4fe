"""The inbox on the page: filters by kind, deletion with undo, the way to a comment, and the bell on a profile."""

from __future__ import annotations

import re

from playwright.async_api import expect

from tests.browser.visitor import WITHIN, Site, published
from tests.support.pictures import photograph


async def test_notifications_are_filtered_and_deleted_with_undo(site: Site) -> None:
    """A filter shows its kinds and where a comment is; a deleted entry leaves all browsers until that is undone."""
    owner, fan = await site.create_account(), await site.create_account()
    photo = await owner.upload(photograph("cat"), "mine")
    await published(owner, photo["id"])
    (await fan.call("PUT", f"/photos/{photo['id']}/like")).expect(200)
    (await fan.call("POST", f"/photos/{photo['id']}/comments", json={"text": "What a sight"})).expect(201)
    visitor, other = await site.signed_in(owner), await site.signed_in(owner)
    await visitor.sees_text(visitor.page.locator(".nav .badge"), re.compile("^2"))
    for each in (visitor, other):
        await each.open("/notifications")
    rows, others = visitor.page.locator(".notifications li"), other.page.locator(".notifications li")
    await expect(rows).to_have_count(2, timeout=WITHIN)
    await visitor.page.get_by_role("button", name="Followers").click()
    await visitor.sees(visitor.page.get_by_role("heading", name="No new followers"))
    await visitor.page.get_by_role("button", name="Comments").click()
    await expect(rows).to_have_count(1, timeout=WITHIN)
    await expect(rows).to_contain_text("What a sight")
    await rows.get_by_role("button", name="Delete").click()
    await visitor.sees(visitor.page.get_by_role("heading", name="No comments yet"))
    await expect(others).to_have_count(1, timeout=WITHIN)
    await visitor.page.get_by_role("button", name="Undo").click()
    await expect(others).to_have_count(2, timeout=WITHIN)
    await expect(rows).to_have_count(1, timeout=WITHIN)
    await rows.locator("a").click()
    await visitor.sees(visitor.page.locator(".linked", has_text="What a sight"))


async def test_a_bell_on_a_profile_brings_the_photos_of_an_account(site: Site) -> None:
    """The bell appears with the follow and ends with it; with it, a new photo is a notification."""
    author = await site.create_account()
    visitor = await site.signed_in(at=None)
    await visitor.open(f"/u/{author.name}")
    bell = visitor.page.locator(".bell-button")
    follow = visitor.page.get_by_role("button", name="Follow", exact=True)
    await visitor.sees(follow)
    await expect(bell).to_be_hidden()
    await follow.click()
    await visitor.sees(bell)
    await bell.click()
    await expect(bell).to_have_attribute("aria-pressed", "true")
    await visitor.sees(visitor.page.get_by_text("You are notified of each new photo"))
    photo = await author.upload(photograph("cat"), "new")
    await published(author, photo["id"])
    await visitor.visit("Notifications")
    await visitor.sees(visitor.page.get_by_text(f"{author.name} posted a photo"))
    await visitor.open(f"/u/{author.name}")
    await expect(bell).to_have_attribute("aria-pressed", "true", timeout=WITHIN)
    await visitor.page.get_by_role("button", name="Following").click()
    await expect(bell).to_be_hidden()
