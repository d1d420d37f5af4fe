"""Layout: narrow windows, the keyboard, both colour schemes, no layout shift."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import product
from typing import Literal

import pytest
from playwright.async_api import expect

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import DESKTOP, PHONE, WITHIN, Site, published
from tests.support.eventually import eventually
from tests.support.pictures import photograph

PATHS = (
    *("/", "/discover", "/discover/trending", "/discover/tags", "/lists", "/saved", "/new", "/notifications"),
    *("/settings", "/settings/profile", "/settings/appearance", "/settings/notifications", "/settings/developer"),
    *("/u/{name}", "/u/{name}/followers", "/p/{photo}", "/tag/wide", "/nothing", "/design"),
)
# 320 px is the width of the narrowest phones in use, and what WCAG 2.2 (1.4.10) requires; 640 px is that of a window
# of 1280 px with a zoom of 200 % (1.4.4).
WIDTHS = (320, 390, 640, 1280, 1920)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# Links and buttons that are visible and too small. The link to skip the navigation is shown while it has the focus.
SMALL_TARGETS = """() => [...document.querySelectorAll("a[href], button, input:not([type=file]), summary")]
    .filter((item) => item.checkVisibility() && !item.matches(".skip-link, .visually-hidden"))
    .map((item) => [item, item.getBoundingClientRect()])
    .filter(([, { width, height }]) => width < 23.99 || height < 23.99)
    .map(([item, { width, height }]) => `${item.outerHTML.slice(0, 80)}: ${width.toFixed(1)} x ${height.toFixed(1)}`)"""
# Pixels by which the page is wider than the window; 0 if it is not.
WIDER = "() => Math.max(0, document.documentElement.scrollWidth - innerWidth)"
LONG = "Donaudampfschifffahrtsgesellschaftskapitän" * 4


async def _becomes(read: Callable[[], Awaitable[object]], expected: object, where: str) -> None:
    """Wait until the page has been drawn after a change, and what is read is what is expected."""

    async def reached() -> bool:
        found = await read()
        assert found == expected, f"{where}: {found}"
        return True

    await eventually(reached)


async def test_no_page_scrolls_sideways(site: Site) -> None:
    """Every page fits into its window at every width and with forced colours, with very long words in texts."""
    visitor = await site.signed_in()
    await visitor.account.call("PATCH", "/users/me", json={"display_name": LONG[:60], "bio": LONG})
    photo = await visitor.account.upload(photograph("rocket"), LONG)
    await published(visitor.account, photo["id"])
    await visitor.account.call("POST", f"/photos/{photo['id']}/comments", json={"text": LONG})
    for path in PATHS:
        await visitor.go(path.format(name=visitor.account.name, photo=photo["id"]))
        await visitor.sees(visitor.page.locator("main:not([aria-busy]) h1"))
        if path in {"/", "/p/{photo}"}:
            await visitor.sees(visitor.page.get_by_text(LONG).first)
        for width in WIDTHS:
            await visitor.page.set_viewport_size({"width": width, "height": 800})
            await _becomes(partial(visitor.page.evaluate, WIDER), 0, f"{path} at {width} px")
        # Borders take the place of the colours of surfaces.
        await visitor.page.set_viewport_size({"width": min(WIDTHS), "height": 800})
        await visitor.page.emulate_media(forced_colors="active")
        await _becomes(partial(visitor.page.evaluate, WIDER), 0, f"{path} with forced colours")
        await visitor.page.emulate_media(forced_colors="none")


async def test_the_sign_in_pages_fit(site: Site) -> None:
    """The sign-in form is completely visible and wide enough at every width."""
    visitor = await site.visitor()
    for path, width in product(("/signin", "/signup"), WIDTHS):
        await visitor.page.set_viewport_size({"width": width, "height": 800})
        await visitor.open(path)
        box = await visitor.page.locator(".sign-in .sheet").bounding_box()
        assert box is not None
        assert box["width"] >= 250
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        heading = await visitor.page.locator("h1").bounding_box()
        assert heading is not None
        assert heading["width"] > 250


async def test_photos_do_not_shift_the_page_as_they_load(site: Site) -> None:
    """The frames of a feed have their final shape before any image has loaded."""
    visitor = await site.signed_in()
    for name in ("coffee", "astronaut", "temple"):
        await visitor.account.upload(photograph(name), name)
    await visitor.sees(visitor.card("temple"))
    await visitor.page.add_init_script(
        """window.shift = 0;
        new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    await visitor.page.reload()
    for name in ("temple", "astronaut", "coffee"):
        await visitor.card(name).scroll_into_view_if_needed()
        await visitor.sees(visitor.card(name).locator(".frame.loaded"))
    assert await visitor.page.evaluate("() => window.shift") < 0.05


