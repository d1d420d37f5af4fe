"""Texts in the metadata of image files: where they are read, in which order, and that no file fails by them."""

from __future__ import annotations

import struct
import time
from typing import Any

import pytest

from tests.support.pictures import encoded, halves
from tests.support.texts_in_files import file_with_xmp, jpeg_with_resources, photoshop_resources, xmp_packet
from workers.images.decode import decode
from workers.images.limits import MAX_EMBEDDED_TEXT, MAX_XMP
from workers.images.xmp import read_xmp

WHOLE = {
    "alt_text": "A dog on a beach",
    "description": "Rex, 2026 & later",
    "creator": "Ann Ö",
    "rights": "© Ann Ö",
    "web_statement": "https://ann.example/licence",
}
TEXTS = {"caption": WHOLE["description"], **{name: text for name, text in WHOLE.items() if name != "description"}}
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def texts_in(data: bytes) -> dict[str, str]:
    """Return the texts of a file."""
    return decode(data).texts


def exif(**texts: str) -> bytes:
    """Return EXIF with texts of the first block, in UTF-8 as most programs write them."""
    tags = {"description": 0x010E, "artist": 0x013B, "copyright": 0x8298}
    values = {tags[name]: text.encode() + b"\0" * 5 for name, text in texts.items()}
    head, body = struct.pack(">2sHIH", b"MM", 42, 8, len(values)), b""
    start = len(head) + 12 * len(values) + 4
    for tag, value in sorted(values.items()):
        head += struct.pack(">HHII", tag, 2, len(value), start + len(body))
        body += value
    return b"Exif\0\0" + head + bytes(4) + body


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {}), ("WEBP", {}), ("AVIF", {}), ("PNG", {}), ("PNG", {"compressed": True})]
)
def test_a_packet_is_read_from_every_format(kind: str, options: dict[str, Any]) -> None:
    """The texts of an XMP packet are read, in the default language and with all their characters."""
    assert texts_in(file_with_xmp(kind, xmp_packet(**WHOLE), **options)) == TEXTS


def test_properties_are_read_in_each_of_their_forms() -> None:
    """An attribute, plain text and a resource are values, creators are one text, and inner pictures have none."""
    packet = (
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        b'xmlns:r="http://ns.adobe.com/xap/1.0/rights/">'
        b'<rdf:Description><dc:other><rdf:Description dc:rights="no"/></dc:other></rdf:Description>'
        b'<rdf:Description dc:rights=" mine "><dc:description>plain</dc:description>'
        b'<r:WebStatement rdf:resource="https://a.example"/>'
        b"<dc:creator><rdf:Bag><rdf:li>Ann</rdf:li><rdf:li> </rdf:li><rdf:li>Ben</rdf:li></rdf:Bag></dc:creator>"
        b"</rdf:Description></rdf:RDF>"
    )
    assert texts_in(file_with_xmp("JPEG", packet)) == {
        "alt_text": "plain",
        "caption": "plain",
        "creator": "Ann, Ben",
        "rights": "mine",
        "web_statement": "https://a.example",
    }


def test_xmp_comes_before_iptc_and_exif() -> None:
    """Each text is taken from the first source that has it: XMP, IPTC, EXIF."""
    datasets = {120: b"by IPTC", 80: b"IPTC Ann", 116: b"IPTC rights"}
    written = exif(description="by EXIF", artist="EXIF Ann", copyright="EXIF rights")
    jpeg = file_with_xmp("JPEG", xmp_packet(description="by XMP"), exif=written)
    assert texts_in(jpeg_with_resources(photoshop_resources({**datasets, 80: b" "}), jpeg=jpeg)) == {
        "alt_text": "by XMP",
        "caption": "by XMP",
        "creator": "EXIF Ann",
        "rights": "IPTC rights",
    }
    jpeg = encoded(halves(), exif=written)
    assert texts_in(jpeg)["caption"] == "by EXIF"
    assert texts_in(jpeg_with_resources(photoshop_resources(datasets), jpeg=jpeg)) == {
        "alt_text": "by IPTC",
        "caption": "by IPTC",
        "creator": "IPTC Ann",
        "rights": "IPTC rights",
    }


