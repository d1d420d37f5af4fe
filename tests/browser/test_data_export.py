"""The archive of an account in the browser: requested, followed, downloaded, and opened offline."""

from __future__ import annotations

import zipfile
from pathlib import Path

from playwright.async_api import expect

from tests.browser.contrast import poor_contrasts
from tests.browser.visitor import PHONE, WITHIN, Site, published
from tests.support.pictures import photograph

ATTACK = "<script>document.title = 'attacked'</script>"


async def test_an_export_from_the_request_to_the_offline_page(site: Site, tmp_path: Path) -> None:
    """The page follows it, the notification leads to it, and the unpacked page shows the photos and runs nothing."""
    visitor = await site.signed_in(viewport=PHONE)
    page = visitor.page
    photo = await visitor.account.upload(photograph("rocket"), f"Lift-off {ATTACK}")
    await published(visitor.account, photo["id"])
    await visitor.open("/settings")
    await page.get_by_role("link", name="Your data").click()
    await visitor.sees(page.get_by_role("heading", name="No exports yet"))
    button = page.get_by_role("button", name="New export")
    await button.click()
    download = page.get_by_role("link", name="Download")
    await visitor.sees(download)
    await expect(page.locator(".user-row")).to_contain_text("1 photo,", timeout=WITHIN)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        # Without transitions from the colours before.
        await visitor.open("/settings/data")
        await visitor.sees(download)
        assert await poor_contrasts(visitor) == []
    async with page.expect_download() as started:
        await download.click()
    path = tmp_path / "export.zip"
    await (await started.value).save_as(path)
    visitor.expect_error("status of 409")
    await button.click()
    await visitor.sees(visitor.toast("You can request one export a day."))
    await visitor.visit("Notifications")
    await page.get_by_role("link", name="Your export is ready to be downloaded").first.click()
    await visitor.sees(page.get_by_role("heading", name="Your data"))

    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    offline = await visitor.context.new_page()
    await offline.goto((tmp_path / "index.html").as_uri())
    image = offline.locator("main img")
    await expect(image).to_have_js_property("complete", True, timeout=WITHIN)
    assert await image.evaluate("image => image.naturalWidth") > 0
    await expect(offline.locator("figcaption")).to_contain_text(f"Lift-off {ATTACK}")
    assert "attacked" not in await offline.title()
