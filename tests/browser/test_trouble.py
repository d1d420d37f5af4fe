"""Failures: interruptions lose nothing, refusals are shown, markup from users is only text."""

from __future__ import annotations

import re

from playwright.async_api import Response, Route, expect

from tests.browser.visitor import WITHIN, Site, published
from tests.support.eventually import eventually
from tests.support.pictures import photograph
from tests.support.tcp_proxy import TcpProxy

SCRIPT = "<img src=x onerror=\"alert('caption')\"><script>alert('script')</script>"
# The page sees a network error although the server has answered, as when the connection breaks in between.
LOSE_THE_FIRST_RESPONSE = """
    const fetched = window.fetch;
    let lost = false;
    window.fetch = async (resource, options) => {
        const response = await fetched(resource, options);
        if (lost || options?.method !== "POST" || !String(resource).endsWith("/photos")) return response;
        lost = true;
        throw new TypeError("Failed to fetch");
    };
"""
NOT_AN_IMAGE = {"name": "holiday.jpg", "mimeType": "image/jpeg", "buffer": b"these are only words"}


async def test_a_cut_connection_recovers_what_was_missed(site: Site) -> None:
    """After an interruption the page shows what it missed, at once and without fetching the feed."""
    owner = await site.create_account()
    fan = await site.create_account()
    await fan.follow(owner)
    async with TcpProxy.to(int(site.url.rsplit(":", 1)[1])) as proxy:
        follower = await site.visitor(fan, url=f"http://127.0.0.1:{proxy.port}")
        follower.expect_error("ERR_|WebSocket")
        await follower.open()
        await follower.sign_in()
        await owner.upload(photograph("rocket"), "before the cut")
        await follower.sees(follower.card("before the cut"))
        fetched: list[str] = []
        follower.page.on("request", lambda request: fetched.append(request.url))

        await follower.context.set_offline(True)
        await proxy.cut()
        await expect(follower.connection_status().first).to_have_attribute("data-state", "offline", timeout=WITHIN)
        await owner.upload(photograph("temple"), "missed one")
        second = await owner.upload(photograph("cat"), "missed two")
        gone = await owner.upload(photograph("coffee"), "missed and deleted")
        for photo in (second, gone):
            await published(owner, photo["id"])
        assert (await owner.call("DELETE", f"/photos/{gone['id']}")).status == 204
        await follower.context.set_offline(False)

        await follower.live()
        captions = follower.page.locator("article.card .caption")
        await expect(captions).to_have_text(["missed two", "missed one", "before the cut"], timeout=WITHIN)
        assert not [url for url in fetched if "/api/v1/feed" in url]


async def test_an_interruption_is_shown_and_ends_by_itself(site: Site) -> None:
    """While the service is unreachable the page shows that it reconnects, and it then does so by itself."""
    account = await site.create_account()
    async with TcpProxy.to(int(site.url.rsplit(":", 1)[1])) as proxy:
        visitor = await site.visitor(account, url=f"http://127.0.0.1:{proxy.port}")
        visitor.expect_error("ERR_|WebSocket")
        await visitor.open()
        await visitor.sign_in()
        blocked = re.compile("/live/token")
        await visitor.page.route(blocked, lambda route: route.abort())
        await proxy.cut()
        await visitor.sees_text(visitor.connection_status().first, re.compile("^Reconnecting"))
        await visitor.page.unroute(blocked)
        await visitor.live()


async def test_markup_from_users_is_text(site: Site) -> None:
    """Markup in captions, comments, names and descriptions is shown as text and never runs."""
    owner, follower = await site.friends()
    name = (await owner.account.call("PATCH", "/users/me", json={"display_name": "<b>Bold</b>", "bio": SCRIPT})).expect(
        200
    )
    assert name["display_name"] == "<b>Bold</b>"
    await owner.share(photograph("flower"), caption=SCRIPT)
    card = follower.card("onerror")
    await follower.sees(card)
    await follower.sees_text(card.locator(".caption"), SCRIPT)
    await follower.sees_text(card.locator(".card-head .name"), "<b>Bold</b>")
    await card.get_by_role("link", name=re.compile("^Comments")).click()
    await follower.page.get_by_label("Your comment").fill(SCRIPT)
    await follower.page.keyboard.press("Enter")
    await follower.sees(follower.page.locator(".comments li:not(.sending) p").filter(has_text=SCRIPT))
    await owner.sees(owner.toast("commented"))
    await follower.page.locator(".photo-page .card-head .name").click()
    await follower.sees_text(follower.page.locator(".bio"), SCRIPT)
    assert await follower.page.locator("main script, main b:has-text('Bold'), main img[src='x']").count() == 0


