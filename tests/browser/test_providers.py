"""Sign-in with a provider in the browser."""

from __future__ import annotations

import re
import uuid

from playwright.async_api import expect

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import PHONE, WITHIN, Site
from tests.support.issuer import running_issuer


async def test_a_user_signs_up_with_a_provider_and_returns(site: Site, issuer_port: int) -> None:
    """The page asks for a username once; then the provider suffices, and leads back to where the user wanted to go."""
    name = f"o{uuid.uuid4().hex[:10]}"
    visitor = await site.visitor(viewport=PHONE)
    page = visitor.page
    visitor.expect_error("status of 4(09|10)")
    async with running_issuer(port=issuer_port) as issuer:
        issuer.user |= {"sub": name, "email": f"{name}@id.example"}
        await visitor.open("/notifications")
        await page.get_by_role("link", name="Continue with Example ID").click()
        await visitor.sees(page.get_by_role("heading", name="Create your account"))
        username = page.get_by_label("User name")
        await expect(username).to_be_focused(timeout=WITHIN)
        await expect(username).to_have_value("ada")
        await expect(page.get_by_label("E-mail", exact=True)).to_have_value(f"{name}@id.example")
        assert await poor_contrasts(visitor) == []
        await username.fill(name)
        await page.get_by_role("button", name="Create account").click()
        await visitor.live()
        await expect(page).to_have_url(re.compile("/notifications$"))

        await visitor.open("/settings/security")
        await visitor.sees(page.get_by_text("Your account has none"))
        await page.get_by_role("button", name="Unlink Example ID").click()
        await page.get_by_role("dialog").get_by_role("button", name="Unlink").click()
        await visitor.sees(visitor.toast("This is the only way to sign in"))
        await visitor.open("/settings")
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("link", name="Continue with Example ID").click()
        await visitor.live()
        await visitor.open("/settings/deletion")
        await page.get_by_role("button", name="Delete account").click()
        dialog = page.get_by_role("dialog")
        await visitor.sees(dialog.get_by_text("For 30 days you can undo that"))
        await expect(dialog.get_by_label("Password")).to_have_count(0)


async def test_a_user_with_a_password_links_a_provider(site: Site, issuer_port: int) -> None:
    """In the settings; what the provider refuses is explained there."""
    visitor = await site.signed_in()
    page = visitor.page
    async with running_issuer(port=issuer_port) as issuer:
        issuer.user |= {"sub": visitor.account.name}
        issuer.denies = True
        await visitor.open("/settings/security")
        await page.get_by_role("button", name="Link Example ID").click()
        await visitor.sees(page.get_by_role("heading", name="You are not signed in"))
        issuer.denies = False
        await page.get_by_role("link", name="Back", exact=True).click()
        await page.get_by_role("button", name="Link Example ID").click()
        await visitor.sees(visitor.toast("You can sign in with Example ID now."))
        await page.get_by_role("button", name="Unlink Example ID").click()
        await page.get_by_role("dialog").get_by_role("button", name="Unlink").click()
        await visitor.sees(page.get_by_text("Not linked"))
