"""Avatars and banners in the browser: chosen in the settings, shown everywhere, live on open pages."""

from __future__ import annotations

import re

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.visitor import WITHIN, Site, published
from tests.support.pictures import photograph


async def test_an_avatar_is_chosen_and_appears_live(site: Site) -> None:
    """A new avatar is shown in the settings and the navigation once it is processed, and on a profile that is open."""
    owner, fan = await site.signed_in(), await site.signed_in(at=None)
    await fan.open(f"/u/{owner.account.name}")
    await fan.live()
    await fan.subscribed(f"user:{owner.account.id}")
    await owner.open("/settings/profile")
    await owner.page.get_by_label("Choose a profile picture").set_input_files(photograph("flower"))
    field = owner.page.locator('.profile-image[data-kind="avatar"]')
    await owner.sees_text(field.get_by_role("status"), "Saved.")
    for place in (field, owner.page.get_by_role("navigation", name="Main")):
        await expect(place.locator(".avatar img")).to_have_js_property("complete", True, timeout=WITHIN)
        assert await place.locator(".avatar img").evaluate("(image) => image.naturalWidth") > 0
    await fan.sees(fan.page.locator(".profile-head .avatar img"))


async def test_followers_see_a_new_avatar_in_their_open_feed(site: Site) -> None:
    """A new avatar and name appear on the cards of an open feed, without a reload."""
    owner, fan = await site.create_account(), await site.signed_in()
    await fan.account.follow(owner)
    await published(owner, (await owner.upload(photograph("temple"), "Early"))["id"])
    card = fan.card("Early")
    await fan.sees(card)
    await expect(card.locator(".avatar img")).to_have_count(0)
    form = aiohttp.FormData()
    form.add_field("file", photograph("flower").read_bytes(), filename="a.jpg", content_type="image/jpeg")
    (await owner.call("PUT", "/users/me/avatar", data=form)).expect(202)
    await fan.sees(card.locator(".avatar img"))
    (await owner.call("PATCH", "/users/me", json={"display_name": "Ann the Second"})).expect(200)
    await fan.sees(card.get_by_role("link", name="Ann the Second"))


async def test_a_banner_is_chosen_and_removed(site: Site) -> None:
    """A banner is shown on the profile, live on open pages, and disappears after its removal."""
    owner, fan = await site.signed_in(), await site.signed_in(at=None)
    await fan.open(f"/u/{owner.account.name}")
    await fan.live()
    await fan.subscribed(f"user:{owner.account.id}")
    await owner.open("/settings/profile")
    field = owner.page.locator('.profile-image[data-kind="banner"]')
    await owner.sees(field.get_by_text("No banner yet"))
    await owner.page.get_by_label("Choose a banner").set_input_files(photograph("temple"))
    await owner.sees_text(field.get_by_role("status"), "Saved.")
    await fan.sees(fan.page.locator(".banner img"))
    await field.get_by_role("button", name="Remove").click()
    await owner.sees_text(field.get_by_role("status"), "Banner removed.")
    await fan.loses(fan.page.locator(".banner img"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<svg/>", "Send a JPEG, PNG, WebP, AVIF, GIF or HEIC."),
        (photograph("cat").read_bytes()[:9000], "The picture cannot be used"),
    ],
)
async def test_a_picture_that_cannot_be_used(site: Site, data: bytes, message: str) -> None:
    """A refused or rejected picture has its reason at the field, and the initial stays."""
    visitor = await site.signed_in(at=None)
    visitor.expect_error("status of 4")
    await visitor.open("/settings/profile")
    file = {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": data}
    await visitor.page.get_by_label("Choose a profile picture").set_input_files(file)  # type: ignore[arg-type]
    field = visitor.page.locator('.profile-image[data-kind="avatar"]')
    await expect(field.get_by_role("alert")).to_have_text(re.compile(message), timeout=WITHIN)
    await visitor.loses(field.locator(".avatar img"))
