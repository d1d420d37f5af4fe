"""Accessibility: axe-core finds nothing on any page, in any of its states, in the light and in the dark theme."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Route, expect

from tests.browser.axe import AxeChecks
from tests.browser.visitor import DESKTOP, PHONE, Promote, Site, Visitor, published
from tests.support.api_user import ApiUser
from tests.support.cases import case_about, comment_on, report
from tests.support.eventually import eventually
from tests.support.oauth import query_of, register
from tests.support.pictures import photograph

_STATIC = Path(__file__).parents[2] / "static"
_SETTINGS = [
    path
    for path in re.findall(r'"(/settings[^"]*)"', (_STATIC / "js" / "settings" / "settings_paths.js").read_text())
    if ":" not in path
]
_MAIN = ["/", "/discover", "/discover/trending", "/discover/tags", "/new", "/notifications", "/lists", "/saved"]
_SETTLED = """(path) => {
    const main = document.querySelector("main");
    const waits = path !== "/design" && main?.querySelector(".spinner, .skeleton");
    return main?.querySelector("h1") && !main.ariaBusy && !waits;
}"""


async def _go(visitor: Visitor, path: str, *, settled: bool = True) -> None:
    """Go to a page without loading the application again, and wait until it has its content."""
    await visitor.go(path)
    if settled:
        await eventually(lambda: visitor.page.evaluate(_SETTLED, path))


async def _check_all(visitor: Visitor, checks: AxeChecks, paths: list[str], state: str) -> None:
    for path in paths:
        await _go(visitor, path)
        await checks.check(f"{path} ({state})")


async def test_pages_of_visitors(site: Site) -> None:
    """Signing in and up with and without errors, the pages that mails lead to, and the page of the design."""
    visitor = await site.visitor(viewport=PHONE)
    visitor.expect_error("status of 4")
    page, checks = visitor.page, AxeChecks(visitor.page)
    await visitor.open("/signin")
    await visitor.sees(page.get_by_role("button", name="Sign in", exact=True))
    await checks.check("signing in")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await visitor.sees(page.get_by_text("Enter your password."))
    await page.get_by_role("button", name="Show password").click()
    await checks.check("signing in without a name")
    await page.get_by_label("User name or e-mail").fill("nobody.at.all")
    await page.get_by_label("Password", exact=True).fill("a wrong password")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await visitor.sees(page.get_by_role("alert"))
    await checks.check("signing in with a wrong password")
    await page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    await checks.check("signing in on a desktop")
    await _go(visitor, "/signup")
    await page.get_by_role("button", name="Create account").click()
    await visitor.sees(page.get_by_text("Choose a password."))
    paths = ["/forgot", "/reset", "/verify", "/email-change", "/signin/provider", "/design"]
    await _check_all(visitor, checks, ["/signup", *paths], "visitor")
    await page.get_by_role("button", name="Sample menu").click()
    await checks.check("/design, its menu", menu=True)
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Show a message").click()
    await page.get_by_role("button", name="Open a dialog").click()
    await checks.check("/design, its dialog")
    checks.assert_none()


async def test_pages_of_a_new_account(site: Site) -> None:
    """Nothing is there yet, or not found; on a phone."""
    visitor = await site.signed_in(viewport=PHONE)
    visitor.expect_error("status of 4(0|10)")
    checks = AxeChecks(visitor.page)
    profile = f"/u/{visitor.account.name}"
    own = [profile, f"{profile}/followers", f"{profile}/following", "/tag/withoutanyphoto"]
    missing = [
        "/nothing",
        "/p/nothing",
        "/u/nobody.there",
        "/lists/nothing",
        "/c/nothing",
        "/settings/webhooks/nothing",
    ]
    await _check_all(visitor, checks, [*_MAIN, *own, *missing, *_SETTINGS, "/moderation"], "new account")
    checks.assert_none()


class _Filled:
    """An account that has something on each page; `port` is that to which the service may send webhooks."""

    def __init__(self, owner: ApiUser, friend: ApiUser, port: int) -> None:
        self.owner = owner
        self.friend = friend
        self._port = port
        self.photo = ""
        self.other = ""
        self.paths: list[str] = []

    async def fill(self) -> None:
        """Create photos, comments, follows, notifications, lists, collections, tokens and webhooks."""
        owner, friend = self.owner, self.friend
        await owner.follow(friend)
        await friend.follow(owner)
        await self._photos()
        list_id = (await owner.call("POST", "/lists", json={"title": "Axe men"})).expect(201)["id"]
        (await owner.call("PUT", f"/lists/{list_id}/accounts/{friend.id}")).expect(204)
        collection = (await owner.call("POST", "/collections", json={"title": "Axes"})).expect(201)["id"]
        kept = await owner.call("POST", f"/collections/{collection}/items", json={"photo_id": self.photo})
        assert kept.status < 300, kept.body
        (await owner.call("PUT", f"/photos/{self.other}/save")).expect(204)
        token = {"name": "Robot", "scopes": ["read"]}
        (await owner.call("POST", "/users/me/tokens", json=token)).expect(201)
        await register(owner)
        hook = {"url": f"http://127.0.0.1:{self._port}/axe", "description": "Robot"}
        (await owner.call("POST", "/webhooks", json=hook)).expect(201)
        webhook = (await owner.call("GET", "/webhooks")).expect(200)["items"][0]["id"]
        profile = f"/u/{owner.name}"
        self.paths = [
            *_MAIN,
            f"/p/{self.photo}",
            f"/p/{self.other}",
            "/tag/axehandles",
            profile,
            f"{profile}/followers",
            f"{profile}/following",
            f"/u/{friend.name}",
            f"/lists/{list_id}",
            f"/lists/{list_id}/accounts",
            f"/c/{collection}",
            *(path for path in _SETTINGS if path != "/settings"),
            f"/settings/webhooks/{webhook}",
        ]

    async def _photos(self) -> None:
        owner, friend = self.owner, self.friend
        fields = {"caption": "An axe by @" + friend.name, "tags": ["axehandles", "x"], "location": "Kyoto"}
        pictures = [photograph(name).read_bytes() for name in ("coffee", "cat")]
        self.photo = (await owner.post_pictures(*pictures, **fields))["id"]
        self.other = (await friend.upload(photograph("temple"), "Another #axehandles"))["id"]
        await published(owner, self.photo)
        await published(friend, self.other)
        for user, photo in ((owner, self.other), (friend, self.photo)):
            comment = (await user.call("POST", f"/photos/{photo}/comments", json={"text": "sharp"})).expect(201)["id"]
            (await user.call("PUT", f"/photos/{photo}/like")).expect(200)
            reply = {"text": "indeed", "reply_to": comment}
            await user.call("POST", f"/photos/{photo}/comments", json=reply)


async def _filled(site: Site, port: int, **options: Any) -> tuple[Visitor, _Filled]:
    filled = _Filled(await site.create_account(), await site.create_account(), port)
    await filled.fill()
    visitor = await site.signed_in(filled.owner, **options)
    # The page on which users come back from a provider is opened without having been there.
    visitor.expect_error("status of 410.*identities")
    return visitor, filled


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_pages_with_content(site: Site, receiver_port: int, viewport: dict[str, int]) -> None:
    """Each page of a user who has photos, comments, notifications, lists, collections and programs."""
    visitor, filled = await _filled(site, receiver_port, viewport=viewport)
    checks = AxeChecks(visitor.page)
    await _check_all(visitor, checks, filled.paths, "with content")
    checks.assert_none()


async def test_what_opens_over_a_page(site: Site, receiver_port: int) -> None:
    """Menus, dialogs, the lightbox, messages, and the results of a search."""
    visitor, filled = await _filled(site, receiver_port)
    page, checks = visitor.page, AxeChecks(visitor.page)

    async def menu(name: str, *items: str) -> None:
        """Open a menu, and then the dialog of each item."""
        button = page.get_by_role("main").get_by_role("button", name=name).first
        await button.click()
        await visitor.sees(page.get_by_role("menu"))
        await checks.check(f"menu {name}", menu=True)
        await page.keyboard.press("Escape")
        for item in items:
            await button.click()
            await page.get_by_role("menuitem", name=item).click()
            await visitor.sees(page.get_by_role("dialog"))
            await checks.check(f"dialog {item}")
            await page.keyboard.press("Escape")
            await visitor.loses(page.get_by_role("dialog"))

    await page.get_by_role("button", name="Menu", exact=True).click()
    await visitor.sees(page.get_by_role("menuitemradio", name="Dark"))
    await checks.check("menu of the navigation", menu=True)
    await page.keyboard.press("Escape")
    await _go(visitor, f"/p/{filled.photo}")
    await menu("Photo options", "Embed", "Edit photo", "Save", "Delete photo")
    await menu("Comment options", "Report comment")
    await page.get_by_label("Your comment").fill(f"@{filled.friend.name[:5]}")
    await visitor.sees(page.get_by_role("option"))
    await checks.check("completion of a mention", menu=True)
    await page.keyboard.press("Escape")
    await page.evaluate("() => document.activeElement.blur()")
    await page.keyboard.press("?")
    await visitor.sees(page.get_by_role("dialog"))
    await checks.check("list of keys")
    await page.keyboard.press("Escape")
    await page.locator(".view-button").first.focus()
    await page.keyboard.press("Enter")
    await visitor.sees(page.locator(".lightbox"))
    await checks.check("lightbox")
    await page.keyboard.press("Escape")
    await _go(visitor, f"/p/{filled.other}")
    await menu("Photo options", "Report photo")
    await page.get_by_role("button", name="Save", exact=True).click()
    await visitor.sees(page.locator(".toast"))
    await checks.check("message")
    await _go(visitor, f"/u/{filled.friend.name}")
    await menu("Profile options", "Report", "Block")
    await _go(visitor, "/notifications")
    await menu("Options for notifications")
    await _go(visitor, "/lists")
    await menu("Options of Axe men", "Rename list", "Delete list")
    await page.get_by_role("button", name="New list").click()
    await checks.check("dialog New list")
    await page.keyboard.press("Escape")
    await _go(visitor, "/discover")
    await page.get_by_role("searchbox").or_(page.get_by_role("combobox")).first.fill("axehandles")
    await visitor.sees(page.locator(".search-results section"))
    await checks.check("results of a search")
    await _go(visitor, "/settings/webhooks")
    await page.get_by_role("button", name="New webhook").click()
    await visitor.sees(page.get_by_role("dialog"))
    await checks.check("dialog New webhook")
    checks.assert_none()


async def test_pages_that_load_and_pages_that_fail(site: Site, receiver_port: int) -> None:
    """While the first requests of a page are under way, and after they have failed."""
    visitor, filled = await _filled(site, receiver_port, viewport=PHONE)
    visitor.expect_error("status of 500")
    page, checks = visitor.page, AxeChecks(visitor.page)
    # Of 503, the page would be that of a service that is away, with the feed of the last visit.
    body = json.dumps({"title": "Failed", "status": 500, "code": "internal", "detail": "Try again later."})

    async def refuse(route: Route) -> None:
        await route.fulfill(status=500, body=body, content_type="application/problem+json")

    requests = re.compile(r"/api/v1/(?!live)")
    paths = [path for path in filled.paths if path not in {"/new", *_SETTINGS}] + [
        "/settings/sessions",
        "/settings/webhooks",
    ]
    await page.route(requests, lambda _: None)
    for path in paths:
        await _go(visitor, path, settled=False)
        await eventually(lambda: page.evaluate("() => !document.querySelector('main').ariaBusy"))
        await checks.check(f"{path} (loading)")
    await page.unroute_all(behavior="ignoreErrors")
    await page.route(requests, refuse)
    for path in paths:
        await _go(visitor, path, settled=False)
        await expect(page.get_by_role("main").get_by_role("button", name="Try again").first).to_be_visible()
        await checks.check(f"{path} (failed)")
    checks.assert_none()


async def test_pages_of_moderators_and_of_consent(site: Site, promote: Promote) -> None:
    """The queue, a case and its dialogs, and the page on which a user connects an application."""
    judge, author = await promote(await site.create_account()), await site.create_account()
    photo = (await author.upload(photograph("rocket"), "A questionable axe"))["id"]
    await published(author, photo)
    comment = await comment_on(author, photo)
    reporter = await site.create_account()
    await report(reporter, "photo", photo, text="Look at the left side.")
    await report(reporter, "comment", comment)
    visitor = await site.signed_in(judge)
    page, checks = visitor.page, AxeChecks(visitor.page)
    case = await case_about(judge, photo)
    await _check_all(visitor, checks, ["/moderation", f"/moderation/{await case_about(judge, comment)}"], "moderator")
    await _go(visitor, f"/moderation/{case}")
    await checks.check("case of a photo")
    buttons = page.locator(".case-buttons button")
    for number in range(await buttons.count()):
        name = await buttons.nth(number).inner_text()
        await buttons.nth(number).click()
        dialog = page.get_by_role("dialog")
        if await dialog.count() == 0:
            continue
        await checks.check(f"decision {name}")
        await page.keyboard.press("Escape")
        await visitor.loses(dialog)
    application = await register(author)
    await visitor.open(f"/oauth/authorize?{query_of(application)}")
    await visitor.sees(page.get_by_role("button", name="Approve"))
    await checks.check("consent")
    visitor.expect_error("status of 400")
    await visitor.open(f"/oauth/authorize?{quote('client_id=nothing', safe='=')}")
    await visitor.sees(page.get_by_role("heading", name="not valid"))
    await checks.check("consent that is not valid")
    checks.assert_none()


async def test_pages_apart_from_the_application(site: Site) -> None:
    """The documentation of the API, the GraphQL explorer, and an embedded photo."""
    visitor = await site.signed_in(at=None)
    page, checks = visitor.page, AxeChecks(visitor.page)
    photo = (await visitor.account.upload(photograph("flower"), "To be embedded"))["id"]
    await published(visitor.account, photo)
    await visitor.open("/docs")
    await visitor.sees(page.locator("details").first)
    for block in (await page.locator("details").all())[:12]:
        await block.evaluate("(block) => { block.open = true; }")
    await checks.check("documentation of the API")
    await visitor.open("/graphql")
    await visitor.sees(page.locator("#schema details").first)
    await page.locator("#schema summary").first.click()
    await checks.check("explorer")
    await visitor.open(f"/p/{photo}/embed")
    await checks.check("embedded photo")
    checks.assert_none()
