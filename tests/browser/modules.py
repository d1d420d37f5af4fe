"""Call the exports of a JavaScript module in the browser."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page


async def call(page: Page, module: str, expression: str, argument: object = None) -> Any:
    """Return the value of an expression in which `m` is the module and `a` the argument."""
    script = f"""async (a) => {{ const m = await import("/static/{module}.js"); return {expression}; }}"""
    return await page.evaluate(script, argument)
