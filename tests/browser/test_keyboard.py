"""The whole of the application by the keyboard alone, and where the focus is."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Locator, Page, expect

from tests.browser.visitor import WITHIN, Site, published
from tests.support.eventually import eventually
from tests.support.pictures import photograph

_MOST_STEPS = 120
# Whether the focused element, or its label, differs from its look without the focus, by its outline or its border.
_RING = """() => {
    const focused = document.activeElement;
    const shown = [focused, focused.nextElementSibling, focused.closest("form, .segment")].filter(Boolean);
    return shown.some((item) => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(item);
        return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1) || boxShadow.includes("inset");
    });
}"""


async def _tab_to(page: Page, target: Locator, *, back: bool = False) -> None:
    """Press Tab until an element has the focus, whose ring is visible on each element on the way."""
    for _ in range(_MOST_STEPS):
        if await target.evaluate("(item) => item === document.activeElement"):
            return
        await page.keyboard.press("Shift+Tab" if back else "Tab")
        described = await page.evaluate("() => document.activeElement.outerHTML.slice(0, 120)")
        if not described.startswith("<body"):
            assert await page.evaluate(_RING), f"no ring: {described}"
    raise AssertionError(f"Tab does not reach {target}")


async def _press(page: Page, target: Locator, key: str = "Enter") -> None:
    await expect(target).to_be_visible(timeout=WITHIN)
    await _tab_to(page, target)
    await page.keyboard.press(key)


async def _type(page: Page, label: str, text: str) -> None:
    await _tab_to(page, page.get_by_label(label, exact=True).first)
    await page.keyboard.type(text)


async def test_a_user_does_everything_by_the_keyboard(site: Site) -> None:
    """Sign up, share a photo, like it, comment on it, open a profile, follow its owner, and sign out."""
    author = await site.create_account()
    visitor = await site.visitor()
    page = visitor.page
    visitor.expect_error("status of 401")  # what is under way at the end, when the user signs out
    await visitor.open("/signin")
    await expect(page.get_by_label("User name or e-mail")).to_be_focused()
    await _press(page, page.get_by_role("link", name="Create an account"))
    name = f"{visitor.account.name}k"
    await expect(page.get_by_label("User name", exact=True)).to_be_focused(timeout=WITHIN)
    await page.keyboard.type(name)
    await _type(page, "E-mail", f"{name}@picshare.example")
    await _type(page, "Password", "correct horse battery")
    await page.keyboard.press("Enter")
    await visitor.live()

    # Share a photo. The file dialog is the browser's own.
    await _press(page, page.get_by_role("navigation", name="Main").get_by_role("link", name="New photo"))
    await expect(page.locator("main h1")).to_be_focused(timeout=WITHIN)
    await _tab_to(page, page.locator("button").filter(has_text="Choose a photo"))
    async with page.expect_file_chooser() as chooser:
        await page.keyboard.press("Enter")
    await (await chooser.value).set_files(Path(photograph("coffee")))
    await _type(page, "Caption", "shared by keys")
    await _press(page, page.get_by_role("button", name="Share", exact=True))
    card = visitor.card("shared by keys")
    await visitor.sees(card.locator(".frame.loaded"))

    like = card.get_by_role("button", name=re.compile("^Like"))
    await _press(page, like, "Space")
    await expect(like).to_have_attribute("aria-pressed", "true")
    await _press(page, card.get_by_role("link", name=re.compile("^Comments")))
    await expect(page.locator("main h1")).to_be_focused(timeout=WITHIN)
    await _type(page, "Your comment", "typed by keys")
    await page.keyboard.press("Enter")
    await visitor.sees(page.locator(".comments li:not(.sending)").filter(has_text="typed by keys"))

    # Find a profile by the search, and follow it.
    await _press(page, page.get_by_role("navigation", name="Main").get_by_role("link", name="Discover"))
    await expect(page.locator("main h1")).to_be_focused(timeout=WITHIN)
    await _tab_to(page, page.locator(".search input"))
    await page.keyboard.type(author.name)
    await _press(page, page.locator(".search-results a.name").filter(has_text=author.name).first)
    await expect(page).to_have_url(re.compile(f"/u/{author.name}$"), timeout=WITHIN)
    await expect(page.locator("main h1")).to_be_focused(timeout=WITHIN)
    follow = page.locator(".profile-head").get_by_role("button", name=re.compile("^Follow"))
    await _press(page, follow)
    await expect(follow).to_have_text("Following", timeout=WITHIN)

    await _press(page, page.get_by_role("button", name="Menu", exact=True))
    await expect(page.get_by_role("menuitem", name="Saved")).to_be_focused()
    await page.keyboard.press("End")
    await expect(page.get_by_role("menuitemradio", name="Dark")).to_be_focused()
    for _ in range(3):
        await page.keyboard.press("ArrowUp")
    await expect(page.get_by_role("menuitem", name="Sign out")).to_be_focused()
    await page.keyboard.press("Enter")
    await visitor.sees(page.get_by_role("button", name="Sign in", exact=True))


async def test_dialogs_keep_the_focus_and_return_it(site: Site) -> None:
    """Tab stays within a dialog, and when it closes, the focus is back on what opened it."""
    visitor = await site.signed_in()
    photo = (await visitor.account.upload(photograph("cat"), "deleted by keys"))["id"]
    await published(visitor.account, photo)
    page, card = visitor.page, visitor.card("deleted by keys")
    more = card.get_by_role("button", name="Photo options")
    await expect(more).to_be_visible(timeout=WITHIN)
    await more.focus()
    for name in ("Edit photo", "Delete photo"):
        await page.keyboard.press("Enter")
        item = page.get_by_role("menuitem", name=name)
        while not await item.evaluate("(item) => item === document.activeElement"):
            await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_be_visible(timeout=WITHIN)
        for _ in range(15):
            await page.keyboard.press("Tab")
            inside = "() => document.activeElement === document.body || !!document.activeElement.closest('dialog')"
            assert await page.evaluate(inside)
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await expect(more).to_be_focused()


async def test_the_menu_is_within_reach_of_the_thumb(site: Site) -> None:
    """On a phone all main destinations are in the lower third of the window, in the bar or in its menu."""
    height = 844
    visitor = await site.signed_in(viewport={"width": 390, "height": height})
    page = visitor.page
    nav = page.get_by_role("navigation", name="Main")
    await nav.get_by_role("button", name="Menu", exact=True).click()
    entries = [*await nav.locator("ul > li > a, .menu-button").all(), *await nav.locator("[role^=menuitem]").all()]
    assert len(entries) >= 12
    for entry in entries:
        box = await entry.bounding_box()
        assert box is not None
        assert box["y"] >= height * 0.66
        assert box["height"] >= 36
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    await page.get_by_role("menuitem", name="Settings").click()
    await visitor.sees(page.get_by_role("heading", name="Settings"))
    await expect(page.get_by_role("menu")).to_have_count(0)

    async def focused() -> bool:
        found: bool = await page.locator("main h1").evaluate("(heading) => heading === document.activeElement")
        return found

    await eventually(focused)
