"""The theme: chosen in the settings, in the menu and by visitors, kept by the browser, without a flash."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect

from tests.browser.visitor import PHONE, Site
from tests.support.eventually import eventually

_LIGHT, _DARK = "rgb(251, 250, 248)", "rgb(20, 19, 18)"
_GROUND = "() => getComputedStyle(document.body).backgroundColor"
_BARS = """() => [...document.querySelectorAll('meta[name="theme-color"]')]
    .filter(({ media }) => matchMedia(media).matches).map(({ content }) => content)"""


async def _is(page: Page, ground: str) -> None:
    """Wait until the page has a ground; the bars of the browser around it have the same colour."""

    async def reached() -> bool:
        found: str = await page.evaluate(_GROUND)
        return found == ground

    await eventually(reached)
    colours = {_LIGHT: "#fbfaf8", _DARK: "#141312"}
    assert await page.evaluate(_BARS) == [colours[ground]]


async def test_the_theme_is_chosen_in_the_settings(site: Site) -> None:
    """It holds against that of the system, after a reload, in other tabs at once, and after signing out."""
    visitor = await site.signed_in(color_scheme="light")
    page, other = visitor.page, await visitor.context.new_page()
    await other.goto(f"{site.url}/discover")
    await expect(other.locator("main h1")).to_be_visible()
    await visitor.open("/settings/appearance")
    automatic, dark = page.get_by_role("radio", name="Automatic"), page.get_by_role("radio", name="Dark")
    await expect(automatic).to_be_checked()
    await _is(page, _LIGHT)
    await dark.check()
    await _is(page, _DARK)
    await _is(other, _DARK)
    await page.reload()
    await expect(dark).to_be_checked()
    await _is(page, _DARK)
    # A choice in another tab is shown here.
    await other.get_by_role("button", name="Menu", exact=True).click()
    await other.get_by_role("menuitemradio", name="Light").click()
    await expect(other.get_by_role("menuitemradio", name="Light")).to_have_attribute("aria-checked", "true")
    await expect(page.get_by_role("radio", name="Light")).to_be_checked()
    await _is(page, _LIGHT)
    await dark.check()
    await page.get_by_role("button", name="Sign out").click()
    await visitor.sees(page.get_by_role("button", name="Sign in", exact=True))
    await _is(page, _DARK)
    await page.get_by_role("radio", name="Automatic").check()
    await _is(page, _LIGHT)
    await page.emulate_media(color_scheme="dark")
    await _is(page, _DARK)


async def test_the_theme_is_there_before_the_first_paint(site: Site) -> None:
    """Before any module runs, also on the pages of the documentation and of GraphQL."""
    visitor = await site.visitor(viewport=PHONE, color_scheme="light")
    page = visitor.page
    await visitor.open("/signin")
    await page.get_by_role("radio", name="Dark").check()
    # Modules that never arrive: what is drawn then is what is drawn first.
    await page.route(re.compile(r"/joined/.*\.js$"), lambda _: None)
    for path in ("/signin", "/docs", "/graphql"):
        await page.goto(site.url + path, wait_until="commit")
        await page.wait_for_selector("h1, #app, noscript", state="attached")
        assert await page.evaluate("() => document.documentElement.dataset.theme") == "dark", path
    await page.unroute_all(behavior="ignoreErrors")


async def test_a_browser_without_storage_keeps_the_theme(site: Site) -> None:
    """The cookie is enough for the next page; only other tabs are not changed at once."""
    visitor = await site.visitor(color_scheme="light")
    page = visitor.page
    await visitor.open("/signin")
    await page.evaluate(
        "() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; }"
    )
    await page.get_by_role("radio", name="Dark").check()
    await _is(page, _DARK)
    await page.reload()
    await expect(page.get_by_role("radio", name="Dark")).to_be_checked()
    await _is(page, _DARK)
