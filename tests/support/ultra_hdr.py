"""Ultra HDR JPEGs for tests, as phones write them: with EXIF and positions, and gain maps of both descriptions."""

from __future__ import annotations

import struct

from PIL import Image

from tests.support.pictures import XMP, encoded, exif_with_gps, jpeg_segment, photograph
from workers.images.ultra_hdr import XMP as XMP_NAME

_DESCRIPTION = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" {attributes}>{elements}'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)
PIXEL = {"GainMapMax": "2.5", "HDRCapacityMax": "2.3", "OffsetSDR": "0.015625", "OffsetHDR": "0.015625"}


def described(elements: str = "", **attributes: str) -> bytes:
    """Return the segment of XMP in a gain map, with these attributes and elements of its namespace."""
    text = " ".join(f'hdrgm:{name}="{value}"' for name, value in attributes.items())
    return jpeg_segment(0xE1, XMP_NAME + _DESCRIPTION.format(attributes=text, elements=elements).encode())


def iso(*channels: tuple[float, float, float, float, float], headroom: float = 2.0, flags: int = 0x40) -> bytes:
    """Return the segment of ISO 21496-1 in a gain map: minimum, maximum, gamma and two offsets for each channel."""
    body = struct.pack(">HHB", 0, 0, flags | (0x80 if len(channels) == 3 else 0))
    body += struct.pack(">IIII", 0, 1, round(headroom * 1000), 1000)
    body += b"".join(
        struct.pack(">iI", round(value * 1_000_000), 1_000_000) for channel in channels for value in channel
    )
    return jpeg_segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + body)


def gain_image(size: tuple[int, int] = (160, 107), mode: str = "L") -> Image.Image:
    """Return a gain map that is bright in its left upper quarter."""
    image = Image.new(mode, size)
    image.paste((250,) * len(image.getbands()), (0, 0, size[0] // 2, size[1] // 2))
    return image


def ultra_hdr(
    *segments: bytes,
    photo: Image.Image | None = None,
    gain: Image.Image | None = None,
    orientation: int = 1,
    xmp: bytes = XMP,
) -> bytes:
    """Return a photograph, by default one of 640 × 427 pixels, with a gain map that has these segments, and a video."""
    photo = photo or Image.open(photograph()).convert("RGB")
    photo.info = {}
    first = encoded(photo, exif=exif_with_gps(orientation), xmp=xmp, comment=b"taken at home")
    second = encoded(gain or gain_image(), exif=exif_with_gps(), comment=b"taken at home")
    return first + b"\0\0" + second[:2] + b"".join(segments) + second[2:] + b"\0\0\0\x18ftypmp42home"
