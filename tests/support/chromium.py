"""The Chromium of this machine, as tests start it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--renderer-process-limit=16",  # a tab that hangs or crashes is alone in it
)


def find_chromium() -> str | None:
    """Return its path, or None where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@asynccontextmanager
async def running_chromium(path: str) -> AsyncIterator[Browser]:
    """Run it for the time of the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path,
            args=list(_FLAGS),
            ignore_default_args=["--disable-back-forward-cache"],  # people's browsers have it
        )
        yield browser
        await browser.close()
