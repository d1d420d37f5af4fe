"""Comments on the page of a photo: replies, likes, edits, pins, orders, and links in texts, live for others."""

from __future__ import annotations

import re

from playwright.async_api import Locator, expect

from tests.browser.visitor import Site, Visitor, published
from tests.support.pictures import photograph


def comment(visitor: Visitor, text: str) -> Locator:
    """Return the row of the comment or reply with a text."""
    return visitor.page.locator(".comment-row").filter(has_text=text)


async def choose(visitor: Visitor, text: str, option: str) -> None:
    """Choose an option of a comment's menu."""
    await comment(visitor, text).get_by_role("button", name="Comment options").click()
    await comment(visitor, text).get_by_role("menuitem", name=option).click()


async def test_a_conversation_is_followed_by_both(site: Site) -> None:
    """What one user writes, likes, edits or pins appears on the open page of the other, with links in its place."""
    owner, reader = await site.friends()
    photo = await owner.account.upload(photograph("coffee"), f"with @{reader.account.name} #coffee")
    await published(owner.account, photo["id"])
    for visitor in (owner, reader):
        await visitor.open(f"/p/{photo['id']}")
        await visitor.live()
        await visitor.subscribed(f"photo:{photo['id']}")
    tag = owner.page.get_by_role("link", name="#coffee")
    await expect(tag).to_have_attribute("href", "/tag/coffee")

    field = reader.page.get_by_label("Your comment")
    await field.press_sequentially(f"Hello @{owner.account.name[:8].upper()}")
    await reader.sees(reader.page.get_by_role("option", name=owner.account.name))
    await reader.page.keyboard.press("Enter")
    await expect(field).to_have_value(f"Hello @{owner.account.name} ")
    await expect(reader.page.get_by_role("option")).to_have_count(0)
    await field.fill("Where is this?")
    await reader.page.keyboard.press("Enter")
    await owner.sees(comment(owner, "Where is this?"))
    await comment(owner, "Where is this?").get_by_role("button", name="Reply").click()
    await owner.page.get_by_label("Your comment").fill(f"At home, <b>@{reader.account.name}</b>.")
    await owner.page.keyboard.press("Enter")
    await reader.sees(reader.toast("replied to your comment"))
    await reader.page.get_by_role("button", name="View 1 reply").click()
    mention = comment(reader, "At home").get_by_role("link", name=f"@{reader.account.name}", exact=True)
    await expect(mention).to_have_attribute("href", f"/u/{reader.account.id}")
    await reader.sees(comment(reader, "At home, <b>"))

    like = comment(reader, "At home").get_by_role("button", name=re.compile("^Like comment"))
    await like.click()
    await expect(like).to_have_attribute("aria-pressed", "true")
    await owner.sees(owner.toast("liked your comment"))
    await owner.sees_text(comment(owner, "At home").locator(".comment-like [aria-hidden=true]").last, "1")

    await field.fill("A second one")
    await reader.page.keyboard.press("Enter")
    await owner.sees(comment(owner, "A second one"))
    await choose(reader, "A second one", "Edit comment")
    await reader.page.get_by_label("Edit your comment").fill("An edited one")
    await reader.page.locator(".comment-edit").get_by_role("button", name="Save").click()
    await owner.sees(comment(owner, "An edited one").get_by_text("edited", exact=False))

    await choose(owner, "Where is this?", "Pin comment")
    first = reader.page.locator(".comments > li").first
    await reader.sees_text(first, re.compile("Where is this.*Pinned", re.DOTALL))
    await comment(reader, "An edited one").get_by_role("button", name=re.compile("^Like comment")).click()
    await choose(owner, "Where is this?", "Unpin comment")
    await reader.sees_text(first, re.compile("An edited one"))
    await field.fill("The newest")
    await reader.page.keyboard.press("Enter")
    await reader.sees_text(first, re.compile("The newest"))
    await reader.page.get_by_role("button", name="Top", exact=True).click()
    await reader.sees_text(first, re.compile("An edited one"))

    await choose(owner, "Where is this?", "Delete comment")
    await owner.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await reader.loses(comment(reader, "Where is this?"))
    await reader.loses(comment(reader, "At home"))


async def test_who_likes_a_photo(site: Site) -> None:
    """The menu of a photo shows the users who like it, and says so if there are none."""
    visitor, fan = await site.signed_in(), await site.create_account()
    photo = await visitor.account.upload(photograph("flower"), "liked by one")
    await published(visitor.account, photo["id"])
    await visitor.open(f"/p/{photo['id']}")
    for expected in ("No likes yet", fan.name):
        await visitor.page.get_by_role("button", name="Photo options").click()
        await visitor.page.get_by_role("menuitem", name="Show likes").click()
        dialog = visitor.page.get_by_role("dialog", name="Likes")
        await visitor.sees(dialog.get_by_text(expected))
        await dialog.get_by_role("button", name="Close").click()
        (await fan.call("PUT", f"/photos/{photo['id']}/like")).expect(200)
