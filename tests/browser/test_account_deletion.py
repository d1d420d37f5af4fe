"""The end of an account in the browser, and its return."""

from __future__ import annotations

import re

from playwright.async_api import expect

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import PHONE, WITHIN, Site
from tests.support.api_user import PASSWORD


async def test_an_account_is_deleted_and_restored(site: Site) -> None:
    """The dialog says how long it can be undone and asks for the password; signing in offers to restore it."""
    visitor = await site.signed_in(viewport=PHONE)
    page = visitor.page
    dialog = page.get_by_role("dialog", name="Delete your account?")
    for scheme in ("dark", "light"):
        await page.emulate_media(color_scheme=scheme)
        await visitor.open("/settings/deletion")
        await page.get_by_role("button", name="Delete account").click()
        await expect(dialog).to_contain_text("For 30 days you can undo that")
        assert await poor_contrasts(visitor) == []
    confirm = dialog.get_by_role("button", name="Delete account")
    await confirm.click()
    await visitor.sees(dialog.get_by_text("Enter your password."))
    visitor.expect_error("status of 40[13]")
    await dialog.get_by_label("Password", exact=True).fill("not this one, surely")
    await confirm.click()
    await visitor.sees(dialog.get_by_text("The password is wrong."))
    await dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    await confirm.click()
    await visitor.sees(visitor.toast("Your account is deleted. Until"))
    await visitor.loses(dialog)

    await visitor.open("/signin")
    await page.get_by_label("User name or e-mail").fill(visitor.account.name)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    offer = page.get_by_role("dialog", name="Restore your account?")
    await expect(offer).to_contain_text(re.compile(r"Until .* 20\d\d you can restore it"), timeout=WITHIN)
    await offer.get_by_role("button", name="Cancel").click()
    await visitor.sees(page.get_by_role("button", name="Sign in"))
    await page.get_by_role("button", name="Sign in").click()
    await offer.get_by_role("button", name="Restore account").click()
    await visitor.live()
    await visitor.open(f"/u/{visitor.account.name}")
    await visitor.sees(page.get_by_text(f"@{visitor.account.name}"))
