"""An archive is imported in the browser: uploaded, followed, and its failures are listed."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import PHONE, WITHIN, Site
from tests.support.archives import instagram, post
from tests.support.pictures import photograph


async def test_an_archive_from_the_file_to_the_profile(site: Site) -> None:
    """The page shows how many photos came in and why others did not, and the profile has the photos."""
    visitor = await site.signed_in(viewport=PHONE)
    page = visitor.page
    files = {"media/a.jpg": photograph("rocket").read_bytes(), "media/b.jpg": b"no image"}
    posts = [post("media/a.jpg", text="Grüße"), post("media/b.jpg"), post("media/<b>gone</b>.jpg")]
    await visitor.open("/settings/data")
    await page.get_by_label("Who can see the photos").select_option("public")
    archive = {"name": "instagram.zip", "mimeType": "application/zip", "buffer": instagram(posts, files)}
    await page.get_by_label("Archive", exact=True).set_input_files(archive)  # type: ignore[arg-type]
    row = page.locator(".data-import .user-row")
    await expect(row).to_contain_text("1 of 3 imported, 2 failed", timeout=WITHIN)
    await row.get_by_role("button", name="Show what failed").click()
    await expect(row.locator("li")).to_have_count(2, timeout=WITHIN)
    await expect(row.locator("li").last).to_have_text(
        "media/<b>gone</b>.jpg: media/<b>gone</b>.jpg is not in the archive."
    )
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for scheme in ("dark", "light"):
        await page.emulate_media(color_scheme=scheme)
        await visitor.open("/settings/data")
        await visitor.sees(row)
        assert await poor_contrasts(visitor) == []
    await visitor.open(f"/u/{visitor.account.name}")
    await visitor.sees(page.get_by_role("link", name="Grüße"))
