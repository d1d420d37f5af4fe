"""Sensitive and hidden photos in the browser: blurred until they are wanted, and gone from every open screen."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import expect

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import PHONE, WITHIN, Promote, Site, published
from tests.support.api_user import ApiUser
from tests.support.pictures import encoded, halves, photograph


async def decide(moderator: ApiUser, photo: dict[str, Any], verdict: str, reason: str = "") -> None:
    """Decide about a photo."""
    body = {"verdict": verdict, "reason": reason}
    (await moderator.call("POST", f"/moderation/{photo['id']}", json=body)).expect(200)


async def test_a_sensitive_photo_is_shown_when_it_is_wanted(site: Site, promote: Promote) -> None:
    """Its image is not fetched before; the button shows it everywhere, and likes and opens nothing."""
    moderator = await promote(await site.create_account())
    author, visitor = await site.create_account(), await site.signed_in(viewport=PHONE)
    await visitor.account.follow(author)
    # A picture of its own: suggestions may show that of others at once.
    photo = await author.upload(encoded(halves(400, 302)), "At the lake")
    await published(author, photo["id"])
    # Away from the feed, which shows the photo as it was.
    await visitor.page.goto("about:blank")
    await decide(moderator, photo, "sensitive", "Shows a wound")
    fetched: list[str] = []
    visitor.page.on("request", lambda request: fetched.append(request.url))
    ready = (await author.call("GET", f"/photos/{photo['id']}")).expect(200)
    (sha256,) = re.findall("[0-9a-f]{64}", ready["urls"]["feed"])
    await visitor.open("/")
    card = visitor.card("At the lake")
    await visitor.sees(card.get_by_text("Sensitive content"))
    assert await card.locator("img:not(.avatar img)").count() == 0
    assert not [url for url in fetched if sha256 in url]
    assert await poor_contrasts(visitor) == []
    await card.get_by_role("button", name="Show").click()
    await visitor.sees(card.locator(".frame.loaded img"))
    await expect(card.get_by_role("button", name=re.compile("^Like"))).to_have_attribute("aria-pressed", "false")
    await card.get_by_role("link", name=re.compile("Comments")).click()
    await visitor.sees(visitor.page.locator(".photo-page .frame.loaded img"))
    await visitor.page.reload()
    await visitor.sees(visitor.page.locator(".photo-page").get_by_role("button", name="Show"))


async def test_a_mark_reaches_an_open_page(site: Site, promote: Promote) -> None:
    """A photo that is marked while it is open is blurred at once, and shown again when the mark ends."""
    moderator = await promote(await site.create_account())
    author, visitor = await site.create_account(), await site.signed_in()
    photo = await author.upload(photograph(), "At the lake")
    await published(author, photo["id"])
    await visitor.open(f"/p/{photo['id']}")
    await visitor.subscribed(f"photo:{photo['id']}")
    await visitor.sees(visitor.page.locator(".photo-page .frame.loaded img"))
    await decide(moderator, photo, "sensitive")
    await visitor.sees(visitor.page.get_by_text("Sensitive content"))
    await decide(moderator, photo, "allow")
    await visitor.sees(visitor.page.locator(".photo-page .frame.loaded img"))


async def test_a_hidden_photo_leaves_open_screens(site: Site, promote: Promote) -> None:
    """It leaves feeds, profiles and its own page; its author sees it there with the reason, and it returns."""
    moderator = await promote(await site.create_account())
    author = await site.signed_in(viewport=PHONE)
    feed, page, profile = [await site.signed_in(viewport=PHONE) for _ in range(3)]
    await feed.account.follow(author.account)
    photo = await author.account.upload(photograph(), "At the lake")
    await published(author.account, photo["id"])
    for visitor in (page, profile):
        visitor.expect_error("404")
    await feed.open("/")
    await feed.sees(feed.card("At the lake"))
    await feed.live()
    await profile.open(f"/u/{author.account.name}")
    await profile.subscribed(f"user:{author.account.id}")
    await profile.sees(profile.page.locator("a.cell"))
    for visitor in (page, author):
        await visitor.open(f"/p/{photo['id']}")
        await visitor.subscribed(f"photo:{photo['id']}")
        await visitor.sees(visitor.page.locator(".photo-page .frame.loaded img"))
    await decide(moderator, photo, "hide", "Shows a stranger's address")
    await feed.loses(feed.card("At the lake"))
    await profile.loses(profile.page.locator("a.cell"))
    await page.sees(page.page.get_by_text("Photo not available"))
    note = author.page.get_by_role("note")
    await author.sees_text(note, "This photo was hidden from others: Shows a stranger's address")
    await author.sees(author.page.locator(".photo-page .frame.loaded img"))
    assert await poor_contrasts(author) == []
    await author.open(f"/u/{author.account.name}")
    await author.sees(author.page.locator("a.cell .withheld"))
    await expect(author.page.locator("a.cell")).to_have_attribute("aria-label", re.compile("hidden from others"))
    await decide(moderator, photo, "allow")
    await feed.sees(feed.card("At the lake"))
    await author.open(f"/p/{photo['id']}")
    await author.sees(author.page.locator(".photo-page .frame.loaded img"))
    await expect(author.page.get_by_role("note")).to_have_count(0, timeout=WITHIN)
