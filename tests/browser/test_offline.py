"""Without a connection: the application opens with the last feed, and what the user does is sent later, once."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio
from playwright.async_api import Browser, Request, Route, expect

from tests.browser.offline_visit import AWAY, controlled, feed_kept, nothing_waits, records, tray, waits, with_worker
from tests.browser.visitor import PHONE, WITHIN, Site, published
from tests.engines.private import free_port
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.eventually import eventually
from tests.support.pictures import photograph
from tests.support.service import Service

LIKE = re.compile("^Like")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service() -> AsyncIterator[Service]:
    """A service of its own, because tests stop it."""
    with tempfile.TemporaryDirectory(prefix="pso-") as folder:
        port = free_port()
        command = ["run", "--no-demo", "--port", str(port), "--data", f"{folder}/data"]
        limits = {
            f"PICSHARE_LIMITS__{name}": "10000/5m" for name in ("SIGN_UP_ADDRESS", "SIGN_IN_ADDRESS", "SIGN_IN_ACCOUNT")
        }
        service = Service(command, folder=Path(folder), name="picshare", port=port, env=limits)
        await service.start()
        try:
            yield service
        finally:
            await service.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def stopping_site(browser: Browser, service: Service) -> AsyncIterator[Site]:
    """The site of that service."""
    async with aiohttp.ClientSession() as http:
        site = Site(browser, http, service.url)
        yield site
        await site.close()
    assert site.unexpected_errors() == []


async def followed(site: Site, follower: ApiUser, *photos: tuple[str, str]) -> tuple[ApiUser, list[dict[str, Any]]]:
    """Return an account that the follower follows, and its photos of some names with captions."""
    owner = await site.create_account()
    await follower.follow(owner)
    uploaded = [await owner.upload(photograph(name), caption) for name, caption in photos]
    for photo in uploaded:
        await published(owner, photo["id"])
    return owner, uploaded


async def comments(account: ApiUser, photo: dict[str, Any]) -> list[str]:
    """Return the comments of a photo, the newest first."""
    found = (await account.call("GET", f"/photos/{photo['id']}/comments")).expect(200)
    return [comment["text"] for comment in found["items"]]


async def test_a_visit_while_the_service_is_stopped(stopping_site: Site, service: Service) -> None:
    """The last feed opens with its pictures; what the user does outlives a reload, and is sent at the end."""
    site, account = stopping_site, await stopping_site.create_account()
    owner, (older, newer) = await followed(site, account, ("temple", "kept older"), ("cat", "kept newer"))
    visitor = await with_worker(site, account)
    page = visitor.page
    await feed_kept(page, "kept newer", "kept older")
    await service.stop()
    await page.reload()
    await visitor.sees(visitor.card("kept newer").locator(".frame.loaded"))
    await visitor.sees(page.get_by_text("There is no connection. These photos were loaded"))
    assert (await page.locator("article.card img").first.get_attribute("src") or "").startswith("blob:")

    await visitor.card("kept newer").get_by_role("button", name=LIKE).click()
    await waits(visitor, 1)
    await visitor.card("kept older").get_by_role("button", name="Save").click()
    await waits(visitor, 2)
    await visitor.card("kept newer").get_by_role("link", name=re.compile("^Comments")).click()
    for text in ("first words", "second words"):
        await page.get_by_label("Your comment").fill(text)
        await page.keyboard.press("Enter")
        await visitor.sees(page.locator("li.sending").filter(has_text=text))
    await waits(visitor, 4)
    await page.reload()
    await waits(visitor, 4)
    await expect(page.locator("li.sending p")).to_have_text([re.compile("second words"), re.compile("first words")])
    await expect(page.get_by_role("button", name=LIKE).first).to_have_attribute("aria-pressed", "true")

    # A page that was never loaded says so, and its script is there.
    await visitor.visit("Discover")
    await visitor.sees(page.get_by_role("heading", name="Not available offline"))
    await visitor.open("/settings/sessions")
    await visitor.sees(page.get_by_role("button", name="Try again"))
    await visitor.open("/")
    await visitor.sees(visitor.card("kept newer"))

    await service.start()
    await visitor.live()
    await nothing_waits(visitor)
    await expect(page.get_by_text("There is no connection")).to_be_hidden(timeout=WITHIN)
    assert (await account.call("GET", f"/photos/{newer['id']}")).expect(200)["liked"] is True
    assert await comments(owner, newer) == ["second words", "first words"]
    saved = (await account.call("GET", "/users/me/saved")).expect(200)["items"]
    assert [photo["id"] for photo in saved] == [older["id"]]


async def test_a_server_that_restarts_gets_each_act_once(stopping_site: Site, service: Service) -> None:
    """A follow and a like that were sent to a stopped service reach the next one without a reload of the page."""
    site, account = stopping_site, await stopping_site.create_account()
    _, (photo,) = await followed(site, account, ("coffee", "over a restart"))
    other = await site.create_account()
    visitor = await with_worker(site, account, viewport=PHONE)
    await visitor.sees(visitor.card("over a restart"))
    await visitor.open(f"/u/{other.name}")
    follow = visitor.page.get_by_role("button", name="Follow", exact=True)
    await visitor.sees(follow)
    await service.stop()
    await follow.click()
    await visitor.sees(visitor.page.get_by_role("button", name="Following"))
    await waits(visitor, 1)
    await service.start()
    await nothing_waits(visitor)
    relation = (await account.call("GET", f"/users/{other.name}")).expect(200)["relation"]
    assert relation["following"] is True
    assert photo["id"]


async def test_opposite_acts_cancel(site: Site) -> None:
    """A like that was never sent and is taken back is not sent at all; one of three is."""
    account = await site.create_account()
    _, (photo,) = await followed(site, account, ("rocket", "to and fro"))
    visitor = await with_worker(site, account)
    await visitor.sees(visitor.card("to and fro"))
    sent: list[str] = []

    def record(request: Request) -> None:
        if request.url.endswith("/like"):
            sent.append(request.method)

    visitor.page.on("request", record)
    like = visitor.card("to and fro").get_by_role("button", name=LIKE)
    await visitor.context.set_offline(True)
    await like.click()
    await waits(visitor, 1)
    await expect(like).to_have_attribute("data-pending", "")
    await like.click()
    await expect(tray(visitor)).to_be_hidden()
    await like.click()
    await waits(visitor, 1)
    assert sent == []
    await visitor.context.set_offline(False)
    await nothing_waits(visitor)
    assert sent == ["PUT"]
    await expect(like).not_to_have_attribute("data-pending", "")
    assert (await account.call("GET", f"/photos/{photo['id']}")).expect(200)["likes"] == 1


async def test_a_comment_whose_response_is_lost_is_not_doubled(site: Site) -> None:
    """The page sees an error although the server has the comment: it is sent again with the same key."""
    account = await site.create_account()
    owner, (photo,) = await followed(site, account, ("flower", "said once"))
    visitor = await with_worker(site, account)
    lost: list[str] = []

    async def lose_once(route: Route) -> None:
        if route.request.method != "POST" or lost:
            await route.continue_()
            return
        lost.append((await route.fetch()).headers.get("location", ""))
        await route.abort()

    await visitor.page.route(re.compile("/comments$"), lose_once)
    await visitor.open(f"/p/{photo['id']}")
    await visitor.page.get_by_label("Your comment").fill("only these words")
    await visitor.page.keyboard.press("Enter")
    await visitor.sees(visitor.page.locator(".comments li:not(.sending)").filter(has_text="only these words"))
    await nothing_waits(visitor)
    assert len(lost) == 1
    assert await comments(owner, photo) == ["only these words"]
    await expect(visitor.page.locator(".comments li").filter(has_text="only these words")).to_have_count(1)


async def test_a_refused_act_says_why_and_can_be_mended(site: Site) -> None:
    """A comment that the server refuses goes back into the form or away; a like of a photo that is gone is given up."""
    account = await site.create_account()
    owner, (photo, gone) = await followed(site, account, ("temple", "still there"), ("cat", "soon gone"))
    visitor = await with_worker(site, account)
    visitor.expect_error("status of 4")
    page = visitor.page
    await visitor.sees(visitor.card("soon gone"))
    await page.route(re.compile("/comments$"), _refuse_posts)
    await visitor.card("still there").get_by_role("link", name=re.compile("^Comments")).click()
    await visitor.sees(page.get_by_label("Your comment"))
    await visitor.context.set_offline(True)
    await page.get_by_label("Your comment").fill("words that nobody wants")
    await page.keyboard.press("Enter")
    await waits(visitor, 1)
    await page.go_back()
    await visitor.card("soon gone").get_by_role("button", name=LIKE).click()
    await waits(visitor, 2)
    assert (await owner.call("DELETE", f"/photos/{gone['id']}")).status == 204
    await visitor.context.set_offline(False)

    refused = tray(visitor).locator(".failed")
    await expect(refused).to_have_count(2, timeout=WITHIN)
    await expect(refused.filter(has_text="words that nobody wants").locator(".state")).to_have_text(
        "These words are not allowed."
    )
    await refused.filter(has_text="Like").get_by_role("button", name="Remove").click()
    await expect(refused).to_have_count(1)
    await refused.get_by_role("button", name="Edit").click()
    await expect(page.get_by_label("Your comment")).to_have_value("words that nobody wants")
    await page.unroute(re.compile("/comments$"))
    await page.get_by_label("Your comment").fill("words that everybody wants")
    await page.keyboard.press("Enter")
    # It is sent at once, so nothing waits before it has arrived either.
    await visitor.sees(page.locator(".comments li:not(.sending)").filter(has_text="words that everybody wants"))
    await nothing_waits(visitor)
    assert await comments(owner, photo) == ["words that everybody wants"]


async def _refuse_posts(route: Route) -> None:
    if route.request.method == "POST":
        problem = {"status": 422, "code": "validation_failed", "detail": "these words are not allowed"}
        await route.fulfill(status=422, json=problem)
    else:
        await route.continue_()


async def test_what_is_kept_is_for_its_owner(site: Site) -> None:
    """The next user of the browser sees nothing of it and sends nothing of it; the owner's next visit does."""
    account, other = await site.create_account(), await site.create_account()
    owner, (photo,) = await followed(site, account, ("coffee", "for one alone"))
    visitor = await with_worker(site, account)
    visitor.expect_error("status of 40[13]")
    page = visitor.page
    await feed_kept(page, "for one alone")
    await visitor.card("for one alone").get_by_role("link", name=re.compile("^Comments")).click()
    await visitor.sees(page.get_by_label("Your comment"))
    await visitor.context.set_offline(True)
    await page.get_by_label("Your comment").fill("my own words")
    await page.keyboard.press("Enter")
    await waits(visitor, 1)

    await page.goto("about:blank")
    await visitor.context.set_offline(False)
    await _sign_in_elsewhere(site, visitor.context.request, other)
    await visitor.open("/")
    await visitor.live()
    await expect(tray(visitor)).to_be_hidden()
    await eventually(lambda: _kept_for(page, other), within=WITHIN / 1000)
    assert [record["user"] for record in await records(page, "pending")] == [account.id]
    assert await comments(owner, photo) == []

    await _sign_in_elsewhere(site, visitor.context.request, account)
    await visitor.open("/")
    await nothing_waits(visitor)
    assert await comments(owner, photo) == ["my own words"]


