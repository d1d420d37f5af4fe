"""The security of an account in the browser: password, codes, passkeys, sessions, and proofs before dangerous steps."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from playwright.async_api import Page, Route, expect

from server.identity import totp
from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import PHONE, WITHIN, Site, Visitor
from tests.support.api_user import PASSWORD

NEW_PASSWORD = "staple battery horse"


async def fill_sign_in(visitor: Visitor, password: str = PASSWORD) -> None:
    """Fill in the first step of the sign-in and send it."""
    page = visitor.page
    await page.get_by_label("User name or e-mail").fill(visitor.account.name)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def sign_out(visitor: Visitor) -> None:
    """Sign out by the settings."""
    await visitor.open("/settings/security")
    await visitor.page.locator(".settings-list").get_by_role("button", name="Sign out").click()
    await visitor.sees(visitor.page.get_by_label("User name or e-mail"))


async def test_a_sign_in_with_two_factors(site: Site) -> None:
    """The settings turn it on with a QR code and show recovery codes; the sign-in asks for a code, and accepts both."""
    visitor = await site.signed_in()
    page = visitor.page
    await visitor.open("/settings/security")
    await page.get_by_role("region", name="Two-factor sign-in").get_by_role("button", name="Turn on").click()
    dialog = page.get_by_role("dialog", name="Turn on two-factor sign-in")
    secret = base64.b32decode((await dialog.locator("code").inner_text()).replace(" ", ""))
    picture = dialog.get_by_role("img", name="QR code")
    await expect(picture).to_have_js_property("complete", True)
    assert await picture.evaluate("image => image.naturalWidth > 0")
    assert await poor_contrasts(visitor) == []
    visitor.expect_error("status of 40[13]")
    code = dialog.get_by_label("Code", exact=True)
    await code.fill("000000")
    await dialog.get_by_role("button", name="Turn on").click()
    await visitor.sees(dialog.get_by_text("The code is wrong or was used before."))
    await code.fill(totp.code_at(secret, int(time.time()) // totp.PERIOD))
    await dialog.get_by_role("button", name="Turn on").click()
    shown = page.get_by_role("dialog", name="Your recovery codes")
    await expect(shown.locator("li code")).to_have_count(10, timeout=WITHIN)
    codes = await shown.locator("li code").all_inner_texts()
    assert await poor_contrasts(visitor) == []
    await shown.get_by_role("button", name="Done").click()
    await visitor.sees(page.get_by_text("10 recovery codes are left."))

    await sign_out(visitor)
    await fill_sign_in(visitor)
    step = page.get_by_label("Code", exact=True)
    await expect(step).to_be_focused(timeout=WITHIN)
    await step.fill("aaaa-aaaa-aaaa-aaaa")
    await page.get_by_role("button", name="Continue").click()
    await visitor.sees(page.get_by_text("The code is wrong or was used before."))
    await page.get_by_role("button", name="Back").click()
    await fill_sign_in(visitor)
    await step.fill(codes[0])
    await page.keyboard.press("Enter")
    await visitor.live()
    await visitor.open("/settings/security")
    await visitor.sees(page.get_by_text("9 recovery codes are left."))
    await page.get_by_role("button", name="Turn off").click()
    await page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    await visitor.sees(page.get_by_text("It is off."))


async def test_the_password_is_changed_and_sessions_end(site: Site) -> None:
    """Another browser is signed out at once by the change, and by the list of sessions."""
    visitor = await site.signed_in(viewport=PHONE)
    page, account = visitor.page, visitor.account
    other = await site.visitor(account)
    await other.open("/signin")
    await other.sign_in()
    await visitor.open("/settings/sessions")
    await visitor.sees(page.get_by_text("this session"))
    assert await poor_contrasts(visitor) == []
    others = page.get_by_role("button", name="Sign out Chrome on Linux")
    assert await others.count() >= 1
    other.expect_error("status of 401")
    await page.get_by_role("button", name="Sign out everywhere else").click()
    await page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    await visitor.loses(others)
    await other.sees(other.page.get_by_label("User name or e-mail"))

    await visitor.open("/settings/security")
    visitor.expect_error("status of 403")
    present, chosen = page.get_by_label("Current password"), page.get_by_label("New password")
    change = page.get_by_role("button", name="Change password")
    await change.click()
    await visitor.sees(page.get_by_text("Enter your current password."))
    await present.fill("not this one, surely")
    await chosen.fill(NEW_PASSWORD)
    await change.click()
    await visitor.sees(page.get_by_text("The password is wrong."))
    await present.fill(PASSWORD)
    await change.click()
    await visitor.sees(visitor.toast("Your password is changed."))
    await fill_sign_in(other, NEW_PASSWORD)
    await other.live()


# Records how each passkey is asked for.
_MEDIATIONS = """(() => {
    const get = CredentialsContainer.prototype.get;
    CredentialsContainer.prototype.get = function (options) {
        sessionStorage.mediations = (sessionStorage.mediations ?? "") + (options.mediation ?? "dialog") + " ";
        return get.call(this, options);
    };
})()"""


async def test_a_passkey_is_made_and_signs_in(site: Site) -> None:
    """The settings register a passkey; it signs in without a name, by the suggestions for it and by the button."""
    port = urlsplit(site.url).port
    visitor = await site.visitor(url=f"http://localhost:{port}")
    page = visitor.page
    confirm = await with_authenticator(page)
    await page.add_init_script(_MEDIATIONS)
    await visitor.open("/signin")
    await fill_sign_in(visitor)
    await visitor.live()
    await visitor.open("/settings/security")
    passkeys = page.get_by_role("region", name="Passkeys")
    await passkeys.get_by_role("button", name="Add a passkey").click()
    await visitor.sees(passkeys.get_by_text("Passkey (Linux)"))
    assert await poor_contrasts(visitor) == []
    await passkeys.get_by_role("button", name="Rename").click()
    dialog = page.get_by_role("dialog", name="Rename the passkey")
    await dialog.get_by_label("Name").fill("Laptop")
    await dialog.get_by_role("button", name="Rename").click()
    await visitor.sees(passkeys.get_by_text("Laptop"))

    # The user chooses it among the suggestions: this authenticator does so at once where it is asked.
    await visitor.open("/settings/security")
    async with page.expect_response("**/api/v1/tokens/passkey") as signed_in:
        await page.locator(".settings-list").get_by_role("button", name="Sign out").click()
    assert (await signed_in.value).status == 201
    await visitor.live()
    await confirm(False)
    await sign_out(visitor)
    await expect(page.get_by_label("User name or e-mail")).to_have_attribute("autocomplete", "username webauthn")
    # Later it would be confirmed, too, and the page be gone before the button is pressed.
    await page.wait_for_function("() => sessionStorage.mediations === 'conditional conditional conditional '")
    await confirm(True)
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await visitor.live()
    assert await page.evaluate("sessionStorage.mediations") == "conditional conditional conditional dialog "
    await visitor.open("/settings/security")
    await visitor.sees(passkeys.get_by_text(", used"))
    await confirm(False)
    await passkeys.get_by_role("button", name="Delete Laptop").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await visitor.sees(passkeys.get_by_text("You have none yet."))
    await sign_out(visitor)
    visitor.expect_error("status of 403")
    await confirm(True)
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await visitor.sees(page.get_by_text("This passkey is not known here any more."))


async def with_authenticator(page: Page) -> Callable[[bool], Awaitable[None]]:
    """Give a page a virtual authenticator (CDP, domain WebAuthn); return what sets whether it confirms everything."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
    }
    added = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})

    async def confirm(everything: bool) -> None:
        values = {"authenticatorId": added["authenticatorId"], "enabled": everything}
        await session.send("WebAuthn.setAutomaticPresenceSimulation", values)

    return confirm


