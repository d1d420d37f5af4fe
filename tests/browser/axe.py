"""Check pages with axe-core, the unmodified package of npm, against WCAG 2.2 AA and its best practices."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Page

AXE = Path(__file__).parents[1] / "sdk" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice")
# Not part of a tag by default: axe-core regards the one as new and the other as experimental.
MORE_RULES = ("target-size", "label-content-name-mismatch")
# What depends on the theme; everything else is the same in both.
COLOUR_RULES = ("color-contrast", "link-in-text-block")

_RUN = """async ([run, rules]) => {
    // Colours change over time, even if it is short.
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
    const { violations } = await axe.run(document, { runOnly: run, rules, resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => [
        id, node.target.join(" "), node.html.slice(0, 160),
        [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; "),
    ]));
}"""


class AxeChecks:
    """The violations that were found on the pages of a test, each with the name of its state."""

    def __init__(self, page: Page) -> None:
        if not AXE.is_file():
            pytest.skip("axe-core is not installed; tests/install-engines installs it")
        self.found: list[str] = []
        self._page = page
        self._script = AXE.read_text(encoding="utf-8")

    def assert_none(self) -> None:
        """Fail with all violations that were found."""
        assert not self.found, "\n".join(self.found)

    async def check(self, state: str, *, menu: bool = False) -> None:
        """Check the page as it is, in the light and in the dark theme.

        An open `menu` covers targets of the page, which are too small then, until it closes at the next press.
        """
        if not await self._page.evaluate("() => 'axe' in window"):
            await self._page.evaluate(self._script)
        rules = {rule: {"enabled": True} for rule in MORE_RULES}
        if menu:
            rules["target-size"] = {"enabled": False}
        await self._run(state, "light", {"type": "tag", "values": list(TAGS)}, rules)
        await self._run(state, "dark", {"type": "rule", "values": list(COLOUR_RULES)}, {})

    async def _run(
        self, state: str, theme: Literal["light", "dark"], run: dict[str, Any], rules: dict[str, Any]
    ) -> None:
        await self._page.emulate_media(color_scheme=theme)
        for rule, target, html, message in await self._page.evaluate(_RUN, [run, rules]):
            self.found.append(f"{state}, {theme}: {rule} at {target}: {html}: {message}")
