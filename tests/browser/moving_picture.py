"""Take the moving picture of README.md, docs/images/live.webp: `make screenshots`.

Two windows of a new service with its demonstration community: in the left one Ann shares a photo, which appears in the
right one, Ben's; Ben likes it, and Ann sees that. Each frame is a screenshot of both, taken when the page has changed.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
from pathlib import Path

import aiohttp
from PIL import Image, ImageDraw, ImageFont
from playwright.async_api import Browser, Locator, expect

from tests.browser.visitor import Site, Visitor
from tests.engines.private import free_port
from tests.support.api_user import ApiUser
from tests.support.chromium import find_chromium, find_headless_shell, running_chromium
from tests.support.documents import ROOT
from tests.support.eventually import eventually
from tests.support.pictures import PHOTOS
from tests.support.service import Service

PICTURE = ROOT / "docs" / "images" / "live.webp"
_PHONE = {"width": 390, "height": 700}
_MARGIN, _GAP, _HEAD, _FOOT = 24, 24, 40, 44  # pixels
_BACKGROUND, _INK, _TAP = (238, 235, 228), (60, 56, 50), (216, 27, 96)
_FONT = 17
_LOOPS = 3  # then it rests on its last frame


class Film:
    """Frames of two pages side by side, each with a sentence and a time."""

    def __init__(self, left: Visitor, right: Visitor) -> None:
        self._left, self._right = left, right
        self._frames: list[Image.Image] = []
        self._times: list[int] = []

    async def take(self, sentence: str, milliseconds: int, tap: Locator | None = None) -> None:
        """Take a frame; `tap` is marked as what is pressed next."""
        pages = [await _screenshot(visitor, tap) for visitor in (self._left, self._right)]
        width, height = pages[0].size
        frame = Image.new("RGB", (2 * (width + _MARGIN) + _GAP, height + _HEAD + _FOOT), _BACKGROUND)
        draw, font = ImageDraw.Draw(frame), ImageFont.load_default(_FONT)
        for number, (page, name) in enumerate(zip(pages, ("Ann", "Ben"), strict=True)):
            x = _MARGIN + number * (width + _GAP)
            frame.paste(page, (x, _HEAD))
            draw.rectangle((x - 1, _HEAD - 1, x + width, _HEAD + height), outline=(200, 195, 186))
            draw.text((x + width / 2, _HEAD / 2), name, fill=_INK, font=font, anchor="mm")
        draw.text((frame.width / 2, _HEAD + height + _FOOT / 2), sentence, fill=_INK, font=font, anchor="mm")
        self._frames.append(frame)
        self._times.append(milliseconds)

    def save(self) -> None:
        """Write the frames."""
        first, *others = self._frames
        first.save(
            PICTURE,
            save_all=True,
            append_images=others,
            duration=self._times,
            loop=_LOOPS,
            quality=72,
            method=6,
        )


async def _screenshot(visitor: Visitor, tap: Locator | None) -> Image.Image:
    image = Image.open(io.BytesIO(await visitor.page.screenshot())).convert("RGB")
    if tap is not None and tap.page == visitor.page and (box := await tap.bounding_box()) is not None:
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        ImageDraw.Draw(image).ellipse((x - 22, y - 22, x + 22, y + 22), outline=_TAP, width=4)
    return image


async def main() -> None:
    """Start a service with its community, and write the picture."""
    chromium = find_headless_shell() or find_chromium()
    if chromium is None:
        raise SystemExit("There is no Chromium; tests/install-engines installs it.")
    with tempfile.TemporaryDirectory(prefix="pss-") as folder:
        port = free_port()
        service = Service(["run", "--port", str(port)], folder=Path(folder), name="run", port=port)
        await service.start(wait=False)
        try:
            await eventually(lambda: "sign in as demo" in service.log(), within=60)
            async with running_chromium(chromium) as browser, aiohttp.ClientSession() as http:
                await _film(browser, http, service.url)
        finally:
            await service.stop()


async def _film(browser: Browser, http: aiohttp.ClientSession, url: str) -> None:
    site = Site(browser, http, url)
    ann, ben = [await ApiUser.sign_up(http, url, name) for name in ("ann", "ben")]
    await ben.follow(ann)
    await ann.follow(ben)
    demo = (await ann.call("GET", "/users/demo")).expect(200)["id"]
    for user in (ann, ben):
        (await user.call("PATCH", "/users/me", json={"display_name": user.name.capitalize()})).expect(200)
        (await user.call("PUT", f"/users/{demo}/follow")).expect(204)
    left, right = [await site.signed_in(user, viewport=_PHONE) for user in (ann, ben)]
    try:
        await _act(left, right, Film(left, right))
    finally:
        await site.close()


async def _act(left: Visitor, right: Visitor, film: Film) -> None:
    """Share a photo at the left, like it at the right, and take a frame of each step."""
    for visitor in (left, right):
        await visitor.page.wait_for_load_state("networkidle")
    await film.take("Ann and Ben follow each other.", 1600)
    await left.choose(PHOTOS / "rocket.jpg")
    await left.page.get_by_label("Caption").fill("Off it goes")
    share = left.page.get_by_role("button", name="Share", exact=True)
    await share.scroll_into_view_if_needed()
    await left.page.wait_for_load_state("networkidle")
    await film.take("Ann shares a photo …", 1800, share)
    await share.click()
    card = right.card("Off it goes")
    await right.sees(card.locator(".frame.loaded"))
    await left.sees(left.card("Off it goes").locator(".frame.loaded"))
    await film.take("… and it is on Ben's screen, without a reload.", 2400)
    like = card.get_by_role("button", name="Like").first
    await like.scroll_into_view_if_needed()
    await film.take("Ben likes it …", 1600, like)
    await like.click()
    await left.sees(left.toast("liked your photo"))
    await expect(like).to_have_attribute("aria-pressed", "true")
    await film.take("… and Ann sees that.", 3000)
    film.save()


if __name__ == "__main__":
    asyncio.run(main())
