"""The section "Notifications" of the settings, and muting from the menus of a photo and a comment."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.visitor import PHONE, WITHIN, Site, published
from tests.support.pictures import photograph


async def test_notifications_are_chosen(site: Site) -> None:
    """Choices, quiet hours and the digest are kept; a photo and a thread are muted in their menus, and unmuted here."""
    visitor = await site.signed_in(viewport=PHONE, timezone_id="Asia/Tokyo")
    page, user = visitor.page, visitor.account
    photo = (await user.upload(photograph(), "At the lake"))["id"]
    await published(user, photo)
    (await user.call("POST", f"/photos/{photo}/comments", json={"text": "Where is it?"})).expect(201)
    await visitor.open(f"/p/{photo}")
    await page.get_by_role("button", name="Photo options").first.click()
    await page.get_by_role("menuitem", name="Mute notifications").click()
    await visitor.sees(visitor.toast("You get no more notifications about this photo"))
    await page.get_by_role("button", name="Comment options").click()
    await page.get_by_role("menuitem", name="Mute notifications").click()
    await visitor.sees(visitor.toast("You get no more notifications about this thread"))

    await visitor.open("/settings/notifications")
    push = page.get_by_label("Likes of your photos: Push")
    for kind in ("Likes of your photos", "New followers", "Security of your account"):
        await page.get_by_text(kind, exact=True).click()
    await push.select_option("Following")
    await visitor.sees(visitor.toast("Saved"))
    await page.get_by_label("New followers: In the list").select_option("Nobody")
    await expect(page.get_by_label("New followers: Push")).to_be_disabled(timeout=WITHIN)
    await visitor.sees(page.get_by_text("In the list · On open pages · Push (following)"))
    await expect(page.get_by_label("Security of your account: In the list")).to_be_disabled()

    quiet = page.get_by_role("region", name="Quiet hours")
    await visitor.sees(quiet.get_by_text("You have none"))
    await expect(quiet.get_by_label("Time zone")).to_have_value("Asia/Tokyo")
    visitor.expect_error("status of 422")
    await quiet.get_by_label("Time zone").fill("Nowhere")
    await quiet.get_by_role("button", name="Save quiet hours").click()
    await visitor.sees(quiet.get_by_text("There is no time zone 'Nowhere'."))
    await quiet.get_by_label("Time zone").fill("Asia/Tokyo")
    await quiet.get_by_label("Sun").uncheck()
    await quiet.get_by_role("button", name="Save quiet hours").click()
    await visitor.sees(quiet.get_by_text("From 22:00 until 07:00 you get no push"))
    await page.get_by_label("Mail about what is new").select_option("Every Monday")
    await page.get_by_role("button", name="Save digest").click()

    muted = page.get_by_role("region", name="Muted photos and threads")
    await visitor.sees(muted.get_by_role("link", name="At the lake"))
    await visitor.sees(muted.get_by_role("link", name="Comments below “Where is it?”"))
    await muted.get_by_role("button", name="Unmute").first.click()
    await expect(muted.get_by_role("button", name="Unmute")).to_have_count(1, timeout=WITHIN)
    await muted.get_by_role("button", name="Unmute").click()
    await visitor.sees(muted.get_by_text("There are none."))

    await visitor.open("/settings/notifications")
    await expect(push).to_have_value("following", timeout=WITHIN)
    await expect(quiet.get_by_label("Sun")).not_to_be_checked()
    await expect(page.get_by_label("Mail about what is new")).to_have_value("weekly")
    await quiet.get_by_role("button", name="Turn off").click()
    await visitor.sees(quiet.get_by_text("You have none"))
