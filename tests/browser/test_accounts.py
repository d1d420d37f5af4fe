"""Accounts in the browser: signing up, in and out, sessions that renew themselves, private accounts."""

from __future__ import annotations

import asyncio
import re
import uuid

from playwright.async_api import Route, expect

from tests.browser.visitor import PASSWORD, WITHIN, Site
from tests.support.pictures import photograph


async def test_signing_up_leads_to_an_empty_feed(site: Site) -> None:
    """A newcomer makes an account and is at once at home, with a way on from the empty feed."""
    visitor = await site.visitor()
    await visitor.open()
    await visitor.page.get_by_role("link", name="Create an account").click()
    name = f"n{uuid.uuid4().hex[:10]}"
    await visitor.page.get_by_label("User name").fill(name)
    await visitor.page.get_by_label("E-mail").fill(f"{name}@picshare.example")
    await visitor.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await visitor.page.get_by_role("button", name="Create account").click()
    await visitor.live()
    await visitor.sees(visitor.page.get_by_text("Your feed is waiting"))


async def test_what_is_wrong_stands_beside_its_field(site: Site) -> None:
    """A refused sign-up tells each field's error beside it, and the first one has the focus."""
    taken = await site.account()
    visitor = await site.visitor()
    visitor.expect_error("status of 4(09|22)")
    await visitor.open("/signup")
    submit = visitor.page.get_by_role("button", name="Create account")
    await submit.click()
    await visitor.sees(visitor.page.get_by_text("Choose a user name."))
    username = visitor.page.get_by_label("User name")
    await expect(username).to_be_focused()
    await username.fill("a!")
    await visitor.page.get_by_label("E-mail").fill("nobody")
    await visitor.page.get_by_label("Password", exact=True).fill("short")
    await submit.click()
    await visitor.sees(visitor.page.get_by_text("use 3 to 30 letters", exact=False))
    await expect(visitor.page.locator(".field.wrong")).to_have_count(3)
    await expect(username).to_have_attribute("aria-invalid", "true")
    await username.fill(taken.name)
    await visitor.page.get_by_label("E-mail").fill(f"{uuid.uuid4().hex}@picshare.example")
    await visitor.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await submit.click()
    await visitor.sees(visitor.page.locator(".field.wrong .error").filter(has_text=re.compile("taken")))
    await expect(visitor.page.locator(".field.wrong")).to_have_count(1)


async def test_a_wrong_password_is_told_and_a_link_is_kept(site: Site) -> None:
    """A visitor who follows a link signs in first, after a mistake too, and then sees what the link led to."""
    author = await site.account()
    photo = await author.upload(photograph("flower"), "linked")
    visitor = await site.visitor()
    visitor.expect_error("status of 401")
    await visitor.open(f"/p/{photo['id']}")
    await visitor.page.get_by_label("User name or e-mail").fill(visitor.person.name)
    await visitor.page.get_by_label("Password", exact=True).fill("not my password")
    await visitor.page.get_by_role("button", name="Sign in").click()
    await visitor.sees(visitor.page.get_by_role("alert").filter(has_text=re.compile("wrong")))
    await visitor.sign_in()
    await visitor.sees(visitor.page.locator(".photo-page").filter(has_text="linked"))


async def test_a_session_survives_a_reload_and_its_access_token(site: Site) -> None:
    """Tokens are out of the reach of scripts, and a session whose access token has ended renews itself unnoticed."""
    visitor = await site.signed_in()
    readable = await visitor.page.evaluate("() => document.cookie")
    assert "picshare_csrf" in readable
    assert "access" not in readable
    assert "refresh" not in readable
    await visitor.context.clear_cookies(name="picshare_access")
    await visitor.page.evaluate("() => localStorage.clear()")
    await visitor.page.reload()
    await visitor.live()
    await visitor.sees(visitor.page.get_by_text("Your feed is waiting"))


