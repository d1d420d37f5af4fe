"""Animations in the page: they play while they are visible, and can be paused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.browser.visitor import WITHIN, Site, Visitor, published
from tests.support.animations import animated
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.pictures import photograph


@pytest.fixture(scope="module")
def animation() -> bytes:
    """An animation as large as a photo."""
    return animated("GIF", size=(600, 400), loop=0)


async def posted(account: ApiUser, data: bytes) -> str:
    """Post a photo, wait until all its images are there, and return its id."""
    photo_id: str = (await account.upload(data))["id"]
    await published(account, photo_id)
    return photo_id


def motion(visitor: Visitor) -> Locator:
    """Return the image with all frames."""
    return visitor.page.locator(".frame:not(.cover) img.motion")


async def plays(visitor: Visitor) -> None:
    """Wait until the animation is loaded and shown."""
    await expect(motion(visitor)).to_have_count(1, timeout=WITHIN)
    await expect(motion(visitor)).to_have_js_property("complete", True, timeout=WITHIN)
    assert await motion(visitor).evaluate("(image) => image.naturalWidth") == 600
    # In one step, because the pictures may be moving.
    same_place = """(image) => {
        const still = image.closest(".frame").querySelector("picture img");
        return JSON.stringify(image.getBoundingClientRect()) === JSON.stringify(still.getBoundingClientRect());
    }"""
    assert await motion(visitor).evaluate(same_place)


def button(visitor: Visitor, name: str) -> Locator:
    """Return the button that plays or pauses."""
    return visitor.page.get_by_role("button", name=name)


@pytest.mark.parametrize("path", ["/", "/p/{id}"])
async def test_it_plays_until_it_is_paused(site: Site, animation: bytes, path: str) -> None:
    """In a feed and on its own page an animation plays by itself; a button pauses it, also by the keyboard."""
    account = await site.create_account()
    photo_id = await posted(account, animation)
    visitor = await site.signed_in(account, reduced_motion="no-preference", at=None)
    await visitor.open(path.format(id=photo_id))
    await plays(visitor)
    await button(visitor, "Pause the animation").click()
    await expect(motion(visitor)).to_have_count(0, timeout=WITHIN)
    await button(visitor, "Play the animation").press("Enter")
    await plays(visitor)
    await expect(button(visitor, "Pause the animation")).to_be_focused()
    # Taps on the button are none on the photo: they neither like it nor open its page.
    await visitor.page.locator(".motion-button").dblclick()
    await plays(visitor)
    await expect(visitor.page.locator("button.like")).to_have_attribute("aria-pressed", "false")


async def test_users_who_want_little_motion_start_it_themselves(site: Site, animation: bytes) -> None:
    """With `prefers-reduced-motion` nothing moves, and nothing is loaded, before the button is pressed."""
    account = await site.create_account()
    await posted(account, animation)
    visitor = await site.visitor(account, reduced_motion="reduce")
    requests: list[str] = []
    visitor.page.on("request", lambda request: requests.append(request.url))
    await visitor.open()
    await visitor.sign_in()
    await visitor.sees(visitor.page.locator("article.card .frame.loaded:not(.cover)"))
    await visitor.sees(button(visitor, "Play the animation"))
    assert not [url for url in requests if "motion.webp" in url]
    await button(visitor, "Play the animation").click()
    await plays(visitor)


async def test_it_plays_only_while_it_is_visible(site: Site, animation: bytes) -> None:
    """Out of sight it stops, and goes on when it comes back; a pause by the user lasts."""
    account = await site.create_account()
    await posted(account, animation)
    for name in ("temple", "flower"):
        await posted(account, photograph(name).read_bytes())
    visitor = await site.signed_in(account, reduced_motion="no-preference")
    cards = visitor.page.locator("article.card")
    await expect(cards).to_have_count(3, timeout=WITHIN)
    await expect(motion(visitor)).to_have_count(0)
    await cards.nth(2).scroll_into_view_if_needed()
    await plays(visitor)
    await cards.nth(0).scroll_into_view_if_needed()
    await expect(motion(visitor)).to_have_count(0, timeout=WITHIN)
    await expect(button(visitor, "Pause the animation")).to_have_count(1)
    assert await button(visitor, "Play the animation").count() == 0


async def test_among_several_pictures_it_plays_while_it_is_shown(site: Site, animation: bytes) -> None:
    """An animation that is the second picture of a photo waits until a visitor turns to it."""
    account = await site.create_account()
    photo = await account.post_pictures(photograph().read_bytes(), animation)
    await published(account, photo["id"])
    visitor = await site.signed_in(account, reduced_motion="no-preference")
    await visitor.sees(visitor.page.locator(".frame:not(.cover).loaded"))
    await expect(visitor.page.locator(".motion-button")).to_have_count(1, timeout=WITHIN)
    await expect(motion(visitor)).to_have_count(0)
    await visitor.page.get_by_role("button", name="Next picture").click()
    await plays(visitor)
    await visitor.page.get_by_role("button", name="Previous picture").click()
    await expect(motion(visitor)).to_have_count(0, timeout=WITHIN)


async def test_an_animation_that_is_still_being_made_is_tried_again(site: Site, animation: bytes) -> None:
    """While the image with all frames is missing, the first one stays; it plays two seconds later."""
    account = await site.create_account()
    await posted(account, animation)
    visitor = await site.visitor(account, reduced_motion="no-preference")
    visitor.expect_error("status of 503")
    requests: list[str] = []

    async def fail_once(route: Any) -> None:
        requests.append(route.request.url)
        await (route.fulfill(status=503) if len(requests) == 1 else route.continue_())

    await visitor.page.route(re.compile(r"motion\.webp"), fail_once)
    await visitor.open()
    await visitor.sign_in()
    await eventually(lambda: len(requests) == 2, within=WITHIN / 1000)
    await plays(visitor)


async def test_a_still_photo_has_no_button(site: Site) -> None:
    """There is nothing to pause in a still photo."""
    account = await site.create_account()
    await posted(account, photograph().read_bytes())
    visitor = await site.signed_in(account, reduced_motion="no-preference")
    await expect(visitor.page.locator(".frame:not(.cover)")).to_have_class(re.compile("loaded"), timeout=WITHIN)
    await expect(visitor.page.locator(".motion-button")).to_have_count(0)
