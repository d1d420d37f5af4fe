"""Pages that could not be loaded open by themselves when the connection is back."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.visitor import Promote, Site
from tests.support.cases import case_about, report


@pytest.mark.parametrize(
    ("path", "requested"),
    [
        ("/settings/webhooks", "/webhooks$"),
        ("/settings/webhooks/{webhook}", "/webhooks/[^/]+$"),
        ("/settings/webhooks/{webhook}", "/attempts"),
        ("/settings/data", "/users/me/exports"),
        ("/moderation", "/moderation/cases"),
        ("/moderation/{case}", "/moderation/cases/"),
    ],
    ids=["webhooks", "webhook", "attempts", "exports", "queue", "case"],
)
async def test_a_page_opens_when_the_connection_is_back(
    site: Site, promote: Promote, receiver_port: int, path: str, requested: str
) -> None:
    """It says that it has to wait for a connection, and opens without a button."""
    judge, reported = await promote(await site.create_account()), await site.create_account()
    await report(judge, "user", reported.id)
    form = {"url": f"http://127.0.0.1:{receiver_port}/hook"}
    webhook = (await judge.call("POST", "/webhooks", json=form)).expect(201)["id"]
    visitor = await site.signed_in(judge)
    visitor.expect_error("ERR_|WebSocket")
    page, away = visitor.page, re.compile("/api/v1.*" + requested)
    await page.route(away, lambda route: route.abort())
    await visitor.open(path.format(webhook=webhook, case=await case_about(judge, reported.id)))
    missing = page.get_by_role("heading", name="Not available offline")
    await visitor.sees(missing)
    await visitor.live()
    await page.unroute(away)
    await visitor.context.set_offline(True)
    await expect(visitor.connection_status().first).not_to_have_attribute("data-state", "live")
    await visitor.context.set_offline(False)
    async with page.expect_response(lambda response: away.search(response.url) is not None and response.ok):
        pass
    await visitor.loses(missing)
