"""Applications and access tokens in the browser: the page for consent, and the sections of the settings."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Page, Route, expect

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import PHONE, WITHIN, Site
from tests.support.api_user import PASSWORD
from tests.support.oauth import REDIRECT_URI, exchange_at, query_of, register


async def catch_application(page: Page) -> list[str]:
    """Answer in place of the application's website, and return the addresses that the browser opens there."""
    opened: list[str] = []

    async def answer(route: Route) -> None:
        opened.append(route.request.url)
        await route.fulfill(status=200, content_type="text/html", body="<title>Frames</title><h1>Welcome back</h1>")

    await page.route(re.compile(r"^https://app\.example/"), answer)
    return opened


async def test_a_user_connects_an_application_and_disconnects_it(site: Site) -> None:
    """A visitor signs in first, sees what is asked for, and returns to the application; later it loses its access."""
    application = await register(await site.create_account())
    visitor = await site.visitor()
    page = visitor.page
    opened = await catch_application(page)
    await visitor.open(f"/oauth/authorize?{query_of(application)}")
    await page.get_by_label("User name or e-mail").fill(visitor.account.name)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await visitor.sees(page.get_by_role("heading", name="Frames asks for access to your account"))
    await visitor.sees(page.get_by_text(f"@{visitor.account.name}"))
    assert await page.locator(".scopes li").all_inner_texts() == [
        "see everything you can see: photos, people, notifications and your settings",
        "like and unlike",
    ]
    assert await poor_contrasts(visitor) == []
    await page.get_by_role("button", name="Approve").click()
    await visitor.sees(page.get_by_role("heading", name="Welcome back"))
    given = parse_qs(urlsplit(opened[-1]).query)
    assert given["state"] == ["s t&te"]
    tokens = await exchange_at(site.url, application, given["code"][0])

    await visitor.open("/settings/applications")
    await visitor.sees(page.get_by_text("app.example"))
    await page.get_by_text("What it may do").click()
    assert await poor_contrasts(visitor) == []
    await page.get_by_role("button", name="Disconnect Frames").click()
    await page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    await visitor.sees(page.get_by_text("No connected apps"))
    visitor.account.token = tokens["access_token"]
    (await visitor.account.call("GET", "/users/me")).expect(401)


async def test_a_user_denies_and_wrong_requests_stay_here(site: Site) -> None:
    """The application is informed of the denial; an address that it has not registered is never opened."""
    application = await register(await site.create_account())
    visitor = await site.signed_in(viewport=PHONE)
    page = visitor.page
    opened = await catch_application(page)
    await visitor.open(f"/oauth/authorize?{query_of(application)}")
    await page.get_by_role("button", name="Deny").click()
    await visitor.sees(page.get_by_role("heading", name="Welcome back"))
    assert parse_qs(urlsplit(opened[-1]).query)["error"] == ["access_denied"]
    visitor.expect_error("status of 400")
    await visitor.open(f"/oauth/authorize?{query_of(application, redirect_uri=REDIRECT_URI + '/evil')}")
    await visitor.sees(page.get_by_role("heading", name="This request is not valid"))
    await expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    assert len(opened) == 1
    # An error is reported to the application only if the user returns there.
    await visitor.open(f"/oauth/authorize?{query_of(application, response_type='token')}")
    await visitor.sees(page.get_by_role("heading", name="This request is not valid"))
    assert len(opened) == 1
    await page.get_by_role("button", name="Return to app.example").click()
    await visitor.sees(page.get_by_role("heading", name="Welcome back"))
    assert parse_qs(urlsplit(opened[-1]).query)["error"] == ["unsupported_response_type"]


async def test_access_tokens_in_the_settings(site: Site) -> None:
    """A token is made with its permissions, shown once, listed, and deleted."""
    visitor = await site.signed_in()
    page = visitor.page
    await visitor.open("/settings/tokens")
    await page.get_by_role("button", name="New token").click()
    dialog = page.get_by_role("dialog", name="New access token")
    await dialog.get_by_label("Name").fill("Backup")
    await dialog.get_by_text("Single permissions").click()
    await dialog.get_by_label("write:media").check()
    assert await poor_contrasts(visitor) == []
    await dialog.get_by_role("button", name="Create").click()
    shown = page.get_by_role("dialog", name="Your new access token")
    token = await shown.locator("code").inner_text()
    assert token.startswith("picshare_pat_")
    await shown.get_by_role("button", name="Done").click()
    await visitor.sees(page.get_by_text("not used yet"))
    visitor.account.token = token
    (await visitor.account.call("GET", "/users/me")).expect(200)
    await page.get_by_role("button", name="Delete Backup").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await visitor.sees(page.get_by_text("No access tokens"))
    (await visitor.account.call("GET", "/users/me")).expect(401)


async def test_a_developer_registers_an_application(site: Site) -> None:
    """Its secret is shown once; a wrong address is named at its field; it can be changed and deleted."""
    visitor = await site.signed_in()
    page = visitor.page
    await visitor.open("/settings/developer")
    await page.get_by_role("button", name="New application").click()
    dialog = page.get_by_role("dialog", name="New application")
    await dialog.get_by_label("Name").fill("Frames")
    await dialog.get_by_label("Redirect URIs").fill("http://app.example/callback")
    visitor.expect_error("status of 422")
    await dialog.get_by_role("button", name="Register").click()
    await visitor.sees(dialog.get_by_text("Use https"))
    await dialog.get_by_label("Redirect URIs").fill("https://app.example/callback\nivory://oauth")
    assert await poor_contrasts(visitor) == []
    await dialog.get_by_role("button", name="Register").click()
    shown = page.get_by_role("dialog", name="The secret of Frames")
    assert (await shown.locator("code").inner_text()).startswith("picshare_ocs_")
    await shown.get_by_role("button", name="Done").click()
    await visitor.sees(page.get_by_text("ivory://oauth"))
    await page.get_by_role("button", name="Change: Frames").click()
    dialog = page.get_by_role("dialog", name="Change the application")
    await dialog.get_by_label("Name").fill("Frames 2")
    await dialog.get_by_role("button", name="Save").click()
    await page.get_by_role("button", name="Delete: Frames 2").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("No applications")).to_be_visible(timeout=WITHIN)
