"""Accounts in the browser: signing up, in and out, renewal of sessions, private accounts."""

from __future__ import annotations

import asyncio
import re
import uuid

from playwright.async_api import Route, expect

from tests.browser.visitor import WITHIN, Site
from tests.support.api_user import PASSWORD
from tests.support.pictures import photograph


async def test_signing_up_leads_to_an_empty_feed(site: Site) -> None:
    """A new user creates an account and sees the empty feed."""
    visitor = await site.visitor()
    await visitor.open()
    await visitor.page.get_by_role("link", name="Create an account").click()
    name = f"n{uuid.uuid4().hex[:10]}"
    await visitor.page.get_by_label("User name").fill(name)
    await visitor.page.get_by_label("E-mail", exact=True).fill(f"{name}@picshare.example")
    await visitor.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await visitor.page.get_by_role("button", name="Create account").click()
    await visitor.live()
    await visitor.sees(visitor.page.get_by_text("Your feed is empty"))


async def test_errors_are_shown_at_their_fields(site: Site) -> None:
    """A refused sign-up shows each error at its field, and focuses the first of these fields."""
    taken = await site.create_account()
    visitor = await site.visitor()
    visitor.expect_error("status of 4(09|22)")
    await visitor.open("/signup")
    submit = visitor.page.get_by_role("button", name="Create account")
    await submit.click()
    await visitor.sees(visitor.page.get_by_text("Choose a user name."))
    username = visitor.page.get_by_label("User name")
    await expect(username).to_be_focused()
    await username.fill("a!")
    await visitor.page.get_by_label("E-mail", exact=True).fill("nobody")
    await visitor.page.get_by_label("Password", exact=True).fill("short")
    await submit.click()
    await visitor.sees(visitor.page.get_by_text("use 3 to 30 letters", exact=False))
    await expect(visitor.page.locator(".field.wrong")).to_have_count(3)
    await expect(username).to_have_attribute("aria-invalid", "true")
    await username.fill(taken.name)
    await visitor.page.get_by_label("E-mail", exact=True).fill(f"{uuid.uuid4().hex}@picshare.example")
    await visitor.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await submit.click()
    await visitor.sees(visitor.page.locator(".field.wrong .error").filter(has_text=re.compile("taken")))
    await expect(visitor.page.locator(".field.wrong")).to_have_count(1)


async def test_signing_in_opens_the_requested_page(site: Site) -> None:
    """A visitor who follows a link signs in, even after a wrong password, and then sees the linked page."""
    author = await site.create_account()
    photo = await author.upload(photograph("flower"), "linked")
    visitor = await site.visitor()
    visitor.expect_error("status of 401")
    await visitor.open(f"/p/{photo['id']}")
    await visitor.page.get_by_label("User name or e-mail").fill(visitor.account.name)
    await visitor.page.get_by_label("Password", exact=True).fill("not my password")
    await visitor.page.get_by_role("button", name="Sign in").click()
    await visitor.sees(visitor.page.get_by_role("alert").filter(has_text=re.compile("wrong")))
    await visitor.sign_in()
    await visitor.sees(visitor.page.locator(".photo-page").filter(has_text="linked"))


async def test_a_session_survives_a_reload_and_an_expired_access_token(site: Site) -> None:
    """Scripts cannot read the tokens, and a session with an expired access token is renewed unnoticed."""
    visitor = await site.signed_in()
    readable = await visitor.page.evaluate("() => document.cookie")
    assert "picshare_csrf" in readable
    assert "access" not in readable
    assert "refresh" not in readable
    await visitor.context.clear_cookies(name="picshare_access")
    await visitor.page.evaluate("() => localStorage.clear()")
    await visitor.page.reload()
    await visitor.live()
    await visitor.sees(visitor.page.get_by_text("Your feed is empty"))


