"""Notifications on the page: marks of another device, and changes that are no news."""

from __future__ import annotations

import re

from playwright.async_api import Locator, Route, expect

from tests.browser.visitor import WITHIN, Site, Visitor, published
from tests.support.api_user import ApiUser
from tests.support.pictures import photograph


def badge(visitor: Visitor) -> Locator:
    """Return the number of unseen notifications in the navigation."""
    return visitor.page.locator(".nav .badge")


def entries(visitor: Visitor, text: str) -> Locator:
    """Return the entries of the list of notifications that have a text."""
    return visitor.page.locator(".notifications li").filter(has_text=text)


async def liked(site: Site, *photos: str) -> tuple[Visitor, ApiUser]:
    """Sign in an owner whose photos have a like each, and return the user who likes them, too."""
    owner, fan = await site.create_account(), await site.create_account()
    for caption in photos:
        photo = await owner.upload(photograph("cat"), caption)
        await published(owner, photo["id"])
        (await fan.call("PUT", f"/photos/{photo['id']}/like")).expect(200)
    visitor = await site.signed_in(owner)
    await visitor.sees_text(badge(visitor), re.compile(f"^{len(photos)}"))
    return visitor, fan


async def test_marks_of_another_device_change_the_badge(site: Site) -> None:
    """Notifications that another device marks as seen leave the badge live: those up to the one that it showed."""
    owner, _ = await liked(site, "older", "newer")
    listed = (await owner.account.call("GET", "/notifications")).expect(200)["items"]
    older = min(item["position"] for item in listed)
    (await owner.account.call("POST", "/notifications/seen", json={"up_to": older})).expect(204)
    await owner.sees_text(badge(owner), re.compile("^1"))
    (await owner.account.call("POST", "/notifications/seen", json={})).expect(204)
    await expect(badge(owner)).to_be_hidden(timeout=WITHIN)
    assert await owner.page.locator(".toast").count() == 0


async def test_opening_the_list_clears_the_badge_of_another_browser(site: Site) -> None:
    """The list marks what it shows, which the page in another browser of the user receives."""
    owner, _ = await liked(site, "one photo")
    other = await site.signed_in(owner.account)
    await other.sees_text(badge(other), re.compile("^1"))
    await other.visit("Notifications")
    await other.sees(entries(other, "liked your photo"))
    await expect(badge(owner)).to_be_hidden(timeout=WITHIN)


async def test_an_entry_that_was_read_elsewhere_is_not_new_any_more(site: Site) -> None:
    """What this page has marked as seen stays highlighted until another device reads it."""
    owner, _ = await liked(site, "one photo")
    await owner.visit("Notifications")
    entry = entries(owner, "liked your photo")
    await expect(entry).to_have_class(re.compile(r"\bnew\b"), timeout=WITHIN)
    listed = (await owner.account.call("GET", "/notifications")).expect(200)["items"]
    (await owner.account.call("POST", "/notifications/read", json={"ids": [listed[0]["id"]]})).expect(204)
    await expect(entry).not_to_have_class(re.compile(r"\bnew\b"), timeout=WITHIN)


async def test_a_change_updates_an_entry_without_counting_as_news(site: Site) -> None:
    """An unlike by one of two users changes the text in its place; it neither rings nor counts nor moves up."""
    owner, fan = await liked(site, "liked by two")
    second = await site.create_account()
    photo = (await owner.account.call("GET", f"/users/{owner.account.name}/photos")).expect(200)["items"][0]
    (await second.call("PUT", f"/photos/{photo['id']}/like")).expect(200)
    await owner.sees(owner.toast(f"{second.name} and {fan.name}"))
    await owner.visit("Notifications")
    both = entries(owner, f"{second.name} and {fan.name} liked your photo")
    await owner.sees(both)
    await expect(badge(owner)).to_be_hidden(timeout=WITHIN)
    (await second.call("PUT", f"/users/{owner.account.id}/follow")).expect(204)
    await owner.sees(entries(owner, f"{second.name} started following you"))
    await expect(badge(owner)).to_be_hidden(timeout=WITHIN)
    await owner.loses(owner.page.locator(".toast"))

    (await second.call("DELETE", f"/photos/{photo['id']}/like")).expect(200)
    await owner.sees(entries(owner, f"{fan.name} liked your photo"))
    await owner.loses(both)
    await expect(owner.page.locator(".notifications li").nth(1)).to_contain_text(f"{fan.name} liked your photo")
    await expect(badge(owner)).to_be_hidden()
    await expect(owner.page.locator(".toast")).to_have_count(0)


async def test_an_entry_about_a_webhook_leads_to_it(site: Site) -> None:
    """The entry is the server's answer in another form: a webhook has to fail for an hour before there is one."""
    visitor, _ = await liked(site, "older")
    webhook = "03B2GR6ZXXJ5W"
    visitor.expect_error("404")

    async def about_webhook(route: Route) -> None:
        response = await route.fetch()
        body = await response.json()
        for item in body["items"]:
            item |= {"kind": "webhook_failing", "actors": [], "photo_id": None, "webhook_id": webhook}
        await route.fulfill(response=response, json=body)

    await visitor.page.route(re.compile("/api/v1/notifications\\?"), about_webhook)
    await visitor.open("/notifications")
    await visitor.page.locator(".notifications li a").click()
    await visitor.page.wait_for_url(f"**/settings/webhooks/{webhook}", timeout=WITHIN)