async def _sign_in_elsewhere(site: Site, request: Any, account: ApiUser) -> None:
    fields = {"username": account.name, "password": PASSWORD, "cookie": True}
    response = await request.post(f"{site.url}/api/v1/tokens", data=fields)
    assert response.ok, await response.text()


async def _kept_for(page: Any, account: ApiUser) -> bool:
    return {record["user"] for record in await records(page, "feeds")} <= {account.id}


async def test_signing_out_removes_what_is_kept(site: Site) -> None:
    """After a question, if something was not sent; the last feed goes in any case."""
    account = await site.create_account()
    _, (_,) = await followed(site, account, ("rocket", "until sign-out"))
    visitor = await with_worker(site, account)
    page = visitor.page
    await feed_kept(page, "until sign-out")
    problem = {"status": 503, "code": "unavailable", "detail": "try again shortly"}
    await page.route(re.compile("/like$"), lambda route: route.fulfill(status=503, json=problem))
    await visitor.card("until sign-out").get_by_role("button", name=LIKE).click()
    await waits(visitor, 1)
    await visitor.open("/settings")
    await page.get_by_role("button", name="Sign out").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("1 change was not sent yet")
    await dialog.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    await visitor.sees(page.get_by_label("User name or e-mail"))

    async def empty() -> bool:
        return await records(page, "feeds") == [] and await records(page, "pending") == []

    await eventually(empty, within=WITHIN / 1000)
    # The caches have files of the application alone.
    cached = await page.evaluate(
        """(async () => {
            const caches = await Promise.all((await self.caches.keys()).map((name) => self.caches.open(name)));
            const requests = await Promise.all(caches.map((cache) => cache.keys()));
            return requests.flat().map(({ url }) => new URL(url).pathname);
        })()"""
    )
    assert "/" in cached
    assert all(path == "/" or path.startswith("/static/v-") for path in cached), cached


