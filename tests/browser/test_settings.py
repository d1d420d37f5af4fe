"""The settings in the browser: their list, each section, and the accounts that one does not want to see."""

from __future__ import annotations

import re

from playwright.async_api import expect

from tests.browser.contrast import poor_contrasts
from tests.browser.test_layout import SMALL_TARGETS
from tests.browser.visitor import DESKTOP, PHONE, WITHIN, Site


async def test_the_sections_of_the_settings(site: Site) -> None:
    """On a phone the list leads to each section and back; in a wide window it stays beside the section."""
    visitor = await site.signed_in(viewport=PHONE, color_scheme="dark")
    page = visitor.page
    await visitor.open("/settings")
    links = page.get_by_role("navigation", name="Settings").get_by_role("link")
    await visitor.sees(links)
    paths = [await link.get_attribute("href") for link in await links.all()]
    assert len(paths) >= 8
    for path in paths:
        await page.locator(f".settings-link[href='{path}']").click()
        await expect(page).to_have_url(re.compile(f"{path}$"))
        await expect(page.locator("h1")).to_be_focused(timeout=WITHIN)
        await expect(page.locator(".spinner")).to_have_count(0, timeout=WITHIN)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        # A check box has its label as its target, too.
        assert [item for item in await page.evaluate(SMALL_TARGETS) if "checkbox" not in item] == [], path
        assert await poor_contrasts(visitor) == [], path
        await page.get_by_role("link", name="Settings").click()
    await visitor.sees(page.get_by_role("button", name="Sign out"))
    await page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    await visitor.open("/settings")
    await visitor.sees(page.get_by_role("heading", name="Profile", exact=True))
    await links.filter(has_text="Your data").click()
    await visitor.sees(page.get_by_role("heading", name="Your data"))
    assert await page.locator("[aria-current]", has_text="Your data").count() == 1


async def test_accounts_are_unblocked_and_unmuted(site: Site) -> None:
    """Both lists are in one section, and the keyboard stays in the list from which an account was removed."""
    visitor = await site.signed_in()
    page, others = visitor.page, [await site.create_account() for _ in range(3)]
    for other, act in zip(others, ("block", "block", "mute"), strict=True):
        (await visitor.account.call("PUT", f"/users/{other.id}/{act}")).expect(204)
    await visitor.open("/settings/blocked")
    blocked, muted = page.get_by_role("region", name="Blocked"), page.get_by_role("region", name="Muted")
    await blocked.get_by_role("button", name=f"Unblock {others[1].name}").click()
    await expect(blocked.get_by_role("button", name=f"Unblock {others[0].name}")).to_be_focused(timeout=WITHIN)
    await page.keyboard.press("Enter")
    await visitor.sees(blocked.get_by_text("You have not blocked anyone."))
    await expect(blocked.get_by_role("heading")).to_be_focused()
    await muted.get_by_role("button", name=f"Unmute {others[2].name}").click()
    await visitor.sees(muted.get_by_text("You have not muted anyone."))
    for path in ("blocks", "mutes"):
        assert (await visitor.account.call("GET", f"/users/me/{path}")).expect(200)["items"] == []
