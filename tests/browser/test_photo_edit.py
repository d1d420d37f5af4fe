"""Editing a photo in the browser: a form for its author, and the change on every page that shows the photo."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.visitor import PHONE, WITHIN, Site, published
from tests.support.pictures import photograph
from tests.support.texts_in_files import file_with_xmp, xmp_packet


async def test_an_edit_appears_on_all_open_pages(site: Site) -> None:
    """The author changes everything in the form; a follower's feed and an open page of the photo follow live."""
    owner, fan = await site.signed_in(viewport=PHONE), await site.signed_in(at=None)
    other = await site.signed_in(at=None)
    await fan.account.follow(owner.account)
    photo = (await owner.account.upload(photograph(), "Before"))["id"]
    await published(owner.account, photo)
    await fan.open("/")
    await fan.sees(fan.card("Before"))
    await fan.live()
    await other.open(f"/p/{photo}")
    await other.live()
    for visitor in (fan, other):
        await visitor.subscribed(f"photo:{photo}")
    await owner.open(f"/p/{photo}")
    await owner.page.get_by_role("button", name="Photo options").click()
    await owner.page.get_by_role("menuitem", name="Edit photo").click()
    form = owner.page.get_by_role("dialog", name="Edit photo")
    await expect(form.get_by_label("Caption")).to_have_value("Before", timeout=WITHIN)
    await form.get_by_label("Caption").fill("After")
    await form.get_by_label("Description").fill("A rocket")
    await form.get_by_label("Tags").fill("#space, night")
    await form.get_by_label("Place").fill("Kourou")
    await form.get_by_label("Taken").fill("2026-11-20T12:30")
    await form.get_by_role("button", name="Save").click()
    await owner.sees(owner.toast("Saved"))
    for visitor in (owner, other):
        await visitor.sees(visitor.page.get_by_text("Taken November 20, 2026"))
    for visitor in (owner, fan, other):
        await visitor.sees(visitor.page.get_by_text("After"))
        await visitor.sees(visitor.page.get_by_role("link", name="#space"))
        await visitor.sees(visitor.page.get_by_text("Kourou"))
        await expect(visitor.page.locator(".frame img").first).to_have_attribute("alt", "A rocket", timeout=WITHIN)
    found = (await owner.account.call("GET", f"/photos/{photo}")).expect(200)
    assert found["taken_at"].startswith("2026-11-")
    assert found["edited_at"]


async def test_a_photo_is_marked_as_sensitive(site: Site) -> None:
    """In the form for a new photo or later; it is covered on open pages of others, too, and the mark can be removed."""
    owner, fan = await site.signed_in(viewport=PHONE), await site.signed_in()
    await owner.choose(photograph())
    await owner.page.get_by_label("Caption").fill("Careful")
    await owner.page.get_by_label("Sensitive").check()
    await owner.page.get_by_role("button", name="Share", exact=True).click()
    await owner.sees(owner.card("Careful").get_by_text("Sensitive content"))
    photo = await owner.card("Careful").get_attribute("data-photo")
    await fan.open(f"/p/{photo}")
    await fan.live()
    await fan.subscribed(f"photo:{photo}")
    for mark, covers in ((False, 0), (True, 1)):
        await owner.open(f"/p/{photo}")
        await owner.page.get_by_role("button", name="Photo options").click()
        await owner.page.get_by_role("menuitem", name="Edit photo").click()
        form = owner.page.get_by_role("dialog", name="Edit photo")
        await expect(form.get_by_label("Sensitive")).to_be_checked(checked=not mark, timeout=WITHIN)
        await form.get_by_label("Sensitive").set_checked(mark)
        await form.get_by_role("button", name="Save").click()
        await expect(fan.page.get_by_text("Sensitive content")).to_have_count(covers, timeout=WITHIN)


async def test_errors_are_shown_at_their_fields(site: Site) -> None:
    """A refused tag is explained at its field, and nothing is lost."""
    owner = await site.signed_in(at=None)
    owner.expect_error("status of 422")
    photo = (await owner.account.upload(photograph(), "Before"))["id"]
    await published(owner.account, photo)
    await owner.open(f"/p/{photo}")
    await owner.page.get_by_role("button", name="Photo options").click()
    await owner.page.get_by_role("menuitem", name="Edit photo").click()
    form = owner.page.get_by_role("dialog", name="Edit photo")
    await form.get_by_label("Caption").fill("Kept")
    await form.get_by_label("Tags").fill("a/b")
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_label("Tags")).to_have_attribute("aria-invalid", "true", timeout=WITHIN)
    await expect(form.get_by_label("Caption")).to_have_value("Kept")
    await form.get_by_role("button", name="Cancel").click()
    await owner.loses(form)
    await owner.sees(owner.page.get_by_text("Before"))


DESCRIBED = file_with_xmp("JPEG", xmp_packet(alt_text="Red and blue halves", description="From the file"))


async def test_texts_of_the_file_are_offered_after_the_upload(site: Site) -> None:
    """The item of a photo that is ready offers texts for the fields that were left empty; one press takes them over."""
    owner = await site.signed_in(viewport=PHONE)
    file = {"name": "halves.jpg", "mimeType": "image/jpeg", "buffer": DESCRIBED}
    await owner.choose(file)
    description = owner.page.get_by_role("textbox", name="Description")
    await expect(description).to_have_value("Red and blue halves", timeout=WITHIN)
    await description.fill("")
    await owner.page.get_by_label("Caption").fill("My own")
    await owner.page.get_by_role("button", name="Share", exact=True).click()
    tray = owner.page.get_by_role("region", name="Uploads")
    await owner.sees(tray.get_by_text("Red and blue halves"))
    await expect(tray.get_by_text("From the file")).to_have_count(0)
    await tray.get_by_role("button", name="Use as description").click()
    await expect(owner.page.locator(".frame img").first).to_have_attribute("alt", "Red and blue halves", timeout=WITHIN)
    await owner.loses(tray.get_by_text("Red and blue halves"))


async def test_texts_of_the_file_are_offered_in_the_form(site: Site) -> None:
    """The form offers each text below its field until the field has it; only saving stores it."""
    owner = await site.signed_in(at=None)
    photo = (await owner.account.upload(DESCRIBED, "Before"))["id"]
    await published(owner.account, photo)
    await owner.open(f"/p/{photo}")
    await owner.page.get_by_role("button", name="Photo options").click()
    await owner.page.get_by_role("menuitem", name="Edit photo").click()
    form = owner.page.get_by_role("dialog", name="Edit photo")
    await form.get_by_role("button", name="Use as description").click()
    field = form.get_by_role("textbox", name="Description")
    await expect(field).to_have_value("Red and blue halves", timeout=WITHIN)
    await expect(form.get_by_role("button", name="Use as description")).to_be_hidden()
    await expect(form.get_by_role("button", name="Use as caption")).to_be_visible()
    await form.get_by_role("button", name="Save").click()
    await owner.sees(owner.toast("Saved"))
    found = (await owner.account.call("GET", f"/photos/{photo}")).expect(200)
    assert (found["caption"], found["alt_text"]) == ("Before", "Red and blue halves")
