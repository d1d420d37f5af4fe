"""QR codes as SVG, drawn here: a secret must not be sent to another service to be drawn."""

from __future__ import annotations

import io

import segno


def qr_svg(text: str) -> str:
    """Return the QR code of a text as an SVG document of its own, dark on white, with the margin that scanners need."""
    buffer = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        buffer,
        kind="svg",
        xmldecl=False,
        svgclass=None,
        lineclass=None,
        border=4,
        dark="#000",
        light="#fff",
        omitsize=True,
    )
    return buffer.getvalue().decode()
