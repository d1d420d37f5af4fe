"""Check of the bytes of a variant before it is published: it holds pixels, a colour profile of ours, and known rights.

A metadata block that an encoder, or a decoder process that an image has taken over, put into a variant would be served
to everyone: a position, a name, HTML or a zip archive. So the structure of each file is read again, from its first byte
to its last, and every part must be one that the encoders of `workers.images.encode` write. A packet of metadata must
be the one that is expected (`workers.images.rights`), byte for byte.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterator, Mapping

from workers.errors import WorkerError
from workers.images import bmff, profiles, ultra_hdr
from workers.images.structure import MetadataBudget, StructureError

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
# Within the data of a scan, 00 is a stuffed byte and D0–D7 are restart markers.
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_SCAN = 0xDA
_TABLES = {0xDB, 0xC4, 0xDD, 0xC0, 0xC1, 0xC2, _SCAN}  # quantisation, Huffman, restart, frames
_JFIF = re.compile(rb"JFIF\0\x01[\x00-\x02][\x00-\x02]....\0\0", re.DOTALL)  # without a thumbnail
_PROFILE = b"ICC_PROFILE\0\x01\x01"  # the first of one part
_WEBP_EXTENDED_BYTES, _WEBP_ANIMATION_BYTES, _WEBP_FRAME_BYTES = 10, 6, 16
_WEBP_PIXELS = frozenset({b"VP8 ", b"VP8L"})
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_HANDLER = bytes(8) + b"pict" + bytes(13)  # of images, without a name
# The entries of the items: that of the pixels, and one of a packet, which describes the first one.
_ITEMS = re.compile(
    rb"\0\0\0\0\0[\x01\x02]\0\0\0.infe\x02\0\0\0\0\x01\0\0av01(?:Color)?\0(?:\0\0\0\x2cinfe\x02\0\0\0\0\x02\0\0mimeXMP\0application/rdf\+xml\0)?",
    re.DOTALL,
)
_XMP_REFERENCE = b"\0\0\0\0" + b"\0\0\0\x0ecdsc\0\x02\0\x01\0\x01"
_META_BOXES = {b"hdlr", b"pitm", b"iloc", b"iinf", b"iref", b"iprp"}
_PROPERTIES = {b"ispe", b"pixi", b"av1C", b"colr"}


class ForeignBytesError(WorkerError):
    """A variant has bytes that must not be published; the text says where."""


def check(data: bytes, format_: str, xmp: bytes = b"", *, motion: bool = False) -> None:
    """Raise `ForeignBytesError` if a variant in a format of the registry has anything but pixels and a profile.

    With `xmp` it must have this packet, once, and without it none. Only one with `motion` may be an animation.
    """
    try:
        if motion:
            packets = _check_webp(data, {*_WEBP_PIXELS, b"ANIM", b"ANMF"})
        else:
            packets = _check_jpeg(data, xmp) if format_ == "jpg" else _CHECKS[format_](data)
    except (StructureError, IndexError) as error:
        raise ForeignBytesError(f"a {format_} of another structure") from error
    _require(packets == ([xmp] if xmp else []), f"the metadata of a {format_}")


def _check_jpeg(data: bytes, xmp: bytes) -> list[bytes]:
    end, segments = _check_image(data, 0)
    if end == len(data):
        _require(all(segment[1] == 0xE1 and segment[4:].startswith(_XMP) for segment in segments), "a JPEG's metadata")
        return [segment[4 + len(_XMP) :] for segment in segments]
    # A gain map is behind it. What both have besides pixels and profile follows from its numbers and the packet.
    last, of_gain = _check_image(data, end)
    _require(last == len(data), "the bytes after a JPEG")
    numbers = ultra_hdr.numbers_of(of_gain)
    described = len(of_gain) > 1
    _require(numbers and of_gain == ultra_hdr.gain_segments(numbers, described=described), "the metadata of a gain map")
    expected = ultra_hdr.image_segments(end - sum(map(len, segments)), last - end, xmp, described=described)
    _require(segments == expected, "the metadata of a JPEG with a gain map")
    return [xmp] if xmp else []


def _check_image(data: bytes, start: int) -> tuple[int, list[bytes]]:
    """Check the JPEG at a position; return the position behind it, and its segments of metadata."""
    _require(data[start : start + 2] == _SOI, "the beginning of a JPEG")
    segments: list[bytes] = []
    position = start + 2
    while data[position : position + 2] != _EOI:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        end = position + 2 + length
        _require(data[position] == 0xFF and length >= 2 and end <= len(data), "a segment of a JPEG")
        body = data[position + 4 : end]
        if marker in {0xE1, 0xE2} and not body.startswith(_PROFILE):
            _require(position == start + ultra_hdr.HEAD + sum(map(len, segments)), "the order of segments in a JPEG")
            segments.append(data[position:end])
        else:
            _check_segment(marker, body)
        position = end
        if marker == _SCAN:
            found = _END_OF_SCAN.search(data, position)
            _require(found, "the end of a JPEG")
            position = found.start() if found else len(data)
    return position + 2, segments


def _check_segment(marker: int, body: bytes) -> None:
    if marker == 0xE0:
        _require(_JFIF.fullmatch(body), "the JFIF header of a JPEG")
    elif marker == 0xE2:
        _require(body.startswith(_PROFILE) and body[len(_PROFILE) :] in _profiles(), "the profile of a JPEG")
    else:
        _require(marker in _TABLES, f"a JPEG segment of the type {marker:02x}")


def _check_webp(data: bytes, allowed: Collection[bytes] = _WEBP_PIXELS) -> list[bytes]:
    packets: list[bytes] = []
    _require(data[:4] == b"RIFF" and data[8:12] == b"WEBP", "the beginning of a WebP")
    _require(8 + int.from_bytes(data[4:8], "little") == len(data), "the bytes after a WebP")
    for kind, body in _webp_chunks(data, 12):
        if kind == b"ICCP":
            _require(body in _profiles(), "the profile of a WebP")
        elif kind == b"VP8X":
            _require(len(body) == _WEBP_EXTENDED_BYTES and not any(body[1:4]), "the header of a WebP")
        elif kind == b"XMP ":
            packets.append(body)
        else:
            _require(kind in allowed, f"a WebP chunk of the type {kind!r}")
            _require(kind != b"ANIM" or len(body) == _WEBP_ANIMATION_BYTES, "the animation of a WebP")
            if kind == b"ANMF":
                _check_frame(body)
    return packets


def _check_frame(body: bytes) -> None:
    # The last byte of its header has two flags.
    _require(len(body) > _WEBP_FRAME_BYTES and body[_WEBP_FRAME_BYTES - 1] < 4, "a frame of a WebP")
    for kind, _ in _webp_chunks(body, _WEBP_FRAME_BYTES):
        _require(kind in {*_WEBP_PIXELS, b"ALPH"}, f"a WebP chunk of the type {kind!r} in a frame")


def _webp_chunks(data: bytes, position: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and body of the chunks from a position to the end."""
    while position < len(data):
        kind, length = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        body, padding = data[position + 8 : position + 8 + length], length % 2
        position += 8 + length + padding
        _require(position <= len(data) and not (padding and data[position - 1]), "a chunk of a WebP")
        yield kind, body


