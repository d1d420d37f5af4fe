"""Compare pages with reference pictures so roughly that the rendering of another machine does not matter.

A picture is reduced to cells of 8 by 8 pixels. A cell is as in the reference if its colour is among those of the cells
around it there, with a tolerance, and the other way round. So what moves by less than a cell and what is written in
other letters is the same. What moves further, is missing, or has another colour differs. Where both pictures are plain,
the colours have to be nearly the same.
"""

from __future__ import annotations

import io
import os
from base64 import b64encode
from functools import reduce
from pathlib import Path

from PIL import Image, ImageChops, ImageFilter
from playwright.async_api import Page

from tests.support.eventually import eventually

REFERENCE = Path(__file__).parent / "reference"
CELL = 8  # pixels
SHARE = 0.005  # of all cells may differ
# Of the 255 levels of a colour.
TOLERANCE = 32
PLAIN = 4  # in a plain part, by which the cells around a cell differ from each other
PLAIN_TOLERANCE = 8
# Seconds: pages complete themselves. After one that differs, the others have probably done so.
WITHIN, WITHIN_AFTERWARDS = 30.0, 5.0
_MARK = (255, 0, 255)
# Letters of DejaVu Sans, by weight: with the fonts of the system, lines would break elsewhere.
_FONTS = {"400": "DejaVuSans.woff2", "700": "DejaVuSans-Bold.woff2"}
# Takes these fonts, and hides what differs between two visits or browsers.
_SAME = """async (fonts) => {
    for (const [weight, data] of Object.entries(fonts)) {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        document.fonts.add(await new FontFace("Reference", bytes, { weight }).load());
    }
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`* { font-family: Reference, sans-serif !important }
        time, .push-offer { visibility: hidden !important }`);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}"""


def cells(png: bytes) -> Image.Image:
    """Return a screenshot as the picture of its cells."""
    return Image.open(io.BytesIO(png)).convert("RGB").reduce(CELL)


def differing(found: Image.Image, expected: Image.Image) -> Image.Image:
    """Return a mask of the cells that differ; of all if the sizes differ."""
    if found.size != expected.size:
        return Image.new("L", found.size, 255)
    elsewhere = ImageChops.lighter(_outside(found, expected), _outside(expected, found))
    plain = ImageChops.darker(_plain(found), _plain(expected))
    recoloured = _exceeds(ImageChops.difference(found, expected), PLAIN_TOLERANCE)
    return ImageChops.lighter(elsewhere, ImageChops.darker(plain, recoloured))


def share(mask: Image.Image) -> float:
    """Return the share of the cells in a mask."""
    return mask.histogram()[255] / (mask.width * mask.height)


def _outside(inner: Image.Image, outer: Image.Image) -> Image.Image:
    """Return a mask of the cells whose colour is not around the same place of the other picture."""
    above = ImageChops.subtract(inner, outer.filter(ImageFilter.MaxFilter(3)))
    below = ImageChops.subtract(outer.filter(ImageFilter.MinFilter(3)), inner)
    return _exceeds(ImageChops.lighter(above, below), TOLERANCE)


def _plain(picture: Image.Image) -> Image.Image:
    lightest, darkest = picture.filter(ImageFilter.MaxFilter(5)), picture.filter(ImageFilter.MinFilter(5))
    return ImageChops.invert(_exceeds(ImageChops.subtract(lightest, darkest), PLAIN))


def _exceeds(levels: Image.Image, limit: int) -> Image.Image:
    return reduce(ImageChops.lighter, levels.split()).point(lambda level: 255 * (level > limit))


class References:
    """The reference pictures, and how pages differ from them; `folder` is where the pictures of differences go.

    With the environment variable `RETAKE_PICTURES`, pages become the references instead.
    """

    def __init__(self, folder: Path) -> None:
        self.different: list[str] = []
        self._folder = folder
        self._retake = bool(os.environ.get("RETAKE_PICTURES"))

    async def compare(self, name: str, page: Page) -> None:
        """Wait until a page looks as in the reference of this name; note down if it does not."""
        path = REFERENCE / f"{name}.png"
        if self._retake:
            cells(await _at_rest(page)).save(path, optimize=True)
            return
        expected = Image.open(path).convert("RGB")
        png = b""

        async def similar() -> bool:
            nonlocal png
            png = await page.screenshot()
            return share(differing(cells(png), expected)) <= SHARE

        try:
            await eventually(similar, within=WITHIN_AFTERWARDS if self.different else WITHIN)
        except AssertionError:
            mask = differing(cells(png), expected)
            self.different.append(f"{name}: {share(mask):.1%} of its cells differ, see {self._report(name, png, mask)}")

    def assert_none(self) -> None:
        """Fail with the names of the pages that differ, and where their pictures are."""
        hint = "If they look as they should: make references"
        assert not self.different, "\n".join([*self.different, hint])

    def _report(self, name: str, png: bytes, mask: Image.Image) -> Path:
        """Write the screenshot with the cells that differ in a colour of their own."""
        page = Image.open(io.BytesIO(png)).convert("RGB")
        large = mask.resize((mask.width * CELL, mask.height * CELL), Image.Resampling.NEAREST)
        marked = Image.blend(page, Image.new("RGB", page.size, _MARK), 0.6)
        page.paste(marked, mask=large.crop((0, 0, *page.size)))
        path = self._folder / f"{name}.png"
        page.save(path)
        return path


async def use_reference_fonts(page: Page) -> None:
    """Give a page the fonts of the references, until it is loaded again; hide what differs between visits."""
    files = {weight: REFERENCE / "font" / name for weight, name in _FONTS.items()}
    await page.evaluate(_SAME, {weight: b64encode(file.read_bytes()).decode() for weight, file in files.items()})


async def _at_rest(page: Page) -> bytes:
    """Return a screenshot of a page that has not changed for two seconds."""
    last = b""

    async def unchanged() -> bool:
        nonlocal last
        await page.wait_for_timeout(2000)
        before, last = last, await page.screenshot()
        return before == last

    await eventually(unchanged)
    return last
