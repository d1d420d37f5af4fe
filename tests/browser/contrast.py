"""Measure the contrast between text and its background."""

from __future__ import annotations

from tests.browser.visitor import Visitor


async def poor_contrasts(visitor: Visitor) -> list[str]:
    """Return the texts of the page with a contrast below 4.5, each with its contrast."""
    found: list[str] = await visitor.page.evaluate(
        """() => {
            const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
            const rgba = (colour) => {
                paint.clearRect(0, 0, 1, 1);
                paint.fillStyle = colour;
                paint.fillRect(0, 0, 1, 1);
                return [...paint.getImageData(0, 0, 1, 1).data];
            };
            const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
                .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
                .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
            const behind = (element) => {
                for (let at = element; at; at = at.parentElement) {
                    const colour = rgba(getComputedStyle(at).backgroundColor);
                    if (colour[3] > 200) return colour;
                }
                return rgba("Canvas");
            };
            const poor = [];
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walker.nextNode()) {
                const element = walker.currentNode.parentElement;
                const text = walker.currentNode.textContent.trim();
                if (!text || !element.checkVisibility()) continue;
                if (element.closest("script, noscript, .frame, .counts, :disabled")) continue;
                const [one, other] = [rgba(getComputedStyle(element).color), behind(element)].map(light);
                const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
                if (contrast < 4.5) poor.push(`${text.slice(0, 30)}: ${contrast.toFixed(2)}`);
            }
            return poor;
        }"""
    )
    return found
