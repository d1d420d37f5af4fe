"""Webhooks in the browser: created, verified, followed live, repeated, paused, changed and deleted."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import pytest_asyncio
from aiohttp import web
from playwright.async_api import expect

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import PHONE, WITHIN, Site, Visitor, published
from tests.support.pictures import photograph


class Receiver:
    """A receiver on this machine; `status` is that of its responses."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self.status = 200
        self.types: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        """Keep the type of a message, and return the challenge of a ping."""
        document = json.loads(await request.read())
        self.types.append(document["type"])
        return web.json_response({"challenge": document["data"].get("challenge")}, status=self.status)


@pytest_asyncio.fixture(loop_scope="session")
async def receiver(receiver_port: int) -> AsyncIterator[Receiver]:
    """A receiver to which the service may send."""
    receiver, app = Receiver(receiver_port), web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", receiver_port).start()
    yield receiver
    await runner.cleanup()


async def created(visitor: Visitor, url: str) -> None:
    """Create a webhook on the page, and close the dialog with its secret."""
    page = visitor.page
    await visitor.open("/settings")
    await page.get_by_role("link", name="Webhooks").click()
    await visitor.sees(page.get_by_role("heading", name="No webhooks yet"))
    await page.get_by_role("button", name="New webhook").click()
    form = page.get_by_role("dialog", name="New webhook")
    await form.get_by_label("Address").fill(url)
    await form.get_by_label("Description").fill("My robot")
    await form.get_by_role("button", name="Create").click()
    secret = page.get_by_role("dialog", name="The secret")
    await visitor.sees_text(secret.locator("code"), re.compile("^whsec_"))
    await secret.get_by_role("button", name="Done").click()


async def test_a_webhook_from_its_beginning_to_its_end(site: Site, receiver: Receiver) -> None:
    """Its ping activates it while one looks, and so do its attempts appear."""
    visitor = await site.signed_in(viewport=PHONE)
    page = visitor.page
    await created(visitor, receiver.url)
    await visitor.sees(page.get_by_role("heading", name="My robot"))
    await expect(page.locator(".webhook-facts .webhook-state")).to_have_text("Active", timeout=WITHIN)
    attempts = page.locator(".webhook-attempts > li")
    await visitor.sees(attempts.filter(has_text="endpoint.ping"))
    await visitor.subscribed(f"webhook:{page.url.rpartition('/')[2]}")

    photo = await visitor.account.upload(photograph("rocket"), "For my robot")
    await published(visitor.account, photo["id"])
    await visitor.sees(attempts.filter(has_text="photo.ready"))
    assert "photo.ready" in receiver.types
    receiver.status = 500
    attempt = attempts.filter(has_text="photo.ready")
    await attempt.locator("summary").click()
    await visitor.sees(attempt.get_by_text("webhook-signature: v1,"))
    await attempt.get_by_role("button", name="Send again").click()
    await visitor.sees(attempts.filter(has_text="Failed"))
    await visitor.sees(page.get_by_text("1 attempt has failed"))
    receiver.status = 200

    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await poor_contrasts(visitor) == []
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator(".webhook-facts .webhook-state")).to_have_text("Paused", timeout=WITHIN)
    await page.get_by_role("button", name="Go on").click()
    await expect(page.locator(".webhook-facts .webhook-state")).to_have_text("Active", timeout=WITHIN)
    await page.get_by_role("button", name="Options of this webhook").click()
    await page.get_by_role("menuitem", name="Delete webhook").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await visitor.sees(page.get_by_role("heading", name="No webhooks yet"))


async def test_an_address_that_is_refused_is_explained_at_its_field(site: Site) -> None:
    """And a webhook without events is not created."""
    visitor = await site.signed_in()
    page = visitor.page
    await visitor.open("/settings/webhooks")
    await page.get_by_role("button", name="New webhook").click()
    form = page.get_by_role("dialog", name="New webhook")
    await form.get_by_label("Address").fill("https://10.0.0.7/")
    visitor.expect_error("status of 422")
    await form.get_by_role("button", name="Create").click()
    await visitor.sees(form.get_by_text("is not a public one"))
    for box in await form.get_by_role("group", name="Events").get_by_role("checkbox").all():
        await box.uncheck()
    await form.get_by_role("button", name="Create").click()
    await visitor.sees(form.get_by_text("Choose at least one event."))


async def test_a_webhook_is_edited_and_its_secret_replaced(site: Site, receiver: Receiver) -> None:
    """The list shows what it is called then; asymmetric ones show their public key."""
    visitor = await site.signed_in()
    page = visitor.page
    await created(visitor, receiver.url)
    await page.get_by_role("button", name="Options of this webhook").click()
    await page.get_by_role("menuitem", name="Edit webhook").click()
    form = page.get_by_role("dialog", name="Edit webhook")
    await form.get_by_label("Description").fill("Another robot")
    await form.get_by_label("A photo of yours was liked").uncheck()
    await form.get_by_role("button", name="Save").click()
    await visitor.sees(page.get_by_role("heading", name="Another robot"))
    await visitor.sees(page.get_by_text("You have a new follower", exact=False))
    await page.get_by_role("button", name="Options of this webhook").click()
    await page.get_by_role("menuitem", name="Replace the secret").click()
    await page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    secret = page.get_by_role("dialog", name="The secret")
    await visitor.sees_text(secret.locator("code"), re.compile("^whsec_"))
    await secret.get_by_role("button", name="Done").click()
    await visitor.open("/settings/webhooks")
    await visitor.sees(page.get_by_role("link", name="Another robot"))


async def test_an_open_menu_stays_while_attempts_fail(site: Site, receiver: Receiver) -> None:
    """What arrives meanwhile changes the facts, and takes nothing away that a user is about to choose."""
    visitor = await site.signed_in()
    page = visitor.page
    await created(visitor, receiver.url)
    await expect(page.locator(".webhook-facts .webhook-state")).to_have_text("Active", timeout=WITHIN)
    webhook = page.url.rpartition("/")[2]
    await visitor.subscribed(f"webhook:{webhook}")
    receiver.status = 500
    await page.get_by_role("button", name="Options of this webhook").click()
    item = await page.get_by_role("menuitem", name="Edit webhook").element_handle()
    async with page.expect_response(lambda response: response.url.endswith(f"/webhooks/{webhook}")):
        (await visitor.account.call("POST", f"/webhooks/{webhook}/ping")).expect(202)
    await visitor.sees(page.locator(".webhook-attempts > li").filter(has_text="Failed"))
    assert item is not None
    assert await item.is_visible()
    await item.click()
    await visitor.sees(page.get_by_role("dialog", name="Edit webhook"))


async def test_a_webhook_that_is_not_there_says_so(site: Site) -> None:
    """As one of another user does."""
    visitor = await site.signed_in(at=None)
    visitor.expect_error("status of 404")
    await visitor.open("/settings/webhooks/0000000000007")
    await visitor.sees(visitor.page.get_by_role("heading", name="Webhook not found"))
