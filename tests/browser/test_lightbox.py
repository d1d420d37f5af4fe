"""Photos at full size: opened from feeds, grids and their pages, turned, enlarged, liked and closed."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from bench.images import mosaic
from tests.browser.contrast import poor_contrasts
from tests.browser.gestures import double_click, double_tap, touch
from tests.browser.test_layout import SMALL_TARGETS
from tests.browser.visitor import PHONE, WITHIN, Site, Visitor, published
from tests.support.api_user import ApiUser
from tests.support.pictures import encoded, halves, photograph

_SCALE = "(frame) => new DOMMatrix(getComputedStyle(frame).transform).a"
_OFFSET = "(frame) => new DOMMatrix(getComputedStyle(frame).transform).e"
_IMAGE = "(image) => image.currentSrc.split('/').pop()"


def large() -> bytes:
    """Return a photo with more pixels than any screen here shows."""
    file = io.BytesIO()
    mosaic(2400, 1800).save(file, "JPEG", quality=85)
    return file.getvalue()


async def posted(author: ApiUser, image: Any, caption: str) -> str:
    """Upload a photo, wait until it is published, and return its id."""
    photo = await author.upload(image, caption)
    await published(author, photo["id"])
    return str(photo["id"])


def lightbox(visitor: Visitor) -> Locator:
    """Return the dialog."""
    return visitor.page.get_by_role("dialog", name="Photo at full size")


async def shows(visitor: Visitor, caption: str) -> None:
    """Wait until the dialog shows the loaded picture whose alternative text contains a caption."""
    # In one condition: the frame of the picture before is loaded, too.
    await visitor.sees(lightbox(visitor).locator(f".frame.loaded:has(img[alt*='{caption}'])"))


async def scaled(visitor: Visitor, low: float, high: float, *, within: float = 60) -> None:
    """Wait until the scale of the picture is in a range, and no longer changes."""
    frame = await lightbox(visitor).locator(".frame").element_handle()
    await visitor.page.wait_for_function(
        f"([frame, low, high]) => {{ const scale = ({_SCALE})(frame);"
        " return scale >= low && scale <= high && !frame.getAnimations().length; }",
        arg=[frame, low, high],
        timeout=within * 1000,
    )


async def test_keys(site: Site) -> None:
    """Keys open it from a grid, turn, enlarge, like, save, list themselves, lead to the comments and close it."""
    author = await site.create_account()
    first = await posted(author, photograph("coffee"), "the first")
    several = await author.post_pictures(photograph("rocket").read_bytes(), encoded(halves(400, 600)), caption="two")
    await published(author, several["id"])
    last = await posted(author, photograph("temple"), "the last")
    visitor = await site.signed_in()
    page, press = visitor.page, visitor.page.keyboard.press
    await visitor.open(f"/u/{author.name}")
    cell = page.locator(f'main [data-photo="{last}"]')
    await cell.focus()
    await press("?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    await visitor.sees(keys.get_by_text("View the photo at full size"))
    await press("Escape")
    await visitor.loses(keys)
    await press("z")
    await shows(visitor, "the last")
    for key, caption in (
        ("ArrowLeft", "the last"),
        ("ArrowRight", "picture 1"),
        ("ArrowRight", "picture 2"),
        ("ArrowRight", "the first"),
        ("ArrowRight", "the first"),
        ("ArrowLeft", "picture 2"),
        ("ArrowRight", "the first"),
    ):
        await press(key)
        await shows(visitor, caption)
    await press("+")
    await scaled(visitor, 1.5, 1.5)
    await press("0")
    await scaled(visitor, 1, 1)
    box = lightbox(visitor)
    await press("l")
    await expect(box.get_by_role("button", name=re.compile("^Like"))).to_have_attribute("aria-pressed", "true")
    await press("s")
    await visitor.sees(box.get_by_text("Saved", exact=True))
    await press("?")
    await visitor.sees(keys.get_by_text("Show the whole picture"))
    await press("Escape")
    await visitor.loses(keys)
    for _ in range(12):
        await press("Tab")
        assert await page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('.lightbox')"
        )
    await press("Escape")
    await visitor.loses(box)
    await expect(page.locator(f'main [data-photo="{first}"]')).to_be_focused()
    await press("z")
    await shows(visitor, "the first")
    await press("c")
    await page.wait_for_url(f"**/p/{first}")
    await visitor.loses(box)
    await expect(page.locator(".card-actions .like")).to_have_attribute("aria-pressed", "true", timeout=WITHIN)
    await page.go_back()
    await page.wait_for_url(f"**/u/{author.name}")


async def test_the_mouse_enlarges_and_back_closes(site: Site) -> None:
    """A click on the photo page opens it; wheel, double click and drag zoom and pan up to its largest image."""
    visitor = await site.signed_in()
    photo = await posted(visitor.account, large(), "mosaic")
    page = visitor.page
    await visitor.open(f"/p/{photo}")
    await visitor.sees(page.locator(".photo-page .frame.loaded"))
    await page.evaluate("() => { window.kept = document.querySelector('.photo-page'); }")
    await page.locator(".photo-page .frame").click()
    await shows(visitor, "mosaic")
    frame = lightbox(visitor).locator(".frame")
    before = await frame.bounding_box()
    assert before is not None
    assert before["height"] > 600
    assert await frame.locator("img").evaluate(_IMAGE) == "1080.webp"
    middle = before["x"] + before["width"] / 2, before["y"] + before["height"] / 2
    await page.mouse.move(*middle)
    await page.mouse.wheel(0, -3000)
    await scaled(visitor, 2, 2.2)
    await visitor.page.wait_for_function(
        f"(image) => ({_IMAGE})(image) === '2048.webp'", arg=await frame.locator("img").element_handle()
    )
    await page.mouse.down()
    for x in (middle[0] - 20, middle[0] - 5000):
        await page.mouse.move(x, middle[1])
    await page.mouse.up()
    moved = await frame.bounding_box()
    assert moved is not None
    # The edge of the picture stays at that of the window.
    assert moved["x"] + moved["width"] == pytest.approx(1280, abs=2)
    await double_click(visitor, frame)
    await scaled(visitor, 1, 1)
    await double_click(visitor, frame)
    await scaled(visitor, 2, 2.2)
    await page.go_back()
    await visitor.loses(lightbox(visitor))
    assert page.url == f"{visitor.url}/p/{photo}"
    assert await page.evaluate("() => window.kept === document.querySelector('.photo-page')")
    await double_click(visitor, page.locator(".photo-page .frame"))
    await expect(page.locator(".photo-page .like")).to_have_attribute("aria-pressed", "true", timeout=WITHIN)
    await visitor.loses(lightbox(visitor))


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_fingers(site: Site, scheme: Any) -> None:
    """On a phone swipes turn photos and close it, two fingers enlarge; the image is large enough for the screen."""
    visitor = await site.visitor(
        viewport=PHONE, device_scale_factor=3, has_touch=True, is_mobile=True, color_scheme=scheme
    )
    await posted(visitor.account, large(), "mosaic")
    await posted(visitor.account, photograph("temple"), "temple")
    visitor = await site.signed_in(
        visitor.account, viewport=PHONE, device_scale_factor=3, has_touch=True, is_mobile=True, color_scheme=scheme
    )
    page = visitor.page
    fingers = await visitor.context.new_cdp_session(page)
    await visitor.sees(visitor.card("temple"))
    await visitor.card("temple").get_by_role("button", name="View at full size").tap()
    await shows(visitor, "temple")
    await touch(fingers, [(300, 400)], [(280, 400)], [(100, 400)])
    await shows(visitor, "mosaic")
    frame = lightbox(visitor).locator(".frame")
    assert await frame.locator("img").evaluate(_IMAGE) == "1080.webp"
    assert await page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    assert await page.evaluate(SMALL_TARGETS) == []
    assert await poor_contrasts(visitor) == []
    await touch(fingers, [(180, 420), (210, 420)], [(170, 420), (220, 420)], [(90, 420), (300, 420)])
    await scaled(visitor, 2, 5.3)
    # An enlarged picture is moved, and not turned.
    before = await frame.evaluate(_OFFSET)
    await touch(fingers, [(300, 400)], [(280, 400)], [(240, 400)])
    assert await frame.evaluate(_OFFSET) < before
    await shows(visitor, "mosaic")
    await double_tap(fingers, 195, 420, until=lambda: scaled(visitor, 1, 1, within=5))
    await touch(fingers, [(200, 300)], [(200, 320)], [(200, 560)])
    await visitor.loses(lightbox(visitor))
    assert page.url == f"{visitor.url}/"


async def test_sensitive_photos_stay_covered(site: Site) -> None:
    """Neither the picture nor its description is there before the viewer wants to see it."""
    visitor = await site.signed_in()
    photo = await posted(visitor.account, photograph("flower"), "covered")
    (await visitor.account.call("PATCH", f"/photos/{photo}", json={"sensitive": True, "alt_text": "A rose"})).expect(
        200
    )
    page = visitor.page
    await visitor.open(f"/p/{photo}")
    await page.get_by_role("button", name="View at full size").click()
    box = lightbox(visitor)
    await visitor.sees(box.get_by_text("Sensitive content").first)
    await expect(box.locator("img")).to_have_count(0)
    await expect(box.get_by_text("A rose")).to_have_count(0)
    await box.get_by_role("button", name="Show").click()
    await visitor.sees(box.locator(".frame.loaded"))
    await visitor.sees(box.get_by_text("A rose").first)
    await page.get_by_role("button", name="Close").click()
    await visitor.loses(box)
