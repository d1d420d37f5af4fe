"""What a first view costs: bytes, requests, sizes of images and shifts of the layout, which no machine changes."""

from __future__ import annotations

import asyncio
import gzip
import io
import re
import uuid
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Response, Route, expect

from bench.images import mosaic
from tests.browser.visitor import DESKTOP, PHONE, WITHIN, Site, Visitor, published
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually

BUDGET = 120_000  # bytes of page, script, style and data, as they are sent; photos are apart
# Page, script, style, data of the account and of the view, what the live connection needs; on a small site also the
# newest photos in the column of a desktop.
REQUESTS = {"phone": 12, "desktop": 13}
IN_PAGE = re.compile(r"/api/v1/(users/me|feed|tokens/refresh)\b")
SHIFT = 0.02  # of the layout; up to 0.1 is good by Core Web Vitals
FOLLOWS = 10  # with fewer, a feed is followed by suggestions
PHOTOS = 12  # more than the ten of a page of the feed
PIXELS = 2  # for each CSS pixel are enough
PATHS = ("/", "/p/{photo}", "/u/{name}")
SCREENS: dict[str, dict[str, Any]] = {
    "phone": {"viewport": PHONE, "device_scale_factor": 3, "is_mobile": True, "has_touch": True},
    "desktop": {"viewport": DESKTOP},
}
RECORD_SHIFTS = """window.shifts = [];
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) shifts.push({ value: entry.value,
            sources: entry.sources.map(({ node, previousRect, currentRect }) =>
                [node?.outerHTML?.slice(0, 80), previousRect.toJSON(), currentRect.toJSON()]) });
    }).observe({ type: "layout-shift", buffered: true });"""
# Of each photo: the pixels that it fills, the width of the image that is loaded, and the widths that there are.
IMAGES = """() => [...document.querySelectorAll("img")].filter((image) => image.currentSrc.includes("/media/"))
    .map((image) => {
        const name = new URL(image.currentSrc).pathname.split("/").pop();
        const widths = [...(image.closest("picture") ?? image.parentElement).querySelectorAll("source, img")]
            .flatMap((source) => (source.srcset || "").split(",").map((one) => parseInt(one.trim().split(" ")[1])))
            .filter((width) => width > 0);
        const [across, down] = [image.clientWidth, (image.clientHeight * image.naturalWidth) / image.naturalHeight];
        const shown = getComputedStyle(image).objectFit === "cover" ? Math.max(across, down) : across;
        return { name, shown, loaded: image.naturalWidth, widths: [...new Set(widths)] };
    })"""
PLACE = """(selector) => {
    const { x, y, width, height } = document.querySelector(selector).getBoundingClientRect();
    return [x, y, width, height];
}"""
BLOCKING = """() => performance.getEntriesByType("resource")
    .filter(({ renderBlockingStatus }) => renderBlockingStatus === "blocking").map(({ name }) => name)"""


@dataclass(frozen=True, kw_only=True)
class Author:
    """The name and token of an account that follows as many as fill a feed, and the id of its newest photo."""

    name: str
    token: str
    photo: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def author(service_url: str) -> Author:
    """An account with more photos than a first view loads, each with more pixels than any screen here shows."""
    async with aiohttp.ClientSession(headers={"User-Agent": "Mozilla/5.0 (X11; Linux) Chrome/1"}) as http:
        account = await ApiUser.sign_up(http, service_url, f"view{uuid.uuid4().hex[:12]}")
        for _ in range(FOLLOWS):
            await account.follow(await ApiUser.sign_up(http, service_url, f"view{uuid.uuid4().hex[:12]}"))
        photos = [await account.upload(large(number), f"first view {number}") for number in range(PHOTOS)]
        for photo in photos:
            await published(account, photo["id"])
    return Author(name=account.name, token=account.token, photo=photos[-1]["id"])


def large(number: int) -> bytes:
    """Return a photo of its own: a browser that has a larger image of the same photo shows that one."""
    file = io.BytesIO()
    mosaic(2200 + number, 1650).save(file, "JPEG", quality=85)
    return file.getvalue()


async def forget_files(visitor: Visitor) -> None:
    """Empty the cache of the browser, which prefers a larger image that it has."""
    await visitor.page.goto("about:blank")
    await (await visitor.context.new_cdp_session(visitor.page)).send("Network.clearBrowserCache")


async def signed_in(site: Site, author: Author, screen: str) -> Visitor:
    """Return the author in a browser that has no files of the service."""
    account = site.account(author.name, author.token)
    visitor = await site.signed_in(account, **SCREENS[screen])
    await forget_files(visitor)
    return visitor


@pytest.mark.parametrize("screen", SCREENS)
async def test_the_first_view_of_the_feed_is_small(site: Site, author: Author, screen: str) -> None:
    """Page, script, style and data are within the budget, compressed, and kept by the browser."""
    visitor = await signed_in(site, author, screen)
    responses: list[Response] = []

    def received(response: Response) -> None:
        responses.append(response)

    visitor.page.on("response", received)
    await visitor.open()
    await visitor.live()
    await visitor.sees(visitor.page.locator("article.card .frame.loaded"))
    await visitor.page.wait_for_load_state("networkidle")
    sent = {response.url: await size_of(response) for response in responses if "/media/" not in response.url}
    assert sum(sent.values()) <= BUDGET, sorted(sent.items(), key=lambda item: -item[1])
    assert len(sent) <= REQUESTS[screen], "\n".join(sent)
    assert not [url for url in sent if IN_PAGE.search(url)], "the page itself has these responses"
    for response in responses:
        headers = await response.all_headers()
        if "/joined/" in response.url:
            assert "immutable" in headers["cache-control"], response.url
        if "/joined/" in response.url or response.url == f"{visitor.url}/":
            assert headers["content-encoding"] in {"br", "gzip"}, response.url
        if "/media/" in response.url:
            assert "max-age=31536000" in headers["cache-control"], response.url


