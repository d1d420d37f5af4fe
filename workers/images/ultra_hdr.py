"""The file of an Ultra HDR JPEG: an image, and its gain map behind it (ISO 21496-1; Ultra HDR Image Format 1.1).

The numbers are described in a segment of ISO 21496-1, and for older readers in XMP as well. The XMP has a kilobyte, so
small images do without it. All that is not pixels or a profile is derived from the numbers of the gain map, so the
check before publication makes it once more and compares.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from workers.images.gain_maps import CAPACITIES, DENOMINATOR, FIELDS, NAMESPACE, GainMapNumbers, read_iso, write_iso

XMP, ISO = b"http://ns.adobe.com/xap/1.0/\0", b"urn:iso:std:iso:ts:21496:-1\0"
HEAD = 20  # bytes of a JPEG up to the end of its JFIF header, behind which the segments are
_APP1, _APP2 = 0xE1, 0xE2
_VERSION = bytes(4)  # of ISO 21496-1, in the first image
_MPF = struct.Struct(">4s4sIHHHI4sHHIIHHIIIIIIHHIIIHH")  # CIPA DC-007, with two images
_PRIMARY = 0x030000  # attribute of the image that is shown
_BEGINNING = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
_END = b"</rdf:RDF></x:xmpmeta>"
_CONTAINER = (
    'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
    'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" hdrgm:Version="1.0"><Container:Directory><rdf:Seq>'
    '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>'
    '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg" '
    'Item:Length="{length}"/></rdf:li></rdf:Seq></Container:Directory>'
)


def join(image: bytes, gain: bytes, numbers: GainMapNumbers, xmp: bytes = b"", *, described: bool = True) -> bytes:
    """Return an image with its gain map, and with the properties of a packet; `described` in XMP, too.

    Both are JPEGs without metadata that begin with a JFIF header of `HEAD` bytes.
    """
    second = gain[:HEAD] + b"".join(gain_segments(numbers, described=described)) + gain[HEAD:]
    first = image_segments(len(image), len(second), xmp, described=described)
    return image[:HEAD] + b"".join(first) + image[HEAD:] + second


def image_segments(bare: int, gain: int, xmp: bytes = b"", *, described: bool = True) -> Sequence[bytes]:
    """Return the segments of the first image, from its bytes without them, those of the whole gain map, and a packet.

    A file has one packet, so the description of the gain map becomes the last one in it.
    """
    packet = xmp
    if described:
        description = _description(_CONTAINER.format(length=gain))
        packet = xmp.replace(_END, description + _END) if xmp else _packet(description)
    before = [*([_segment(_APP1, XMP + packet)] if packet else []), _segment(_APP2, ISO + _VERSION)]
    # Offsets count from the byte behind the name of the segment.
    origin = HEAD + sum(map(len, before)) + 8
    whole = bare + sum(map(len, before)) + 4 + _MPF.size
    return [*before, _segment(_APP2, _mpf(whole, gain, whole - origin))]


def gain_segments(numbers: GainMapNumbers, *, described: bool = True) -> Sequence[bytes]:
    """Return the segments of the gain map."""
    iso = _segment(_APP2, ISO + write_iso(numbers))
    return [_segment(_APP1, XMP + _packet(_description(_described(numbers)))), iso] if described else [iso]


def numbers_of(segments: Sequence[bytes]) -> GainMapNumbers | None:
    """Return the numbers in the segments of a gain map, or None if there are none."""
    bodies = (segment[4:] for segment in segments)
    return next((read_iso(body.removeprefix(ISO)) for body in bodies if body.startswith(ISO)), None)


def _packet(description: bytes) -> bytes:
    return _BEGINNING + description + _END


def _description(body: str) -> bytes:
    return f'<rdf:Description rdf:about="" xmlns:hdrgm="{NAMESPACE}" {body}</rdf:Description>'.encode()


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body


def _mpf(size: int, gain: int, offset: int) -> bytes:
    return _MPF.pack(
        *(b"MPF\0", b"MM\0*", 8, 3),
        *(0xB000, 7, 4, b"0100"),
        *(0xB001, 4, 1, 2),
        *(0xB002, 7, 32, 50, 0),
        *(_PRIMARY, size, 0, 0, 0),
        *(0, gain, offset, 0, 0),
    )


def _described(numbers: GainMapNumbers) -> str:
    """Return the numbers that are not those by default."""
    single = {CAPACITIES[field]: (getattr(numbers, field),) for field in CAPACITIES}
    several = {FIELDS[field]: getattr(numbers, field) for field in FIELDS}
    if len(numbers.channels) == 1:
        single, several = single | several, {}
    attributes = ['hdrgm:Version="1.0"']
    attributes += (
        f'hdrgm:{name}="{_decimal(value)}"' for (name, default), (value,) in single.items() if not _is(value, default)
    )
    lists = (
        _list(name, values)
        for (name, default), values in several.items()
        if not all(_is(value, default) for value in values)
    )
    return f"{' '.join(attributes)}>{''.join(lists)}"


def _is(value: int, default: float | None) -> bool:
    return default is not None and value == round(default * DENOMINATOR)


def _list(name: str, values: Sequence[int]) -> str:
    items = "".join(f"<rdf:li>{_decimal(value)}</rdf:li>" for value in values)
    return f"<hdrgm:{name}><rdf:Seq>{items}</rdf:Seq></hdrgm:{name}>"


def _decimal(value: int) -> str:
    return f"{value / DENOMINATOR:.6f}".rstrip("0").rstrip(".")