async def test_the_worker_sends_after_the_last_page_was_closed(site: Site) -> None:
    """The browser wakes it when the network is back; nothing is doubled by the next page."""
    account = await site.create_account()
    owner, (photo,) = await followed(site, account, ("temple", "sent in the background"))
    visitor = await with_worker(site, account)
    page = visitor.page
    await visitor.card("sent in the background").get_by_role("link", name=re.compile("^Comments")).click()
    await visitor.sees(page.get_by_label("Your comment"))
    await visitor.context.set_offline(True)
    await page.get_by_label("Your comment").fill("from the background")
    await page.keyboard.press("Enter")
    await waits(visitor, 1)
    worker = visitor.context.service_workers[0]
    await page.goto("about:blank")
    await visitor.context.set_offline(False)
    await worker.evaluate("self.dispatchEvent(new SyncEvent('sync', { tag: 'picshare.pending' }))")

    async def arrived() -> bool:
        return await comments(owner, photo) == ["from the background"]

    await eventually(arrived, within=WITHIN / 1000)
    await visitor.open(f"/p/{photo['id']}")
    await nothing_waits(visitor)
    assert await comments(owner, photo) == ["from the background"]


async def test_a_photo_that_was_shared_without_a_connection_is_sent_later(site: Site) -> None:
    """Also after a reload without a connection."""
    visitor = await with_worker(site)
    await feed_kept(visitor.page)
    await visitor.choose(photograph("cat"))
    await visitor.page.get_by_label("Caption").fill("shared on a train")
    await visitor.context.set_offline(True)
    await visitor.page.get_by_role("button", name="Share", exact=True).click()
    await visitor.sees(visitor.page.locator(".tray-item.waiting").filter(has_text="shared on a train"))
    await visitor.page.reload()
    await visitor.sees(visitor.page.locator(".tray-item").filter(has_text="shared on a train"))
    await visitor.context.set_offline(False)
    await visitor.sees(visitor.card("shared on a train"))
    assert [photo["caption"] for photo in await visitor.account.feed()] == ["shared on a train"]


async def test_a_visit_without_a_session_or_a_last_feed_says_so(site: Site) -> None:
    """The page opens by itself as soon as there is a connection."""
    visitor = await site.visitor(service_workers="allow")
    visitor.expect_error(AWAY)
    page = visitor.page
    await visitor.open("/signin")
    await visitor.sign_in()
    await controlled(page)
    await visitor.context.set_offline(True)
    await page.evaluate("indexedDB.deleteDatabase('picshare.offline')")
    await visitor.open("/discover")
    await visitor.sees(page.get_by_role("heading", name="No connection"))
    await page.get_by_role("button", name="Try again").click()
    await visitor.sees(page.get_by_role("heading", name="No connection"))
    await visitor.context.set_offline(False)
    await visitor.sees(page.get_by_role("heading", name="Discover"))
    assert page.url == f"{visitor.url}/discover"
