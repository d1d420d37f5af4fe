"""Camera data in the browser: shown to the owner of a photo alone, and deleted; positions by the setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import expect

from tests.browser.visitor import PHONE, WITHIN, Site, published
from tests.support.pictures import jpeg_with_metadata, photograph


async def _photo(visitor: Any, tmp_path: Path) -> str:
    file = tmp_path / "photo.jpg"
    file.write_bytes(jpeg_with_metadata(6))
    photo: str = (await visitor.account.upload(file, "With data"))["id"]
    await published(visitor.account, photo)
    return photo


async def test_the_owner_sees_and_deletes_the_camera_data(site: Site, tmp_path: Path) -> None:
    """Camera, exposure and, after the setting, the position are shown until they are deleted; then it says so."""
    owner = await site.signed_in(viewport=PHONE, at=None)
    await owner.open("/settings/privacy")
    await owner.page.get_by_label("Position in the camera data").select_option("coarse")
    await owner.page.get_by_label("Publish creator and licence").uncheck()
    await owner.page.get_by_role("button", name="Save").click()
    await owner.sees(owner.toast("Saved"))
    await owner.page.reload()
    await expect(owner.page.get_by_label("Position in the camera data")).to_have_value("coarse", timeout=WITHIN)
    await expect(owner.page.get_by_label("Publish creator and licence")).not_to_be_checked()
    await owner.open(f"/p/{await _photo(owner, tmp_path)}")
    section = owner.page.locator("details.exif")
    await section.get_by_text("Camera and exposure").click()
    await owner.sees(section.get_by_text("PicShare Optics One"))
    await owner.sees(section.get_by_text("1/125 s"))
    await owner.sees(section.get_by_text("52.51, 13.37"))
    await section.get_by_role("button", name="Delete camera data").click()
    await owner.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await owner.sees(section.get_by_text("No camera data is stored"))
    await owner.page.reload()
    await section.get_by_text("Camera and exposure").click()
    await owner.sees(section.get_by_text("No camera data is stored"))


async def test_others_do_not_see_the_section(site: Site) -> None:
    """The page of another user's photo has no camera data."""
    owner, other = await site.signed_in(), await site.signed_in(at=None)
    photo = (await owner.account.upload(photograph(), "Mine"))["id"]
    await published(owner.account, photo)
    await other.open(f"/p/{photo}")
    await other.sees(other.page.locator(".photo-page"))
    await expect(other.page.locator("details.exif")).to_have_count(0)
