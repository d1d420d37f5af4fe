"""Users and tags are completed while captions, tags and comments are typed."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import expect

from tests.browser.visitor import WITHIN, Site, published
from tests.support.eventually import eventually
from tests.support.pictures import photograph

TAG = "zibeliline"


async def test_names_and_tags_in_a_caption(site: Site) -> None:
    """An arrow and Enter take an offer; in the field of tags Enter and Tab keep their meaning until one is chosen."""
    visitor = await site.signed_in()
    friend = await site.create_account()
    photo = await friend.upload(photograph("cat"), f"with #{TAG}")
    await published(friend, photo["id"])

    async def counted() -> list[Any]:
        found = (await friend.call("GET", f"/search?type=tags&q={TAG[:5]}")).expect(200)
        items: list[Any] = found["items"]
        return items

    await eventually(counted)
    await visitor.choose(photograph("rocket"))
    page = visitor.page
    caption = page.get_by_label("Caption")
    offer = page.locator(".completions").get_by_role("option")
    await expect(caption).to_have_attribute("aria-autocomplete", "list")
    await caption.press_sequentially(f"With @{friend.name[:9]}")
    await expect(offer.first).to_contain_text(friend.name, timeout=WITHIN)
    await expect(caption).to_have_attribute("aria-activedescendant", re.compile("-0$"))
    await page.keyboard.press("Enter")
    await caption.press_sequentially(f"and #{TAG[:5]}")
    await expect(offer).to_contain_text([f"#{TAG} 1 photo"], timeout=WITHIN)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await expect(caption).to_have_value(f"With @{friend.name} and #{TAG} ")
    await expect(caption).to_be_focused()

    tags = page.get_by_label("Tags", exact=True)
    await tags.press_sequentially(f"sea, {TAG[:6]}")
    await expect(offer).to_contain_text([f"#{TAG} 1 photo"], timeout=WITHIN)
    assert await tags.get_attribute("aria-activedescendant") is None
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(tags).to_have_value(f"sea, {TAG} ")
    await tags.press_sequentially(TAG[:4])
    await expect(offer).to_have_count(1, timeout=WITHIN)
    await page.keyboard.press("Tab")
    await expect(tags).to_have_value(f"sea, {TAG} {TAG[:4]}")
    await expect(page.get_by_label("Place", exact=True)).to_be_focused()
    await expect(offer).to_have_count(0)