def _check_avif(data: bytes) -> list[bytes]:
    found = {box.kind: box for box in _boxes(data, 0, len(data), {b"ftyp", b"meta", b"mdat"})}
    _require(found.keys() == {b"ftyp", b"meta", b"mdat"}, "the boxes of an AVIF")
    brands = {b"avif", b"mif1", b"miaf", b"MA1A", b"MA1B"}
    _require(set(bmff.brands(data)) <= brands and not any(data[12:16]), "the brands of an AVIF")
    meta, contents = found[b"meta"], found[b"mdat"]
    for box in _boxes(data, meta.start + 4, meta.end, _META_BOXES):
        body = data[box.start : box.end]
        if box.kind == b"hdlr":
            _require(body == _HANDLER, "the handler of an AVIF")
        elif box.kind == b"iinf":
            _require(_ITEMS.fullmatch(body), "the items of an AVIF")
        elif box.kind == b"iref":
            _require(body == _XMP_REFERENCE, "the references of an AVIF")
        elif box.kind == b"iprp":
            _check_properties(data, box)
    items = bmff.read_items(data)
    places = sorted(place for extents in items.places.values() for place in extents)
    _require(len(places) == len(items.kinds), "the places in an AVIF")
    end = contents.start
    for start, length in places:
        _require(start == end, "the data of an AVIF")
        end += length
    _require(end == contents.end, "the data of an AVIF")
    return [bmff.item_bytes(data, items, item, len(data)) for item, kind in items.kinds.items() if kind == b"mime"]


def _check_properties(data: bytes, properties: bmff.Box) -> None:
    for box in _boxes(data, properties.start, properties.end, {b"ipco", b"ipma"}):
        if box.kind == b"ipco":
            for each in _boxes(data, box.start, box.end, _PROPERTIES):
                body = data[each.start : each.end]
                if each.kind == b"colr":
                    coded = body[:4] == b"nclx" and len(body) == 11
                    _require(coded or (body[:4] == b"prof" and body[4:] in _profiles()), "the profile of an AVIF")


def _boxes(data: bytes, start: int, end: int, allowed: set[bytes]) -> Iterator[bmff.Box]:
    """Yield the boxes of an area; refuse others than the allowed ones, each twice but `colr`, and bytes after them."""
    seen: set[bytes] = set()
    last = start
    for box in bmff.boxes(data, start, end, MetadataBudget()):
        _require(box.kind in allowed, f"an AVIF box of the type {box.kind!r}")
        _require(box.kind not in seen or box.kind == b"colr", f"a second AVIF box of the type {box.kind!r}")
        _require(int.from_bytes(data[box.start - 8 : box.start - 4], "big") == box.end - box.start + 8, "an AVIF box")
        seen.add(box.kind)
        last = box.end
        yield box
    _require(last == end, "the bytes after an AVIF box")


@functools.cache
def _profiles() -> frozenset[bytes]:
    return frozenset({profiles.display_p3(), profiles.adobe_rgb()})


def _require(condition: object, part: str) -> None:
    if not condition:
        raise ForeignBytesError(f"{part} is not what the encoder writes")


# Each returns the packets of metadata in a file.
_CHECKS: Mapping[str, Callable[[bytes], list[bytes]]] = {"webp": _check_webp, "avif": _check_avif}