async def test_a_refused_access_token_is_renewed_and_the_request_repeated(site: Site) -> None:
    """If the server refuses the access token before it expires, the page renews it and repeats the request."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 401")
    await visitor.context.clear_cookies(name="picshare_access")
    await visitor.visit("Notifications")
    await visitor.sees(visitor.page.get_by_text("No notifications yet"))


async def test_two_tabs_renew_one_session_together(site: Site) -> None:
    """Two tabs that need a new access token at the same time both keep the session."""
    visitor = await site.signed_in()
    second = await visitor.context.new_page()
    await second.goto(visitor.url)
    await expect(second.locator(".connection-status").first).to_have_attribute("data-state", "live", timeout=WITHIN)
    await expect(second.get_by_text("Your feed is empty")).to_be_visible(timeout=WITHIN)
    in_progress: list[Route] = []
    concurrency: list[int] = []

    async def hold_until_both_wait(route: Route) -> None:
        in_progress.append(route)
        concurrency.append(len(in_progress))
        for tab in (visitor.page, second):
            await tab.wait_for_function("() => window.requesting")
        answer = await route.fetch()
        # Removed before the page has the response, so that a renewal that waits for this one is not counted with it.
        in_progress.remove(route)
        await route.fulfill(response=answer)

    await visitor.context.route(re.compile("/tokens/refresh"), hold_until_both_wait)
    request = """async () => {
        const { Api } = await import("/static/js/service/api.js");
        const api = new Api();
        const answers = ["/notifications/counters", "/feed", "/users/me"].map((path) => api.get(path));
        window.requesting = true;
        return (await Promise.all(answers)).length;
    }"""
    await visitor.page.evaluate("() => localStorage.clear()")
    one, other = await asyncio.gather(visitor.page.evaluate(request), second.evaluate(request))
    assert (one, other) == (3, 3)
    # A refresh token can be used once: two renewals may follow each other, but must not overlap.
    assert set(concurrency) == {1}
    await second.reload()
    await expect(second.locator(".connection-status").first).to_have_attribute("data-state", "live", timeout=WITHIN)


async def test_signing_out_ends_the_session_in_every_tab(site: Site) -> None:
    """Signing out leads to the sign-in page, in other tabs too."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 401")
    second = await visitor.context.new_page()
    await second.goto(f"{visitor.url}/notifications")
    await expect(second.locator(".connection-status").first).to_have_attribute("data-state", "live", timeout=WITHIN)
    await visitor.page.get_by_role("link", name="Settings").click()
    await visitor.page.get_by_role("button", name="Sign out").click()
    await visitor.sees(visitor.page.get_by_role("button", name="Sign in"))
    await expect(second.get_by_role("button", name="Sign in")).to_be_visible(timeout=WITHIN)
    assert await visitor.page.evaluate("() => document.cookie") == ""


async def test_a_new_user_name_appears_on_open_pages(site: Site) -> None:
    """A profile that is open gets the new user name and its address; a link with the former one leads there."""
    owner, fan = await site.signed_in(), await site.signed_in(at=None)
    former, name = owner.account.name, f"n{uuid.uuid4().hex[:10]}"
    await fan.open(f"/u/{former}")
    await fan.live()
    await fan.subscribed(f"user:{owner.account.id}")
    await owner.open("/settings/account")
    await owner.page.get_by_label("User name").fill(name)
    await owner.page.get_by_role("button", name="Save").click()
    await owner.sees(owner.page.get_by_text(f"Signed in as @{name}."))
    await fan.sees(fan.page.get_by_text(f"@{name}"))
    await expect(fan.page).to_have_url(re.compile(f"/u/{name}$"))
    await fan.open(f"/u/{former}")
    await fan.sees(fan.page.get_by_text(f"@{name}"))
    await expect(fan.page).to_have_url(re.compile(f"/u/{name}$"))


async def test_a_private_account_accepts_a_follow_request(site: Site) -> None:
    """Following a private account sends a request; after its owner has accepted it, the photos are visible."""
    owner, requester = await site.signed_in(), await site.signed_in()
    await owner.page.get_by_role("link", name="Settings").click()
    await owner.page.get_by_label("Name", exact=True).fill("Private User")
    await owner.page.get_by_role("button", name="Save").click()
    await owner.sees(owner.toast("Saved"))
    await owner.page.get_by_role("link", name="Privacy").click()
    await owner.page.get_by_label("Private account").check()
    async with owner.page.expect_response("**/users/me"):
        await owner.page.get_by_role("button", name="Save").click()
    await owner.account.upload(photograph("galaxies"), "for friends")

    await requester.open(f"/u/{owner.account.name}")
    await requester.sees(requester.page.get_by_role("heading", name="Private User"))
    await requester.sees(requester.page.get_by_text("This account is private"))
    await requester.page.get_by_role("button", name="Follow", exact=True).click()
    await requester.sees(requester.page.get_by_role("button", name="Requested"))
    await owner.visit("Notifications")
    await owner.page.get_by_role("button", name="Accept").click()
    await owner.loses(owner.page.get_by_role("button", name="Accept"))
    await owner.loses(owner.page.locator(".notification"))
    await expect(owner.page.locator(".nav .badge")).to_be_hidden(timeout=WITHIN)
    await requester.page.reload()
    await requester.sees(requester.page.locator(".cell .loaded"))
    await requester.visit("Notifications")
    await requester.sees(requester.page.locator(".notification").filter(has_text="accepted your request to follow"))