@pytest.mark.parametrize("value", ["© Müller".encode(), "© Müller".encode("latin-1")], ids=["UTF-8", "Latin-1"])
def test_the_encoding_of_iptc_is_recognised(value: bytes) -> None:
    """Texts in UTF-8 and in Latin-1 are read; a block may lie in several segments of the file."""
    for parts in (1, 3):
        resources = photoshop_resources({120: value})
        assert texts_in(jpeg_with_resources(resources, parts=parts))["caption"] == "© Müller"


def test_exif_is_read_as_utf_8() -> None:
    """A description of EXIF keeps its characters, in the encoding that programs use whatever the standard says."""
    assert texts_in(encoded(halves(), exif=exif(description="Żółw 🐢")))["caption"] == "Żółw 🐢"


@pytest.mark.parametrize(
    "packet",
    [
        xmp_packet(head=BOMB, description="&b;"),
        xmp_packet(head='<!DOCTYPE x SYSTEM "file:///etc/passwd">', **WHOLE),
        xmp_packet(extra="<open>", **WHOLE),
        xmp_packet(**WHOLE).decode().encode("utf-16"),
        xmp_packet(**WHOLE)[:500],
        b"<a>" * 20_000 + b"</a>" * 20_000,
        b'<?xml version="1.0" encoding="no-such-encoding"?>\xff',
        b"\0" * 10_000,
        b"",
    ],
    ids=["entities", "a document type", "not well-formed", "UTF-16", "cut off", "deep", "encoding", "zeros", "empty"],
)
def test_a_bad_packet_has_no_texts(packet: bytes) -> None:
    """Entities, damage and other encodings mean that there are no texts; the picture is decoded."""
    for kind in ("WEBP", "AVIF"):
        decoded = decode(file_with_xmp(kind, packet))
        assert (decoded.texts, decoded.width) == ({}, 60)


def test_an_oversized_packet_is_not_parsed() -> None:
    """A packet above the limit has no texts, compressed or not; one below it is read."""
    for kind, compressed in (("WEBP", False), ("AVIF", False), ("PNG", False), ("PNG", True)):
        for padding, expected in ((MAX_XMP // 2, TEXTS), (MAX_XMP, {})):
            packet = xmp_packet(extra=" " * padding, **WHOLE)
            assert texts_in(file_with_xmp(kind, packet, compressed=compressed)) == expected
            assert (read_xmp(packet).alt_text == WHOLE["alt_text"]) is (expected == TEXTS)


@pytest.mark.parametrize(
    "resources",
    [
        b"",
        b"8BIM",
        b"8BIM\x04\x04\0\0\xff\xff\xff\xff\x1c\x02\x78\x00\x05abc",
        b"8BIM\x04\x04\0\0\0\0\0\x05\x1c\x02\x78\xff\xff",
        b"8BIM\x04\x04\xff",
        b"another program",
    ],
)
def test_a_damaged_block_fails_no_picture(resources: bytes) -> None:
    """What is left of a damaged IPTC block is used at most; the picture is decoded."""
    assert texts_in(jpeg_with_resources(resources or b" ")).get("caption") in {None, "abc"}


def test_texts_are_bounded_and_have_no_control_characters() -> None:
    """A long text is cut off, and padding with zeros and line breaks of Windows do not remain."""
    assert len(texts_in(file_with_xmp("WEBP", xmp_packet(description="x" * 100_000)))["caption"]) == MAX_EMBEDDED_TEXT
    resources = photoshop_resources({120: b"one\r\ntwo\x07\0\0\0"})
    assert texts_in(jpeg_with_resources(resources))["caption"] == "one\ntwo"


@pytest.mark.parametrize("part", ["<a/>", " ", "<?xml ?>", "\n<", "<a b='c'/>"])
def test_a_packet_takes_no_time(part: str) -> None:
    """The time that a packet takes grows with its size alone, whatever it repeats."""
    packet = part.encode() * ((MAX_XMP - 1000) // len(part))
    started = time.process_time()
    read_xmp(packet)
    read_xmp(xmp_packet(extra=packet.decode()))
    assert time.process_time() - started < 2
