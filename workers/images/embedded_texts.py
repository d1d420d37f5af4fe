"""Texts that an image file brings along, by what they can be used for; see `EmbeddedTexts`.

Each comes from the first of XMP, IPTC and EXIF that has it: programs that write several of them write XMP last.
"""

from __future__ import annotations

from PIL import Image

from workers.images.exif import read_text
from workers.images.formats import Original
from workers.images.gif import Gif
from workers.images.iptc import COPYRIGHT, CREATOR, DESCRIPTION, read_iptc
from workers.images.jpeg import Jpeg
from workers.images.limits import MAX_EMBEDDED_TEXT
from workers.images.xmp import read_xmp

NAMES = frozenset({"alt_text", "caption", "creator", "rights", "web_statement"})
_IMAGE_DESCRIPTION, _ARTIST, _COPYRIGHT = 0x010E, 0x013B, 0x8298


def read_texts(original: Original, exif: Image.Exif) -> dict[str, str]:
    """Return the texts of a file by `NAMES`, those that it has; what is not readable is left out.

    A description serves as the alternative text of a file that has no text of that purpose. Of a GIF none are read.
    """
    xmp = read_xmp(b"" if isinstance(original, Gif) else original.xmp)
    iptc = read_iptc(original.iptc if isinstance(original, Jpeg) else b"")
    description = xmp.description or _joined(iptc.get(DESCRIPTION)) or read_text(exif, _IMAGE_DESCRIPTION)
    found = {
        "alt_text": xmp.alt_text or description,
        "caption": description,
        "creator": xmp.creator or _joined(iptc.get(CREATOR)) or read_text(exif, _ARTIST),
        "rights": xmp.rights or _joined(iptc.get(COPYRIGHT)) or read_text(exif, _COPYRIGHT),
        "web_statement": xmp.web_statement,
    }
    return {name: text for name, given in found.items() if (text := _cleaned(given))}


def _joined(values: list[str] | None) -> str:
    return ", ".join(values or ())


def _cleaned(text: str) -> str:
    """Return a text of bounded length without control characters, which files contain as padding."""
    # A line break is CR LF in files from Windows.
    lines = text[:MAX_EMBEDDED_TEXT].replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "".join(symbol for symbol in lines if symbol.isprintable() or symbol == "\n").strip()
