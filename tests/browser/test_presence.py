"""Presence on profile pages."""

from __future__ import annotations

import re

from playwright.async_api import expect

from tests.browser.visitor import WITHIN, Site


async def test_a_profile_shows_presence_to_followers(site: Site) -> None:
    """A follower sees a user's presence change, until the user hides it or the follower unfollows."""
    owner, follower = await site.create_account(), await site.signed_in()
    await follower.account.follow(owner)
    await follower.open(f"/u/{owner.name}")
    await follower.sees(follower.page.get_by_role("heading", name=owner.name))
    presence = follower.page.locator(".presence")
    await expect(presence).to_be_hidden()
    await follower.subscribed(f"presence:{owner.id}")

    guest = await site.signed_in(owner)
    await follower.sees_text(presence, "Online")
    await guest.context.close()
    await follower.sees_text(presence, re.compile("^Last seen (just now|1 min ago)$"))

    again = await site.signed_in(owner)
    await follower.sees_text(presence, "Online")
    await again.open("/settings/privacy")
    await again.page.get_by_label("Show when you are online").uncheck()
    await again.page.get_by_role("button", name="Save").click()
    await expect(presence).to_be_hidden(timeout=WITHIN)

    (await owner.call("PATCH", "/users/me", json={"presence": "followers"})).expect(200)
    await follower.page.reload()
    await follower.sees_text(presence, "Online")
    follow = follower.page.get_by_role("button", name="Following")
    await follow.click()
    await expect(presence).to_be_hidden(timeout=WITHIN)
    await follower.page.get_by_role("button", name="Follow", exact=True).click()
    await follower.sees_text(presence, "Online")