async def test_a_photo_shows_its_placeholder_while_it_loads(site: Site) -> None:
    """Until the image has loaded, its frame has the photo's shape and shows its blurred placeholder."""
    visitor = await site.signed_in()
    await visitor.account.upload(photograph("temple"), "slow one")
    await visitor.sees(visitor.card("slow one"))
    await visitor.page.route(re.compile("/media/"), lambda _: None)
    await visitor.page.reload(wait_until="commit")
    frame = visitor.card("slow one").locator(".frame")
    await visitor.sees(frame.locator("canvas"))
    box = await frame.bounding_box()
    assert box is not None
    assert box["width"] / box["height"] == pytest.approx(640 / 427, rel=0.02)
    colours = await frame.locator("canvas").evaluate(
        """(canvas) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return new Set(Array.from({ length: data.length / 4 }, (_, i) => data[4 * i] >> 4)).size;
        }"""
    )
    assert colours > 3
    await visitor.page.unroute_all(behavior="ignoreErrors")


async def test_the_page_is_usable_with_the_keyboard(site: Site) -> None:
    """With the keyboard alone: skip to the content, like a photo, open and close its menu, comment."""
    visitor = await site.signed_in()
    await visitor.account.upload(photograph("cat"), "with keys")
    card = visitor.card("with keys")
    await visitor.sees(card)
    await visitor.page.reload()
    await visitor.sees(card)
    await visitor.page.locator(".skip-link").focus()
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.locator("main")).to_be_focused()

    like = card.get_by_role("button", name=re.compile("^Like"))
    await like.focus()
    await visitor.page.keyboard.press("Space")
    await expect(like).to_have_attribute("aria-pressed", "true")

    more = card.get_by_role("button", name="Photo options")
    await more.focus()
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.get_by_role("menuitem", name="Copy link")).to_be_focused()
    for item in ("Embed", "Edit photo", "Save", "Show likes", "Mute notifications", "Delete photo"):
        await visitor.page.keyboard.press("ArrowDown")
        await expect(visitor.page.get_by_role("menuitem", name=item)).to_be_focused()
    await visitor.page.keyboard.press("Escape")
    await expect(more).to_be_focused()
    await expect(visitor.page.get_by_role("menu")).to_have_count(0)

    await card.get_by_role("link", name=re.compile("^Comments")).focus()
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.locator("h1")).to_be_focused()
    await visitor.page.get_by_label("Your comment").focus()
    await visitor.page.keyboard.type("typed")
    await visitor.page.keyboard.press("Enter")
    await visitor.sees(visitor.page.locator(".comments li:not(.sending)").filter(has_text="typed"))


async def test_going_back_restores_the_feed(site: Site) -> None:
    """Back from a photo, the feed has the same scroll position and shows the new like."""
    visitor = await site.signed_in(viewport=PHONE)
    names = ("coffee", "flower", "rocket", "temple")
    for name in names:
        await visitor.account.upload(photograph(name), f"my {name}")
    for name in names:
        await visitor.sees(visitor.card(f"my {name}"))
    card = visitor.card("my coffee")
    await card.get_by_role("link", name=re.compile("^Comments")).scroll_into_view_if_needed()
    place = await visitor.page.evaluate("() => scrollY")
    assert place > 300
    await card.get_by_role("link", name=re.compile("^Comments")).click()
    await visitor.page.get_by_role("button", name=re.compile("^Like")).click()
    await visitor.page.go_back()
    await visitor.sees(card)
    assert await visitor.page.evaluate("() => scrollY") == pytest.approx(place, abs=2)
    await expect(card.get_by_role("button", name=re.compile("^Like"))).to_have_attribute("aria-pressed", "true")


