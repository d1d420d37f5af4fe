"""The page that explores the GraphQL interface, under the policy of pages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from playwright.async_api import Route, expect

from tests.browser.visitor import PHONE, Site, Visitor


async def _response(user: Visitor) -> Any:
    return json.loads(await user.page.locator("#response").inner_text())


async def test_the_explorer(site: Site) -> None:
    """A user runs an example by the keyboard, changes something, saves it, and finds a field of the schema."""
    user = await site.signed_in(viewport=PHONE, at=None)
    await user.open("/graphql")
    status = user.page.locator("#status")
    await expect(user.page.locator("#session")).to_contain_text("as you")
    query, variables = user.page.locator("#query"), user.page.locator("#variables")
    await user.page.get_by_label("Example").select_option("Your feed")
    await query.press("Control+Enter")
    await expect(status).to_contain_text("cost")
    assert (await _response(user))["data"]["viewer"]["feed"]["nodes"] == []
    await query.fill(
        "mutation Rename($name: String!) { updateProfile(changes: {displayName: $name}) "
        "{ account { user { displayName } } errors { code } } }"
    )
    await variables.fill("{name}")
    await user.page.get_by_role("button", name="Run").click()
    await expect(status).to_contain_text("not valid JSON")
    await variables.fill('{"name": "Robert"}')
    await user.page.get_by_role("button", name="Run").click()
    await expect(status).to_contain_text("200")
    changed = (await _response(user))["data"]["updateProfile"]
    assert changed == {"account": {"user": {"displayName": "Robert"}}, "errors": []}
    await user.page.get_by_role("button", name="Save").click()
    await expect(user.page.get_by_label("Example")).to_have_value("Rename")
    read = asyncio.Event()

    async def hold_schema(route: Route) -> None:
        if "query Schema" in (route.request.post_data or ""):
            await read.wait()
        await route.continue_()

    await user.page.route("**/graphql", hold_schema)
    await user.open("/graphql")
    await user.page.get_by_label("Example").select_option("Rename")
    assert "updateProfile" in await query.input_value()
    # A quick user types before the schema is there.
    await user.page.get_by_label("Find a type or field").fill("savedPhotos")
    read.set()
    await expect(user.page.locator("#type-Viewer li:visible")).to_have_count(1)
    await expect(user.page.locator("#schema details:visible")).to_have_count(1)
    width = await user.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
