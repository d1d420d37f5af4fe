"""A suspended or deleted account leaves all open screens at once, without a reload."""

from __future__ import annotations

from typing import Any

from tests.browser.visitor import PHONE, Promote, Site, published
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.cases import case_about, comment_on, decide, report
from tests.support.pictures import photograph


async def post(author: ApiUser, caption: str) -> dict[str, Any]:
    """Post a photo and wait until it is ready."""
    photo = await author.upload(photograph(), caption)
    await published(author, photo["id"])
    return photo


async def suspend(judge: ApiUser, reporter: ApiUser, author: ApiUser) -> None:
    """Suspend an account after a report."""
    await report(reporter, "user", author.id)
    await decide(judge, await case_about(judge, author.id), "suspend")


async def test_a_suspended_account_leaves_the_lists_of_followers(site: Site, promote: Promote) -> None:
    """All its cards leave the feed, its comments a photo, its entries the inbox; those of others stay."""
    judge = await promote(await site.create_account())
    author, other = await site.create_account(), await site.create_account()
    feed = await site.signed_in(viewport=PHONE)
    for each in (author, other):
        await feed.account.follow(each)
        await each.follow(feed.account)
    for caption in ("At the lake", "On the hill"):
        await post(author, caption)
    stays, own = await post(other, "In the town"), await post(feed.account, "At home")
    (await author.call("PUT", f"/photos/{own['id']}/like")).expect(200)
    for each, text in ((author, "A remark"), (other, "An answer")):
        await comment_on(each, stays["id"], text)
    comments, inbox = [await site.signed_in(feed.account, viewport=PHONE) for _ in range(2)]
    await feed.open("/")
    for caption in ("At the lake", "On the hill", "In the town"):
        await feed.sees(feed.card(caption))
    await comments.open(f"/p/{stays['id']}")
    await comments.sees(comments.page.get_by_text("A remark"))
    await inbox.open("/notifications")
    rows = inbox.page.locator("li[data-notification]")
    for text in ("started following you", "liked your photo"):
        await inbox.sees(rows.filter(has_text=text))
    for visitor in (feed, comments, inbox):
        await visitor.live()
    await suspend(judge, other, author)
    for caption in ("At the lake", "On the hill"):
        await feed.loses(feed.card(caption))
    await feed.sees(feed.card("In the town"))
    await comments.loses(comments.page.get_by_text("A remark"))
    await comments.sees(comments.page.get_by_text("An answer"))
    for text in (author.name, "liked your photo"):
        await inbox.loses(rows.filter(has_text=text))
    await inbox.sees(rows.filter(has_text=other.name))


async def test_the_pages_of_a_suspended_account_are_not_available(site: Site, promote: Promote) -> None:
    """Its open profile and photo say so, also to users who do not follow it."""
    judge = await promote(await site.create_account())
    author, reporter = await site.create_account(), await site.create_account()
    photo = await post(author, "At the lake")
    profile, page = [await site.signed_in() for _ in range(2)]
    for visitor in (profile, page):
        visitor.expect_error("404")
    await profile.open(f"/u/{author.name}")
    await profile.subscribed(f"user:{author.id}")
    await profile.sees(profile.page.locator("a.cell"))
    await page.open(f"/p/{photo['id']}")
    await page.subscribed(f"photo:{photo['id']}")
    await page.sees(page.page.locator(".photo-page .frame.loaded img"))
    await suspend(judge, reporter, author)
    await profile.sees(profile.page.get_by_text("Profile not found"))
    await page.sees(page.page.get_by_text("Photo not available"))


async def test_photos_that_wait_and_those_of_a_list(site: Site, promote: Promote) -> None:
    """A new photo behind a button is not offered any more; a list shows the account's photos to non-followers."""
    judge = await promote(await site.create_account())
    author, other = await site.create_account(), await site.create_account()
    waiting, listed = [await site.signed_in() for _ in range(2)]
    await waiting.account.follow(author)
    await waiting.account.follow(other)
    await post(other, "In the town")
    await waiting.open("/")
    await waiting.sees(waiting.card("In the town"))
    await waiting.page.get_by_role("button", name="Highlights").click()
    await waiting.live()
    photo = await post(author, "At the lake")
    await waiting.sees(waiting.page.get_by_role("button", name="1 new photo"))
    found = (await listed.account.call("POST", "/lists", json={"title": "Kin"})).expect(201)
    (await listed.account.call("PUT", f"/lists/{found['id']}/accounts/{author.id}")).expect(204)
    await listed.open(f"/lists/{found['id']}")
    await listed.sees(listed.card("At the lake"))
    await listed.subscribed(f"photo:{photo['id']}")
    await suspend(judge, other, author)
    await waiting.loses(waiting.page.get_by_role("button", name="new photo"))
    await listed.loses(listed.card("At the lake"))


async def test_replies_and_photos_below_a_photo(site: Site, promote: Promote) -> None:
    """Below a photo of another account, replies and photos of the suspended one leave; the others stay."""
    judge = await promote(await site.create_account())
    author, other = await site.create_account(), await site.create_account()
    visitor = await site.signed_in(at=None)
    await visitor.account.follow(author)
    gone, stays = await post(author, "At the lake"), await post(other, "In the lake")
    also = await post(other, "By the lake")
    for each, photo in ((author, gone), (other, stays)):
        (await each.call("PATCH", f"/photos/{photo['id']}", json={"tags": ["lake"]})).expect(200)
    comment = await comment_on(other, stays["id"], "An answer")
    for each, text in ((author, "A remark"), (other, "Another one")):
        form = {"text": text, "reply_to": comment}
        (await each.call("POST", f"/photos/{stays['id']}/comments", json=form)).expect(201)
    await visitor.open(f"/p/{stays['id']}")
    await visitor.page.get_by_role("button", name="View 2 replies").click()
    await visitor.sees(visitor.page.get_by_text("A remark"))
    cells = visitor.page.locator(".more-photos")
    await visitor.sees(cells.locator(f"a.cell[href='/p/{gone['id']}']"))
    await visitor.live()
    await suspend(judge, other, author)
    await visitor.loses(visitor.page.get_by_text("A remark"))
    await visitor.sees(visitor.page.get_by_text("Another one"))
    await visitor.loses(cells.locator(f"a.cell[href='/p/{gone['id']}']"))
    await visitor.sees(cells.locator(f"a.cell[href='/p/{also['id']}']"))


async def test_a_deleted_account_leaves_an_open_feed_until_it_is_restored(site: Site) -> None:
    """Its cards leave at once; after the deletion is undone they are there again with the next read."""
    author, visitor = await site.create_account(), await site.signed_in()
    await visitor.account.follow(author)
    await post(author, "At the lake")
    await visitor.open("/")
    await visitor.sees(visitor.card("At the lake"))
    await visitor.live()
    (await author.call("DELETE", "/users/me")).expect(202)
    await visitor.loses(visitor.card("At the lake"))
    body = {"username": author.name, "password": PASSWORD}
    assert (await author.call("POST", "/users/me/restore", json=body)).status < 300
    await visitor.open("/")
    await visitor.sees(visitor.card("At the lake"))
