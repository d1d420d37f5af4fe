"""The Firefox of this machine for tests, without windows."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.support.documents import ROOT

_FIREFOX = ("firefox-esr", "firefox")
_PREFERENCES: dict[str, str | float | bool] = {"ui.prefersReducedMotion": 1}


def find_firefox() -> str | None:
    """Return the path of Firefox, or None if it is not installed."""
    return next(filter(None, map(shutil.which, _FIREFOX)), None)


@asynccontextmanager
async def running_firefox(path: str) -> AsyncIterator[Browser]:
    """Run Firefox until the end of the block; no geckodriver is needed, because it has WebDriver BiDi itself."""
    with tempfile.TemporaryDirectory(prefix="psf-") as folder:
        program = Path(folder) / "firefox"
        relay = shlex.join([sys.executable, "-m", "tests.support.bidi_relay", path])
        program.write_text(f'#!/bin/sh\ncd {shlex.quote(str(ROOT))} && exec {relay} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        async with async_playwright() as playwright:
            browser = await playwright.firefox.launch(
                channel="moz-firefox", executable_path=program, firefox_user_prefs=_PREFERENCES
            )
            yield browser
            await browser.close()
