"""Photos of several pictures in the browser: swiped and turned, in feeds and on their own page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.browser.contrast import poor_contrasts
from tests.browser.gestures import double_click
from tests.browser.test_layout import SMALL_TARGETS
from tests.browser.visitor import PHONE, WITHIN, Site, Visitor, published
from tests.support.pictures import encoded, halves, photograph

PICTURES = [photograph("rocket").read_bytes(), photograph("temple").read_bytes(), encoded(halves(400, 600))]
# What lies within the slides and reaches into the window of the carousel by at least half.
VISIBLE = """(slides) => [...slides.children].filter((frame) => {
    const { left, right } = frame.getBoundingClientRect(), window = slides.getBoundingClientRect();
    return Math.min(right, window.right) - Math.max(left, window.left) > window.width / 2;
}).map((frame) => frame.querySelector("img").alt)"""
SCROLL = "(slides, index) => slides.scrollTo({ left: index * slides.clientWidth, behavior: 'instant' })"
LOADING = "(carousel) => [...carousel.querySelectorAll('img')].map((image) => image.loading)"


async def several(visitor: Visitor, caption: str = "Three") -> str:
    """Post a photo of three pictures as the visitor, wait until it is published, and return its id."""
    photo = await visitor.account.post_pictures(*PICTURES, caption=caption)
    await published(visitor.account, photo["id"])
    return str(photo["id"])


async def shows(carousel: Locator, number: int) -> None:
    """Wait until a carousel shows the picture with this number, and says so everywhere."""
    await expect(carousel.get_by_role("status")).to_have_text(f"{number} of 3", timeout=WITHIN)
    await expect(carousel.get_by_role("button", name=f"Picture {number} of 3")).to_have_attribute(
        "aria-current", "true"
    )
    await expect(carousel.locator(".dot[aria-current=true]")).to_have_count(1)
    slides = carousel.locator(".slides")
    await slides.page.wait_for_function(
        f"([slides, alt]) => ({VISIBLE})(slides).join() === alt",
        arg=[await slides.element_handle(), f"picture {number}"],
    )


async def test_pictures_are_turned_by_buttons_dots_keys_and_swipes(site: Site) -> None:
    """Each way shows the next picture, and none leads beyond the ends; a tap on a control likes and opens nothing."""
    visitor = await site.signed_in(viewport=PHONE)
    await several(visitor)
    await visitor.open("/")
    carousel = visitor.card("Three").get_by_role("region", name="3 pictures")
    await shows(carousel, 1)
    following, previous = (carousel.get_by_role("button", name=f"{way} picture") for way in ("Next", "Previous"))
    await expect(previous).to_have_attribute("aria-disabled", "true")
    await following.click()
    await shows(carousel, 2)
    await carousel.get_by_role("button", name="Picture 3 of 3").click()
    await shows(carousel, 3)
    await expect(following).to_have_attribute("aria-disabled", "true")
    await carousel.locator(".slides").focus()
    for key, number in (("ArrowRight", 3), ("ArrowLeft", 2), ("ArrowLeft", 1), ("ArrowLeft", 1), ("ArrowRight", 2)):
        await visitor.page.keyboard.press(key)
        await shows(carousel, number)
    await carousel.locator(".slides").evaluate(SCROLL, 2)
    await shows(carousel, 3)
    await previous.dblclick()
    await shows(carousel, 1)
    assert visitor.page.url == f"{visitor.url}/"
    await expect(visitor.card("Three").locator(".like")).to_have_attribute("aria-pressed", "false")


async def test_the_first_picture_is_loaded_first_and_nothing_moves(site: Site) -> None:
    """The frame keeps its shape, that of the first picture, while others are loaded and turned; those are lazy."""
    visitor = await site.signed_in()
    photo = await several(visitor)
    await visitor.open(f"/p/{photo}")
    carousel = visitor.page.get_by_role("region", name="3 pictures")
    await visitor.sees(carousel.locator(".frame.loaded").first)
    assert await carousel.evaluate(LOADING) == ["eager", "lazy", "lazy"]
    before = await carousel.bounding_box()
    assert before is not None
    await carousel.get_by_role("button", name="Picture 3 of 3").click()
    await shows(carousel, 3)
    await visitor.sees(carousel.locator(".frame.loaded").nth(2))
    assert await carousel.bounding_box() == before
    # The third picture is taller than the frame, so it is shown, and loaded, less wide.
    sizes = [await image.get_attribute("sizes") for image in await carousel.locator("img").all()]
    # Before the last of them are those for screens of high density.
    assert (sizes[0] or "").endswith("), min(100vw, 37.5rem)")
    assert re.search(r"\* 0\.445\)", sizes[2] or "")
    boxes = [await frame.bounding_box() for frame in await carousel.locator(".frame").all()]
    assert {(box["width"], box["height"]) for box in boxes if box} == {(before["width"], before["height"])}


async def test_a_double_tap_on_any_picture_likes_the_photo(site: Site) -> None:
    """The like is that of the photo."""
    visitor = await site.signed_in()
    await several(visitor)
    await visitor.open("/")
    card = visitor.card("Three")
    await card.get_by_role("button", name="Picture 2 of 3").click()
    await shows(card.get_by_role("region"), 2)
    await double_click(visitor, card.locator(".frame").nth(1))
    await expect(card.locator(".like")).to_have_attribute("aria-pressed", "true", timeout=WITHIN)


async def test_a_grid_says_that_there_are_several(site: Site) -> None:
    """A cell shows the first picture, with a mark and the number in its name; one of a single picture has neither."""
    visitor = await site.signed_in()
    photo = await several(visitor)
    single = await visitor.account.upload(photograph("coffee"), "Alone")
    await published(visitor.account, single["id"])
    await visitor.open(f"/u/{visitor.account.name}")
    await expect(visitor.page.locator(f"[data-photo='{photo}']")).to_have_attribute(
        "aria-label", "picture 1 (3 pictures)", timeout=WITHIN
    )
    await expect(visitor.page.locator(f"[data-photo='{photo}'] .several")).to_be_visible()
    await expect(visitor.page.locator(f"[data-photo='{single['id']}'] .several")).to_have_count(0)


async def test_edits_of_pictures_appear_on_open_pages(site: Site) -> None:
    """A new order, new texts and removed pictures appear live in a follower's feed and on an open page."""
    owner, fan, other = [await site.signed_in() for _ in range(3)]
    await fan.account.follow(owner.account)
    photo = await several(owner)
    first, second, third = [
        item["sha256"] for item in (await owner.account.call("GET", f"/photos/{photo}")).expect(200)["items"]
    ]
    await fan.open("/")
    await fan.sees(fan.card("Three"))
    await other.open(f"/p/{photo}")
    for visitor in (fan, other):
        await visitor.live()
        await visitor.subscribed(f"photo:{photo}")
    changes = [{"sha256": third, "alt_text": "was third"}, {"sha256": first}, {"sha256": second}]
    for items, texts in (
        (changes, ["was third", "picture 1", "picture 2"]),
        ([{"sha256": third}, {"sha256": second, "alt_text": "was second"}], ["was third", "was second"]),
        ([{"sha256": second}], ["was second"]),
    ):
        (await owner.account.call("PATCH", f"/photos/{photo}", json={"items": items})).expect(200)
        for visitor in (fan, other):
            images = visitor.page.locator(".frame:not(.cover) img")
            await expect(images).to_have_count(len(texts), timeout=WITHIN)
            for index, text in enumerate(texts):
                await expect(images.nth(index)).to_have_attribute("alt", text, timeout=WITHIN)
    for visitor in (fan, other):
        await expect(visitor.page.get_by_role("region", name="pictures")).to_have_count(0)
        await visitor.sees(visitor.page.locator(".frame:not(.cover).loaded"))
        await expect(visitor.page.locator(".frame:not(.cover) img")).to_have_attribute("src", re.compile(second))


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_ten_pictures_fit_on_the_narrowest_phone(site: Site, scheme: Any) -> None:
    """With ten pictures nothing is wider than the window or too small to be touched, and all texts can be read."""
    visitor = await site.signed_in(viewport={"width": 320, "height": 640}, color_scheme=scheme, at=None)
    many = [encoded(halves(40 + number, 30)) for number in range(10)]
    photo = await visitor.account.post_pictures(*many, caption="Ten")
    await published(visitor.account, photo["id"])
    for path in ("/", f"/p/{photo['id']}"):
        await visitor.open(path)
        await visitor.sees(visitor.page.get_by_role("region", name="10 pictures").locator(".frame.loaded"))
        assert await visitor.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
        assert await visitor.page.evaluate(SMALL_TARGETS) == []
        assert await poor_contrasts(visitor) == []
