"""A forgotten password in the browser: from the page of the sign-in over the mail to the new password."""

from __future__ import annotations

import re
from pathlib import Path

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import PHONE, Site
from tests.support.eventually import eventually

NEW_PASSWORD = "a new and better secret"


async def link_in_mail(service_folder: Path, address: str, subject: str) -> str:
    """Wait for a mail, which the service prints because it has no mail server, and return the path of its link."""

    def find() -> str | None:
        log = (service_folder / "picshare.log").read_text(errors="replace")
        found = re.search(
            rf"Mail to {re.escape(address)}: {subject}\n(?:│.*\n)*?│ http://[^/]+(/[a-z-]+#[\w-]+)\n", log
        )
        return None if found is None else found[1]

    path = await eventually(find)
    assert path is not None
    return path


async def test_a_forgotten_password_is_replaced(site: Site, service_folder: Path) -> None:
    """The link of the mail chooses a new password once, signs the other device out, and verifies the address."""
    other_device = await site.signed_in()
    visitor = await site.visitor(other_device.account, viewport=PHONE)
    page, address = visitor.page, f"{visitor.account.name}@picshare.example"
    await visitor.open("/signin")
    await page.get_by_role("link", name="Forgot password?").click()
    await page.get_by_label("E-mail", exact=True).fill(address)
    await page.get_by_role("button", name="Send a link").click()
    await visitor.sees(page.get_by_role("heading", name="Look into your mail"))
    path = await link_in_mail(service_folder, address, "Choose a new password")

    referrers: list[str] = []
    page.on("request", lambda request: referrers.append(request.headers.get("referer", "")))
    await visitor.open(path)
    for scheme in ("dark", "light"):
        await page.emulate_media(color_scheme=scheme)
        await page.reload()
        await visitor.sees(page.get_by_text(f"For the account @{visitor.account.name}"))
        assert await poor_contrasts(visitor) == []
    await page.get_by_label("New password").fill("short")
    visitor.expect_error("status of 4(22|10)")
    other_device.expect_error("status of 401")
    await page.get_by_role("button", name="Set password").click()
    await visitor.sees(page.get_by_text("This should have at least 8 characters."))
    await page.get_by_label("New password").fill(NEW_PASSWORD)
    await page.get_by_role("button", name="Set password").click()
    await visitor.sees(page.get_by_role("heading", name="Your password is set"))
    assert page.url == f"{visitor.url}/reset"
    # The script, which imports modules, may name itself; the page names itself to no address.
    assert [referrer for referrer in referrers if referrer and not referrer.endswith("/joined/js/app.js")] == []
    # The live connection of the other device ends, and its page shows the sign-in.
    await other_device.sees(other_device.page.get_by_label("User name or e-mail"))

    await page.get_by_role("link", name="Sign in").click()
    await page.get_by_label("User name or e-mail").fill(address)
    await page.get_by_label("Password", exact=True).fill(NEW_PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await visitor.live()
    await visitor.open("/settings/account")
    await visitor.sees(page.locator(".email-settings").get_by_text("Verified", exact=True))

    await visitor.open(path)
    await visitor.sees(page.get_by_text("This link was used before."))
    log = (service_folder / "picshare.log").read_text(errors="replace")
    assert log.count(path.partition("#")[2]) == 1  # in the mail itself