async def test_touch_targets_are_large_enough(site: Site) -> None:
    """Every link and button of these pages has at least 24 by 24 pixels (WCAG 2.2, 2.5.8)."""
    visitor = await site.signed_in(at=None)
    body = {"caption": "wide and narrow", "tags": ["i", "sea"], "location": "Kyoto"}
    photo = await visitor.account.upload(photograph("flower"), "x")
    (await visitor.account.call("PATCH", f"/photos/{photo['id']}", json=body)).expect(200)
    (await visitor.account.call("POST", f"/photos/{photo['id']}/comments", json={"text": "x"})).expect(201)
    await published(visitor.account, photo["id"])
    profile = f"/u/{visitor.account.name}"
    for path in ("/", f"/p/{photo['id']}", profile, "/notifications", "/discover"):
        await visitor.open(path)
        await visitor.sees(visitor.page.locator("main h1"))
        if path == profile:
            await visitor.sees(visitor.page.locator(".stats a"))
        if path in {"/", f"/p/{photo['id']}"}:
            await visitor.sees(visitor.page.get_by_role("link", name="#sea"))
        for viewport in (PHONE, DESKTOP):
            await visitor.page.set_viewport_size({"width": viewport["width"], "height": viewport["height"]})
            await _becomes(partial(visitor.page.evaluate, SMALL_TARGETS), [], f"{path} at {viewport}")


@pytest.mark.parametrize("language", ["en-US", "de", "ar"])
async def test_the_menu_of_a_phone_fits_into_the_lower_third(site: Site, language: str) -> None:
    """All of it is in the lower third of the screen and inside the window, in each language."""
    visitor = await site.signed_in(viewport=PHONE, locale=language)
    await visitor.page.locator(".menu-button").click()
    box = await visitor.page.get_by_role("menu").bounding_box()
    assert box is not None
    assert box["y"] >= PHONE["height"] * 0.66
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    entries = visitor.page.get_by_role("menu").locator("[role^=menuitem]")
    assert await entries.evaluate_all("(all) => all.every((one) => one.scrollWidth <= one.clientWidth)")


async def test_the_choices_for_visitors_have_names_to_be_seen(site: Site) -> None:
    """Theme and language are both automatic at first, so each choice says what it is about."""
    visitor = await site.visitor(viewport=PHONE)
    await visitor.open("/signin")
    await visitor.sees(visitor.page.locator("legend", has_text="Theme"))
    await visitor.sees(visitor.page.locator("label", has_text="Language"))
    for name in ("legend", ".visitor-language label"):
        box = await visitor.page.locator(name).first.bounding_box()
        assert box is not None
        assert box["width"] > 20


async def test_a_page_that_is_not_found_has_a_heading(site: Site) -> None:
    """Wherever nothing is found, the page and its title name that, in the only heading of the first level."""
    visitor = await site.signed_in(at=None)
    visitor.expect_error("status of 40")
    for path in ("/p/0384604BS2VXG", "/p/nothing", "/u/nobody.there", "/nothing", "/search"):
        await visitor.open(path)
        heading = visitor.page.get_by_role("heading", level=1)
        await expect(heading).to_have_text(re.compile("not found|not available"), timeout=WITHIN)
        assert await heading.count() == 1
        await expect(visitor.page).to_have_title(re.compile("not found|not available"))


async def test_the_documentation_of_the_api_is_readable(site: Site) -> None:
    """Texts and links have a contrast of at least 4.5 in both colour schemes, in opened blocks as well."""
    visitor = await site.visitor()
    await visitor.open("/docs")
    await visitor.sees(visitor.page.locator("details").first)
    await visitor.sees_text(visitor.page.locator("#about code").first, "application/problem+json")
    assert "`" not in await visitor.page.locator("body").inner_text()
    await visitor.page.evaluate(
        "() => { for (const block of document.querySelectorAll('details')) block.open = true; }"
    )
    for scheme in SCHEMES:
        await visitor.page.emulate_media(color_scheme=scheme)
        await _becomes(partial(poor_contrasts, visitor), [], scheme)


async def test_text_is_readable_in_light_and_dark(site: Site) -> None:
    """Text has a contrast of at least 4.5 to its background (WCAG 2.2, 1.4.3), in both colour schemes."""
    visitor = await site.signed_in()
    await visitor.account.upload(photograph("flower"), "readable")
    await visitor.sees(visitor.card("readable"))
    for path in ("/", "/settings", f"/u/{visitor.account.name}"):
        await visitor.open(path)
        await visitor.sees(visitor.page.locator("main h1"))
        for scheme in SCHEMES:
            await visitor.page.emulate_media(color_scheme=scheme)
            await _becomes(partial(poor_contrasts, visitor), [], f"{path}, {scheme}")
