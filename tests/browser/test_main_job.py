"""The main job in two real browsers: the actions of one user appear in the browser of the other at once."""

from __future__ import annotations

import re

from playwright.async_api import expect

from tests.browser.gestures import double_click
from tests.browser.visitor import WITHIN, Site
from tests.support.pictures import photograph

# An instant scroll: with the mouse wheel, the smooth scroll ends some time after the last frame that a test can see.
SCROLL_DOWN = "() => scrollTo({ top: 400, behavior: 'instant' })"
AT_REST = "() => scrollY > 300 && document.querySelector('main').getAnimations({ subtree: true }).length === 0"


async def test_an_upload_reaches_the_follower_and_a_like_the_owner(site: Site) -> None:
    """A photo appears in a follower's open feed, and the follower's like as a notification to the owner."""
    owner, follower = await site.friends()
    await owner.share(photograph("temple"), caption="before the crowds", tags="#Stone, morning")
    card = follower.card("before the crowds")
    await follower.sees(card)
    await follower.sees(card.locator(".frame.loaded"))
    await follower.sees(card.get_by_role("link", name="#stone"))
    await follower.sees_text(owner.page.locator(".tray .state"), "Shared")

    like = card.get_by_role("button", name=re.compile("^Like"))
    await like.click()
    await expect(like).to_have_attribute("aria-pressed", "true")
    await owner.sees(owner.toast("liked your photo"))
    # One for the like, one for the follow that came before.
    await owner.sees_text(owner.page.locator(".nav .badge"), re.compile("^2"))
    await owner.visit("Notifications")
    await owner.sees(owner.page.locator(".notification").filter(has_text="liked your photo").locator(".thumb .loaded"))
    await expect(owner.page.locator(".nav .badge")).to_be_hidden(timeout=WITHIN)


async def test_a_double_tap_likes_and_the_button_unlikes(site: Site) -> None:
    """A double tap on a photo likes it, a click on the button unlikes it, and the server has the same state."""
    owner, follower = await site.friends()
    photo = await owner.account.upload(photograph("flower"), "a flower")
    card = follower.card("a flower")
    await follower.sees(card.locator(".frame.loaded"))
    # The card is visible to the owner, whose page therefore receives the count, too.
    await owner.subscribed(f"photo:{photo['id']}")
    await double_click(follower, card.locator(".frame"))
    like = card.get_by_role("button", name=re.compile("^Like"))
    await expect(like).to_have_attribute("aria-pressed", "true")
    await owner.sees(owner.toast("liked your photo"))
    await follower.sees_text(owner.card("a flower").locator(".like span").nth(1), "1")
    await like.click()
    await expect(like).to_have_attribute("aria-pressed", "false")
    await follower.sees_text(owner.card("a flower").locator(".like span").nth(1), "0")
    assert (await follower.account.call("GET", f"/photos/{photo['id']}")).expect(200)["likes"] == 0


async def test_comments_appear_on_the_open_photo(site: Site) -> None:
    """A comment appears on the open photo of another user, and disappears there when it is deleted."""
    owner, follower = await site.friends()
    photo = await owner.account.upload(photograph("coffee"), "first one today")
    await follower.sees(follower.card("first one today"))
    await owner.open(f"/p/{photo['id']}")
    await owner.live()
    await owner.sees(owner.page.get_by_text("No comments yet."))
    await follower.card("first one today").get_by_role("link", name=re.compile("^Comments")).click()
    await follower.page.get_by_label("Your comment").fill("Where is this?")
    await follower.page.keyboard.press("Enter")
    comment = owner.page.locator(".comments li").filter(has_text="Where is this?")
    await owner.sees(comment)

    await owner.page.get_by_label("Your comment").fill("At home.")
    await owner.page.get_by_role("button", name="Post").click()
    await follower.sees(follower.page.locator(".comments li").filter(has_text="At home."))
    await expect(follower.page.locator(".comments li")).to_have_count(2)

    await comment.get_by_role("button", name="Comment options").click()
    await comment.get_by_role("menuitem", name="Delete comment").click()
    await owner.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await follower.loses(follower.page.locator(".comments li").filter(has_text="Where is this?"))


async def test_a_deleted_photo_disappears_everywhere(site: Site) -> None:
    """Deleting a photo takes it out of a follower's open feed and out of their open page."""
    owner, follower = await site.friends()
    await owner.share(photograph("cat"), caption="opinions")
    await follower.sees(follower.card("opinions"))
    reader = await site.signed_in(follower.account)
    await reader.card("opinions").get_by_role("link", name=re.compile("^Comments")).click()
    await reader.sees(reader.page.locator(".photo-page"))

    await owner.sees(owner.card("opinions"))
    await owner.card("opinions").get_by_role("button", name="Photo options").click()
    await owner.page.get_by_role("menuitem", name="Delete photo").click()
    await owner.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await owner.loses(owner.card("opinions"))
    await follower.loses(follower.card("opinions"))
    await reader.sees(reader.page.get_by_text("Photo not available"))


async def test_new_photos_do_not_move_a_user_who_scrolled_down(site: Site) -> None:
    """If the user has scrolled down, a button offers the new photos; a click on it shows them."""
    owner, follower = await site.friends()
    for name in ("coffee", "flower", "rocket"):
        await owner.account.upload(photograph(name), f"old {name}")
    await follower.sees(follower.card("old coffee").locator(".frame"))
    await follower.page.wait_for_function("() => document.querySelectorAll('article.card').length === 3")
    card = follower.card("old coffee")
    await card.scroll_into_view_if_needed()
    await follower.page.evaluate(SCROLL_DOWN)
    await follower.page.wait_for_function(AT_REST)
    before = await card.bounding_box()

    await owner.account.upload(photograph("temple"), "news one")
    await owner.account.upload(photograph("cat"), "news two")
    new_photos = follower.page.get_by_role("button", name=re.compile("2 new photos"))
    await follower.sees(new_photos)
    assert await card.bounding_box() == before
    await new_photos.click()
    await follower.page.wait_for_function("() => scrollY === 0")
    captions = follower.page.locator("article.card .caption")
    await expect(captions).to_have_text(["news two", "news one", "old rocket", "old flower", "old coffee"])


async def test_following_someone_brings_their_photos(site: Site) -> None:
    """A new user finds an author on the Discover page, follows them, and sees their photos on the home page."""
    author = await site.create_account()
    photo = await author.upload(photograph("galaxies"), "every speck")
    new_user = await site.signed_in()
    await new_user.page.get_by_role("link", name="Find people to follow").click()
    await new_user.sees(new_user.page.locator(f".cell[data-photo='{photo['id']}'] .loaded"))
    await new_user.page.get_by_label("Search people, tags and photos").fill(author.name[:8])
    await new_user.page.locator(".search-results").get_by_role("link", name=author.name).first.click()
    await new_user.page.get_by_role("button", name="Follow", exact=True).click()
    await expect(new_user.page.get_by_role("button", name="Following")).to_be_visible()
    await new_user.sees(new_user.page.get_by_role("link", name="1 follower"))
    second = await author.upload(photograph("rocket"), "up it goes")
    await new_user.sees(new_user.page.locator(f".cell[data-photo='{second['id']}']"))
    await new_user.visit("Home")
    await new_user.sees(new_user.card("up it goes"))
    await new_user.sees(new_user.card("every speck"))
