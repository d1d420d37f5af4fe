"""Who can see a photo, close friends, saved photos and collections, in the browser."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.visitor import PHONE, WITHIN, Site, published
from tests.support.pictures import photograph


async def test_a_photo_for_some(site: Site) -> None:
    """The form asks who can see a photo, remembers it, and the photo shows it; an edit lets others see it live."""
    owner, fan = await site.signed_in(viewport=PHONE), await site.signed_in()
    await fan.account.follow(owner.account)
    await owner.open("/settings/close-friends")
    await owner.sees(owner.page.get_by_role("heading", name="No close friends yet"))
    await owner.page.get_by_label("Find people by user name").fill(fan.account.name)
    await owner.page.get_by_role("button", name=f"Add {fan.account.name}").click()
    await owner.page.get_by_role("button", name=f"Remove {fan.account.name}").click()
    await owner.sees(owner.page.get_by_role("heading", name="No close friends yet"))
    await owner.choose(photograph())
    await owner.page.get_by_label("Caption").fill("For me")
    await owner.page.get_by_label("Who can see it").select_option("Only me")
    await owner.page.get_by_role("button", name="Share", exact=True).click()
    card = owner.card("For me")
    await owner.sees(card.get_by_text("Only me"))
    photo = await card.get_attribute("data-photo")
    assert photo is not None
    await published(owner.account, photo)
    await fan.open("/")
    await fan.live()
    assert (await fan.account.call("GET", f"/photos/{photo}")).status == 404
    await owner.open("/new")
    await owner.page.get_by_label("Choose a photo").set_input_files(photograph())
    await expect(owner.page.get_by_label("Who can see it")).to_have_value("only_me", timeout=WITHIN)
    await owner.open(f"/p/{photo}")
    await owner.page.get_by_role("button", name="Photo options").click()
    await owner.page.get_by_role("menuitem", name="Edit photo").click()
    form = owner.page.get_by_role("dialog", name="Edit photo")
    await form.get_by_label("Who can see it").select_option("Followers")
    await form.get_by_role("button", name="Save").click()
    await owner.sees(owner.page.locator(".card-head").get_by_text("Followers"))
    await fan.sees(fan.card("For me").get_by_text("Followers"))


async def test_saved_photos_and_collections(site: Site) -> None:
    """A photo is saved by its button, and put into a new collection by the menu; both are on the page of the saved."""
    owner, fan = await site.signed_in(), await site.signed_in(viewport=PHONE, at=None)
    photo = (await owner.account.upload(photograph(), "A rocket"))["id"]
    await published(owner.account, photo)
    await fan.open("/saved")
    await fan.sees(fan.page.get_by_role("heading", name="Nothing saved yet"))
    await fan.open(f"/p/{photo}")
    await fan.page.get_by_role("button", name="Save", exact=True).click()
    await fan.sees(fan.page.get_by_role("button", name="Save", exact=True, pressed=True))
    await fan.sees(fan.toast("Saved"))
    await fan.page.get_by_role("button", name="Photo options").click()
    await fan.page.get_by_role("menuitem", name="Save").click()
    dialog = fan.page.get_by_role("dialog", name="Save photo")
    await expect(dialog.get_by_label("Saved photos")).to_be_checked(timeout=WITHIN)
    await dialog.get_by_label("New collection").fill("Space")
    await dialog.get_by_role("button", name="Create and add").click()
    await expect(dialog.get_by_label("Space")).to_be_checked(timeout=WITHIN)
    await dialog.get_by_role("button", name="Done").click()
    await fan.open("/saved")
    await expect(fan.page.locator("a.cell")).to_have_count(1, timeout=WITHIN)
    await fan.page.get_by_role("link", name="Space").click()
    await fan.sees(fan.page.get_by_role("heading", name="Space"))
    await fan.sees(fan.page.get_by_text("Only you can see it"))
    await expect(fan.page.locator("a.cell")).to_have_count(1, timeout=WITHIN)
    await fan.page.get_by_role("button", name="Collection options").click()
    await fan.page.get_by_role("menuitem", name="Edit collection").click()
    form = fan.page.get_by_role("dialog", name="Edit collection")
    await form.get_by_label("Public").check()
    await form.get_by_role("button", name="Save").click()
    await fan.sees(fan.page.get_by_text("Public", exact=True))
    await owner.open(fan.page.url.removeprefix(fan.url))
    await owner.sees(owner.page.get_by_role("heading", name="Space"))
