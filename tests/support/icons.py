"""The icons of the web application: PNG files drawn from SVG files, by `python -m tests.support.icons`."""

from __future__ import annotations

from collections.abc import Mapping

import pyvips

from tests.support.documents import ROOT

FOLDER = ROOT / "static" / "icons"
# PNG file -> SVG file and side in pixels.
ICONS: Mapping[str, tuple[str, int]] = {
    "picshare-192.png": ("picshare.svg", 192),
    "picshare-512.png": ("picshare.svg", 512),
    "maskable-192.png": ("maskable.svg", 192),
    "maskable-512.png": ("maskable.svg", 512),
    # Phones of Apple round the corners themselves, and fill what is transparent with black.
    "apple-touch-180.png": ("maskable.svg", 180),
    # The system colours what is opaque.
    "badge-96.png": ("badge.svg", 96),
    **{f"shortcut-{name}-96.png": (f"shortcut-{name}.svg", 96) for name in ("new", "notifications", "search")},
}


def drawn(source: str, side: int) -> pyvips.Image:
    """Return an SVG file as a square of `side` pixels."""
    return pyvips.Image.svgload(str(FOLDER / source), scale=side / 64)


if __name__ == "__main__":
    for name, (source, side) in ICONS.items():
        drawn(source, side).pngsave(str(FOLDER / name), compression=9, palette=source != "badge.svg", Q=100, dither=0)