async def test_a_dangerous_step_asks_for_the_password(site: Site) -> None:
    """The dialog opens where the API wants a proof, and the step is done after it, or not if the user cancels."""
    visitor = await site.signed_in()
    page = visitor.page
    asked: list[str] = []

    async def refuse_first(route: Route) -> None:
        if route.request.method != "POST" or len(asked) >= 2:
            await route.continue_()
            return
        asked.append(route.request.url)
        problem = {"code": "reauthentication_required", "detail": "Confirm first that it is you.", "status": 403}
        await route.fulfill(status=403, content_type="application/problem+json", body=json.dumps(problem))

    await page.route("**/api/v1/users/me/exports", refuse_first)
    visitor.expect_error("status of 403")
    await visitor.open("/settings/data")
    dialog = page.get_by_role("dialog", name="Confirm that it is you")
    export = page.get_by_role("button", name="New export")
    await export.click()
    await visitor.sees(dialog)
    assert await poor_contrasts(visitor) == []
    await dialog.get_by_role("button", name="Cancel").click()
    await visitor.sees(visitor.toast("Confirm first that it is you."))
    await export.click()
    await dialog.get_by_label("Password", exact=True).fill("not this one, surely")
    await page.keyboard.press("Enter")
    await visitor.sees(dialog.get_by_text("The password is wrong."))
    await dialog.get_by_role("button", name="Use a code").click()
    await expect(dialog.get_by_label("Code", exact=True)).to_be_focused()
    await dialog.get_by_role("button", name="Use your password").click()
    await dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.keyboard.press("Enter")
    await visitor.loses(dialog)
    await visitor.sees(page.get_by_text("Requested"))
