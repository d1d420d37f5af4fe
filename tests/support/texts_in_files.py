"""Texts in the metadata of image files, as programs write them: XMP packets, IPTC blocks, and files with them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from xml.sax.saxutils import escape

from PIL import PngImagePlugin

from tests.support.pictures import encoded, halves

_LANGUAGES = '<rdf:Alt><rdf:li xml:lang="de">Etwas anderes</rdf:li><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt>'
_PROPERTIES = {
    "alt_text": ("Iptc4xmpCore:AltTextAccessibility", _LANGUAGES),
    "description": ("dc:description", _LANGUAGES),
    "creator": ("dc:creator", "<rdf:Seq><rdf:li>{}</rdf:li></rdf:Seq>"),
    "rights": ("dc:rights", _LANGUAGES),
    "web_statement": ("xmpRights:WebStatement", "{}"),
}
_NAMESPACES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" '
    'xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"'
)


def xmp_packet(*, head: str = "", extra: str = "", **properties: str) -> bytes:
    """Return a packet as Lightroom writes it; `head` comes before it, `extra` into its description."""
    elements = [
        f"<{name}>{form.format(escape(properties[key]))}</{name}>"
        for key, (name, form) in _PROPERTIES.items()
        if key in properties
    ]
    return (
        f'{head}<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF {_NAMESPACES}><rdf:Description rdf:about="">{"".join(elements)}{extra}</rdf:Description></rdf:RDF>'
        f'</x:xmpmeta>{" " * 100}<?xpacket end="w"?>'
    ).encode()


def photoshop_resources(datasets: Mapping[int, bytes]) -> bytes:
    """Return image resources of Photoshop: a thumbnail resource with a name, then an IPTC block with these datasets."""
    block = b"\x1c\x02\x00\x00\x02\x00\x04" + b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(value)) + value for number, value in datasets.items()
    )
    return _resource(0x040C, b"name", b"odd") + _resource(0x0404, b"", block)


def _resource(number: int, name: bytes, body: bytes) -> bytes:
    named = bytes([len(name)]) + name
    named += bytes(len(named) % 2)
    return b"8BIM" + struct.pack(">H", number) + named + struct.pack(">I", len(body)) + body + bytes(len(body) % 2)


def jpeg_with_resources(resources: bytes, *, parts: int = 1, jpeg: bytes | None = None) -> bytes:
    """Return a JPEG with image resources in so many segments."""
    jpeg = jpeg or encoded(halves())
    size = -(-len(resources) // parts)
    segments = [
        b"\xff\xed" + struct.pack(">H", 2 + 14 + len(part)) + b"Photoshop 3.0\0" + part
        for part in (resources[at : at + size] for at in range(0, len(resources), size))
    ]
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def file_with_xmp(kind: str, packet: bytes, *, compressed: bool = False, exif: bytes = b"") -> bytes:
    """Return an image of a kind that Pillow writes, with a packet; `compressed` for PNG."""
    if kind != "PNG":
        return encoded(halves(), kind, xmp=packet, exif=exif)
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("Comment", "another text")
    chunks.add_itxt("XML:com.adobe.xmp", packet.decode(), zip=compressed)
    return encoded(halves(), kind, pnginfo=chunks, exif=exif)