async def size_of(response: Response) -> int:
    """Return the bytes of a response; of data as the shipped gateway compresses them."""
    if "/api/" in response.url:
        return len(gzip.compress(await response.body(), 2))
    return (await response.request.sizes())["responseBodySize"]


async def test_a_style_alone_blocks_the_first_paint(site: Site, author: Author) -> None:
    """Nothing but one style has to be there before the page is drawn."""
    visitor = await signed_in(site, author, "phone")
    await visitor.open()
    await visitor.live()
    blocking = await visitor.page.evaluate(BLOCKING)
    assert [address.rpartition(".")[2] for address in blocking] in (["css"], [])


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("path", PATHS)
async def test_images_have_the_size_that_suffices(site: Site, author: Author, screen: str, path: str) -> None:
    """Each photo is loaded in the smallest size with enough pixels for the place that it fills."""
    visitor = await signed_in(site, author, screen)
    scale = min(SCREENS[screen].get("device_scale_factor", 1), PIXELS)
    await visitor.open(path.format(name=author.name, photo=author.photo))
    await visitor.sees(visitor.page.locator(".loaded img"))
    await expect(visitor.page.locator(".frame:not(.loaded) img[loading=eager]")).to_have_count(0, timeout=WITHIN)
    images = [image for image in await visitor.page.evaluate(IMAGES) if image["loaded"] and image["widths"]]
    assert images
    for image in images:
        enough = [width for width in sorted(image["widths"]) if width >= image["shown"] * scale]
        suffices = enough[0] if enough else max(image["widths"])
        assert int(image["name"].partition(".")[0]) <= suffices, image


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("path", ["/signin", *PATHS])
async def test_late_photos_do_not_shift_the_layout(site: Site, author: Author, screen: str, path: str) -> None:
    """The layout does not shift while a view is loaded, also when its photos arrive after everything else."""
    visitor = await signed_in(site, author, screen)
    if path == "/signin":
        await visitor.context.clear_cookies()
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await visitor.page.add_init_script(RECORD_SHIFTS)
    await visitor.page.route("**/media/**", hold)
    # The first photo is a part of the page, which is not loaded without it.
    await visitor.page.goto(visitor.url + path.format(name=author.name, photo=author.photo), wait_until="commit")
    if path == "/signin":
        await visitor.sees(visitor.page.get_by_role("button", name="Sign in"))
    else:
        await visitor.live()
        await visitor.sees(visitor.page.locator("main img").first)
    released.set()
    await visitor.page.wait_for_load_state("networkidle")
    shifts = await visitor.page.evaluate("window.shifts")
    assert sum(shift["value"] for shift in shifts) <= SHIFT, shifts


# On a desktop, the height of the comments decides where a photo is, so the script alone draws it.
@pytest.mark.parametrize(
    ("path", "screen"),
    [("/signin", "phone"), ("/signin", "desktop"), ("/", "phone"), ("/", "desktop"), ("/p/{photo}", "phone")],
)
async def test_the_largest_part_is_there_before_the_script_and_stays(
    site: Site, author: Author, path: str, screen: str
) -> None:
    """The text for visitors, and the first photo, are in the page itself, where the script draws them again."""
    visitor = await signed_in(site, author, screen)
    if path == "/signin":
        await visitor.context.clear_cookies()
    part = "main h1" if path == "/signin" else "main picture img"
    released = asyncio.Event()

    async def hold(route: Route) -> None:
        await released.wait()
        await route.continue_()

    await visitor.page.route("**/joined/js/app.js", hold)
    await visitor.page.goto(visitor.url + path.format(photo=author.photo), wait_until="commit")
    await visitor.sees(visitor.page.locator(part).first)
    before = await visitor.page.evaluate(PLACE, part)
    released.set()
    drawn = visitor.page.get_by_label("Password") if path == "/signin" else visitor.page.locator(".frame.loaded").first
    await visitor.sees(drawn)

    async def stays() -> bool:
        return bool(await visitor.page.evaluate(PLACE, part) == pytest.approx(before, abs=1))

    # Until the other parts of the page have come, too; how far anything moves meanwhile is in the layout's shift.
    await eventually(stays, within=WITHIN / 1000)


async def test_a_link_shows_that_it_was_chosen_before_its_page_is_drawn(site: Site, author: Author) -> None:
    """The next frame, for which a user waits, does not have to draw the page."""
    visitor = await signed_in(site, author, "phone")
    await visitor.open()
    await visitor.live()
    chosen = await visitor.page.evaluate(
        """() => {
            const link = document.querySelector(".nav a[href='/discover']");
            link.click();
            return [link.getAttribute("aria-current"), location.pathname];
        }"""
    )
    assert chosen == ["page", "/"]
    await expect(visitor.page).to_have_url(re.compile("/discover$"), timeout=WITHIN)
    # Of two links that are chosen within a frame the last one counts, also one that leads back.
    await visitor.sees(visitor.page.get_by_role("heading", name="Discover", exact=True))
    await visitor.page.evaluate(
        """() => {
            document.querySelector("main").firstElementChild.id = "before";
            for (const name of ["notifications", "discover"]) document.querySelector(`.nav a[href='/${name}']`).click();
        }"""
    )
    await visitor.loses(visitor.page.locator("#before"))
    await visitor.sees(visitor.page.get_by_role("heading", name="Discover", exact=True))
    await expect(visitor.page).to_have_url(re.compile("/discover$"))
