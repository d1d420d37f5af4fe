"""Images of photos in the page: the format and size that suffice, the first one first, and placeholders."""

from __future__ import annotations

import io
import re
from collections import Counter
from typing import Any

import pytest
from playwright.async_api import Page, expect

from bench.images import mosaic
from tests.browser.modules import call
from tests.browser.visitor import DESKTOP, PHONE, WITHIN, Site, Visitor, published

_CARD = "(url) => new URL(url).pathname.split('/').pop()"


@pytest.fixture(scope="module")
def large() -> bytes:
    """A photo with more pixels than any screen here shows."""
    file = io.BytesIO()
    mosaic(2400, 1800).save(file, "JPEG", quality=85)
    return file.getvalue()


async def shown(visitor: Visitor, number: int = 0) -> str:
    """Return the name of the image that a card shows once it is loaded."""
    image = visitor.page.locator("article.card .frame img").nth(number)
    await expect(visitor.page.locator("article.card .frame").nth(number)).to_have_class(
        re.compile("loaded"), timeout=WITHIN
    )
    name: str = await image.evaluate(f"(image) => ({_CARD})(image.currentSrc)")
    return name


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"viewport": DESKTOP}, "640.webp"),  # a column of 600 pixels
        ({"viewport": PHONE, "device_scale_factor": 2}, "1080.webp"),  # 780 pixels
        ({"viewport": PHONE, "device_scale_factor": 3}, "1080.webp"),  # as with 2, where 1170 pixels need the next size
        ({"viewport": {"width": 320, "height": 568}}, "320.webp"),
    ],
)
async def test_the_format_and_size_that_suffice(
    site: Site, large: bytes, options: dict[str, Any], expected: str
) -> None:
    """A card shows WebP in the smallest size with enough pixels, of which two for a CSS pixel are enough."""
    account = await site.create_account()
    await account.upload(large)
    visitor = await site.signed_in(account, **options)
    await visitor.sees(visitor.page.locator("article.card"))
    assert await shown(visitor) == expected


async def test_the_first_image_of_a_feed_comes_first(site: Site, large: bytes) -> None:
    """The first image is fetched at once and with priority, the others when they come into view."""
    account = await site.create_account()
    for _ in range(3):
        await published(account, (await account.upload(large))["id"])
    visitor = await site.signed_in(account)
    images = visitor.page.locator("article.card .frame img")
    await expect(images).to_have_count(3, timeout=WITHIN)
    found = await images.evaluate_all("(all) => all.map((image) => [image.loading, image.fetchPriority])")
    assert found == [["eager", "high"], ["lazy", "auto"], ["lazy", "auto"]]


async def test_an_image_that_fails_leaves_its_placeholder(site: Site, large: bytes) -> None:
    """The frame keeps its shape and shows the blurred placeholder with a sentence; a later visit shows the image."""
    account = await site.create_account()
    await account.upload(large)
    visitor = await site.signed_in(account)
    await shown(visitor)
    shape = "({ offsetWidth, offsetHeight }) => [offsetWidth, offsetHeight]"
    whole = await visitor.page.locator("article.card .frame").evaluate(shape)
    visitor.expect_error("status of 503")
    await visitor.page.route(re.compile("/media/"), lambda route: route.fulfill(status=503))
    await visitor.page.reload()
    await visitor.sees(visitor.page.get_by_text("This photo cannot be shown right now."))
    assert await visitor.page.locator("article.card .frame").evaluate(shape) == whole
    await visitor.sees(visitor.page.locator("article.card .frame canvas"))
    await visitor.page.unroute(re.compile("/media/"))
    await visitor.page.reload()
    await shown(visitor)


async def test_an_image_that_fails_once_is_tried_again(site: Site, large: bytes) -> None:
    """After a second the image is requested once more, so that a short outage leaves no gap."""
    account = await site.create_account()
    await account.upload(large)
    visitor = await site.signed_in(account)
    await shown(visitor)
    visitor.expect_error("status of 503")
    requests: Counter[str] = Counter()

    async def fail_once(route: Any) -> None:
        requests[route.request.url] += 1
        await (route.fulfill(status=503) if requests[route.request.url] == 1 else route.continue_())

    await visitor.page.route(re.compile("/media/"), fail_once)
    await visitor.page.reload()
    assert (await shown(visitor)).endswith(".webp")
    image: str = await visitor.page.locator("article.card .frame img").evaluate("(image) => image.currentSrc")
    assert requests[image] == 2


async def test_photos_of_an_earlier_version_have_an_image(module_page: Page) -> None:
    """A photo without `images`, from a cache of an earlier version, shows `urls.feed`; one without URLs shows none."""
    photo = {"width": 4, "height": 3, "urls": {"feed": "/media/x/feed.jpg"}}
    show = "(({ outerHTML }) => outerHTML)(m.picture(a, { width: '10px' }))"
    assert 'src="/media/x/feed.jpg"' in await call(module_page, "js/elements/picture", show, photo)
    assert "srcset" not in await call(module_page, "js/elements/picture", show, photo)
    assert (
        await call(module_page, "js/elements/picture", "m.picture(a, { width: '10px' })", {**photo, "urls": {}}) is None
    )


async def test_screens_of_high_dynamic_range_get_the_gain_map(module_page: Page) -> None:
    """Of a photo with a gain map, WebP is for other screens only, because it has none."""
    sizes = [{"width": 320, "height": 240, "jpg": "/a.jpg", "webp": "/a.webp"}]
    for hdr in (True, False):
        photo = {"width": 320, "height": 240, "urls": {"feed": "/a.jpg"}, "images": {"hdr": hdr, "sizes": sizes}}
        media = "m.picture(a, { width: '10px' }).querySelector('source').getAttribute('media')"
        found = await call(module_page, "js/elements/picture", media, photo)
        assert found == ("not all and (dynamic-range: high)" if hdr else None)


async def test_crops_are_not_offered_as_whole_images(module_page: Page) -> None:
    """The square crop of a photo that is no square is left out; a square photo has it among its images."""
    sizes = [{"width": 160, "height": 160}, {"width": 320, "height": 240}]
    whole = "m.wholeImages(a).map((image) => image.width)"
    assert await call(
        module_page, "js/elements/picture", whole, {"width": 4, "height": 3, "images": {"sizes": sizes}}
    ) == [320]
    square = {
        "width": 9,
        "height": 9,
        "images": {"sizes": [{"width": 160, "height": 160}, {"width": 320, "height": 320}]},
    }
    assert await call(module_page, "js/elements/picture", whole, square) == [160, 320]


@pytest.mark.parametrize(("width", "expected"), [(300, "150px"), (200, "100px"), (1000, "200px")])
async def test_a_square_needs_no_more_than_it_shows(module_page: Page, width: int, expected: str) -> None:
    """A crop loads the photo as wide as it would be there whole; a panorama only twice as wide as the square."""
    sizes = [{"width": 320, "height": 240, "jpg": "/static/icons/picshare.svg"}]
    photo = {"width": width, "height": 200, "urls": {"feed": "/static/icons/picshare.svg"}, "images": {"sizes": sizes}}
    photo |= {"id": "x", "alt_text": "wide"}
    found = await call(module_page, "js/photo/photo_image", "m.squareFrame(a, 100).querySelector('img').sizes", photo)
    assert found.rpartition(", ")[2] == expected