async def test_a_refused_access_token_is_renewed_and_the_request_repeated(site: Site) -> None:
    """When the server refuses the access token before its time, the page renews it and carries on."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 401")
    await visitor.context.clear_cookies(name="picshare_access")
    await visitor.visit("Notifications")
    await visitor.sees(visitor.page.get_by_text("All quiet"))


async def test_two_tabs_renew_one_session_together(site: Site) -> None:
    """Two tabs that need a new access token at the same moment both keep the session."""
    visitor = await site.signed_in()
    second = await visitor.context.new_page()
    await second.goto(visitor.url)
    await expect(second.locator(".live-state").first).to_have_attribute("data-state", "live", timeout=WITHIN)
    await expect(second.get_by_text("Your feed is waiting")).to_be_visible(timeout=WITHIN)
    under_way: list[Route] = []
    at_once: list[int] = []

    async def hold_until_both_wait(route: Route) -> None:
        under_way.append(route)
        at_once.append(len(under_way))
        for tab in (visitor.page, second):
            await tab.wait_for_function("() => window.asking")
        answer = await route.fetch()
        # Over before the page can know of it: the next one, if it waited for this, comes later.
        under_way.remove(route)
        await route.fulfill(response=answer)

    await visitor.context.route(re.compile("/tokens/refresh"), hold_until_both_wait)
    ask = """async () => {
        const { Api } = await import("/static/js/api.js");
        const api = new Api();
        const answers = ["/notifications/counters", "/feed", "/users/me"].map((path) => api.get(path));
        window.asking = true;
        return (await Promise.all(answers)).length;
    }"""
    await visitor.page.evaluate("() => localStorage.clear()")
    one, other = await asyncio.gather(visitor.page.evaluate(ask), second.evaluate(ask))
    assert (one, other) == (3, 3)
    # A refresh token is good once: two renewals may follow each other, but never overlap.
    assert set(at_once) == {1}
    await second.reload()
    await expect(second.locator(".live-state").first).to_have_attribute("data-state", "live", timeout=WITHIN)


async def test_signing_out_ends_the_session_in_every_tab(site: Site) -> None:
    """Signing out leads to the sign-in page, and another tab learns that its session is over."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 401")
    second = await visitor.context.new_page()
    await second.goto(f"{visitor.url}/notifications")
    await expect(second.locator(".live-state").first).to_have_attribute("data-state", "live", timeout=WITHIN)
    await visitor.page.get_by_role("link", name="Settings").click()
    await visitor.page.get_by_role("button", name="Sign out").click()
    await visitor.sees(visitor.page.get_by_role("button", name="Sign in"))
    await expect(second.get_by_role("button", name="Sign in")).to_be_visible(timeout=WITHIN)
    assert await visitor.page.evaluate("() => document.cookie") == ""


async def test_a_private_account_is_asked_and_grants(site: Site) -> None:
    """Following a private account asks; its owner grants it among the notifications; then the photos are there."""
    owner, asker = await site.signed_in(), await site.signed_in()
    await owner.page.get_by_role("link", name="Settings").click()
    await owner.page.get_by_label("Name").fill("Quiet Person")
    await owner.page.get_by_label("Private account").check()
    await owner.page.get_by_role("button", name="Save").click()
    await owner.sees(owner.toast("Saved"))
    await owner.person.upload(photograph("galaxies"), "for friends")

    await asker.open(f"/u/{owner.person.name}")
    await asker.sees(asker.page.get_by_role("heading", name="Quiet Person"))
    await asker.sees(asker.page.get_by_text("This account is private"))
    await asker.page.get_by_role("button", name="Follow", exact=True).click()
    await asker.sees(asker.page.get_by_role("button", name="Requested"))
    await owner.visit("Notifications")
    await owner.page.get_by_role("button", name="Accept").click()
    await owner.sees(owner.page.locator(".notice").filter(has_text="started following you"))
    await owner.loses(owner.page.get_by_role("button", name="Accept"))
    await expect(owner.page.locator(".nav .badge")).to_be_hidden(timeout=WITHIN)
    await asker.page.reload()
    await asker.sees(asker.page.locator(".cell .loaded"))