async def test_the_policy_blocks_inline_scripts(site: Site) -> None:
    """If markup ever reached the page, its scripts would not run: the policy allows no inline scripts."""
    visitor = await site.signed_in()
    visitor.expect_error("Content Security Policy")
    ran = await visitor.page.evaluate(
        """() => new Promise((resolve) => {
            addEventListener("securitypolicyviolation", () => resolve(false));
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            if (window.ran) resolve(true);
        })"""
    )
    assert ran is False


async def test_a_refused_upload_shows_the_reason(site: Site) -> None:
    """A file that is not an image is refused after the upload, with the reason; a video is refused at once."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 415|status of 422")
    await visitor.share(NOT_AN_IMAGE, caption="not a photo")
    item = visitor.page.locator(".tray-item.failed")
    await visitor.sees(item)
    await expect(item.locator(".state")).to_contain_text(re.compile("JPEG|PNG|image", re.IGNORECASE))
    await item.get_by_role("button", name="Dismiss").click()
    await visitor.loses(visitor.page.locator(".tray-item"))

    await visitor.choose({"name": "clip.avi", "mimeType": "video/x-msvideo", "buffer": b"RIFF\0\0\0\0AVI "})
    await visitor.sees_text(
        visitor.page.get_by_role("alert"), "Choose a photo, JPEG, PNG, WebP, AVIF or GIF, or an MP4 video."
    )


async def test_a_damaged_photo_is_rejected(site: Site) -> None:
    """A photo with a valid header and damaged pixels is rejected after the upload, and its tray item shows that."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 4")
    data = photograph("rocket").read_bytes()
    await visitor.share({"name": "cut.jpg", "mimeType": "image/jpeg", "buffer": data[: len(data) // 3]})
    await visitor.sees(visitor.page.locator(".tray-item.failed"))
    await expect(visitor.page.locator("article.card")).to_have_count(0)


async def test_retrying_an_upload_creates_one_photo(site: Site) -> None:
    """If the response to an upload is lost, the page repeats it by itself, which does not create a second photo."""
    visitor = await site.visitor()
    await visitor.page.add_init_script(LOSE_THE_FIRST_RESPONSE)
    await visitor.open()
    await visitor.sign_in()
    answers: list[str | None] = []

    async def note(response: Response) -> None:
        if response.request.method == "POST" and response.url.endswith("/photos"):
            answers.append(await response.header_value("Idempotent-Replayed"))

    visitor.page.on("response", note)
    await visitor.share(photograph("temple"), caption="only once")
    await visitor.sees(visitor.card("only once"))
    await eventually(lambda: answers == [None, "true"])
    assert [photo["caption"] for photo in await visitor.account.feed()] == ["only once"]
    await expect(visitor.card("only once")).to_have_count(1)


async def test_an_expired_image_address_is_replaced(site: Site) -> None:
    """If an image cannot be loaded, the page fetches the photo's current address and shows it."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 404")
    photo = await visitor.account.upload(photograph("rocket"), "ended")
    await published(visitor.account, photo["id"])
    refused: list[str] = []

    async def refuse_once(route: Route) -> None:
        if refused:
            await route.continue_()
        else:
            refused.append(route.request.url)
            await route.fulfill(status=404)

    await visitor.page.route(re.compile("/media/"), refuse_once)
    await visitor.page.reload()
    await visitor.sees(visitor.card("ended").locator(".frame.loaded"))
    assert len(refused) == 1


async def test_a_refused_like_is_reverted(site: Site) -> None:
    """A like is shown at once; if the server refuses it, it is reverted and the page shows the reason."""
    owner, follower = await site.friends()
    follower.expect_error("status of 403")
    await owner.account.upload(photograph("cat"), "likeable")
    await follower.sees(follower.card("likeable"))
    problem = {"status": 403, "code": "not_permitted", "detail": "not for you"}
    await follower.page.route(re.compile("/like$"), lambda route: route.fulfill(status=403, json=problem))
    like = follower.card("likeable").get_by_role("button", name=re.compile("^Like"))
    await like.click()
    await follower.sees(follower.toast("Not for you"))
    await expect(like).to_have_attribute("aria-pressed", "false")
    await follower.sees_text(like.locator("span").nth(1), "0")
