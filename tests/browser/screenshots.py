"""Take the picture of README.md and of the documentation, and the screenshots of the manifest: `make screenshots`.

They show the demonstration community of a new service: the home feed on a desktop, and on a phone in the dark scheme.
"""

from __future__ import annotations

import asyncio
import base64
import tempfile
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, ViewportSize, expect

from tests.browser.visitor import WITHIN
from tests.engines.private import free_port
from tests.support.chromium import find_chromium, find_headless_shell, running_chromium
from tests.support.documents import ROOT
from tests.support.eventually import eventually
from tests.support.service import Service

_PICTURE = ROOT / "docs" / "images" / "feed.jpg"
_SCREENSHOTS = ROOT / "static" / "screenshots"
_DESKTOP: ViewportSize = {"width": 1280, "height": 860}
_PHONE: ViewportSize = {"width": 390, "height": 844}
_STORES = {"wide": ViewportSize(width=1280, height=800), "narrow": _PHONE}
_FRAME: ViewportSize = {"width": 1400, "height": 960}
_LAYOUT = """
<style>
  body {{ margin: 0; background: #eeebe4; }}
  img {{ position: absolute; border-radius: 18px; box-shadow: 0 20px 50px rgb(0 0 0 / 35%); }}
  #desktop {{ left: 60px; top: 90px; width: 1110px; }}
  #phone {{ left: 1010px; top: 170px; width: 330px; }}
</style>
<img id="desktop" alt="" src="data:image/png;base64,{desktop}">
<img id="phone" alt="" src="data:image/png;base64,{phone}">
"""


async def main() -> None:
    """Start a service with its community, and write the picture."""
    chromium = find_headless_shell() or find_chromium()
    if chromium is None:
        raise SystemExit("There is no Chromium; tests/install-engines installs it.")
    with tempfile.TemporaryDirectory(prefix="pss-") as folder:
        port = free_port()
        service = Service(["run", "--port", str(port)], folder=Path(folder), name="run", port=port)
        await service.start(wait=False)
        try:
            await eventually(lambda: "sign in as demo" in service.log(), within=60)
            async with running_chromium(chromium) as browser:
                for name, size in _STORES.items():
                    shot = await _home(browser, service.url, size, "light", quality=80)
                    (_SCREENSHOTS / f"feed-{name}.jpg").write_bytes(shot)
                desktop = base64.b64encode(await _home(browser, service.url, _DESKTOP, "light")).decode()
                phone = base64.b64encode(await _home(browser, service.url, _PHONE, "dark")).decode()
                page = await browser.new_page(viewport=_FRAME)
                await page.set_content(_LAYOUT.format(desktop=desktop, phone=phone))
                await page.screenshot(path=_PICTURE, type="jpeg", quality=85)
        finally:
            await service.stop()


async def _home(
    browser: Browser, url: str, size: ViewportSize, scheme: Literal["light", "dark"], *, quality: int | None = None
) -> bytes:
    """Return the home feed of the demonstration account as a PNG, or as a JPEG of a quality."""
    context = await browser.new_context(
        viewport=size, color_scheme=scheme, reduced_motion="reduce", service_workers="block"
    )
    account = {"username": "demo", "password": "picshare-demo", "cookie": True}
    response = await context.request.post(f"{url}/api/v1/tokens", data=account)
    assert response.ok, await response.text()
    page = await context.new_page()
    await page.goto(url)
    await expect(page.locator("[data-state=live]").first).to_be_attached(timeout=WITHIN)
    await page.wait_for_load_state("networkidle")
    if quality is None:
        return await page.screenshot()
    return await page.screenshot(type="jpeg", quality=quality)


if __name__ == "__main__":
    asyncio.run(main())
