"""The packet with creator and licence: its one form, and that variants have it, exactly, or are not published."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from storage.blobs.variants import VariantRegistry
from tests.support.texts_in_files import file_with_xmp, xmp_packet
from workers.images.decode import decode, make
from workers.images.published import ForeignBytesError, check
from workers.images.rights import rights_packet
from workers.images.xmp import read_xmp

REGISTRY = VariantRegistry()
ALL = [
    one
    for name in REGISTRY.names
    if (one := REGISTRY.find(name)) is not None and one.format in REGISTRY.formats and not one.motion
]
TEXTS = {"creator": "Ann Ö & Co", "rights": "© Ann <all rights>", "web_statement": "https://ann.example/l?a=1&b=2"}
ORIGINAL = file_with_xmp("JPEG", xmp_packet(description="A secret note", **TEXTS))
PACKET = rights_packet(TEXTS)


def test_the_packet_has_the_three_properties_and_nothing_else() -> None:
    """Any reader of XMP finds what the file named; the packet is small."""
    found = read_xmp(PACKET)
    assert (found.creator, found.rights, found.web_statement) == tuple(TEXTS.values())
    assert (found.alt_text, found.description) == ("", "")
    assert rights_packet({**TEXTS, "caption": "A secret note", "alt_text": "x"}) == PACKET
    assert len(rights_packet({"creator": "Ann", "rights": "© Ann", "web_statement": "https://ann.example"})) < 500


def test_without_rights_there_is_no_packet() -> None:
    """A file that names neither creator nor licence leads to no packet."""
    assert rights_packet({"caption": "x"}) == b""
    assert rights_packet({"creator": " \n "}) == b""


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "ftp://ann.example", "https://ann.example/a b", "https://" + "x" * 400]
)
def test_only_a_web_address_is_a_statement(address: str) -> None:
    """What is no address on the web, or a very long one, is left out."""
    assert rights_packet({"web_statement": address}) == b""


def test_texts_are_one_short_line() -> None:
    """Line breaks become spaces, control characters are dropped, and a long text is cut."""
    found = read_xmp(rights_packet({"creator": "Ann\n and\tBen\u200b", "rights": "x" * 1000}))
    assert found.creator == "Ann and Ben"
    assert len(found.rights) == 400


def test_every_variant_has_the_packet() -> None:
    """Variants of each format have the packet of the file, and Pillow reads it; they are decoded to the same pixels."""
    with_rights, texts = make(ORIGINAL, ALL, rights=True)
    without, _ = make(ORIGINAL, ALL)
    assert rights_packet(texts) == PACKET
    for name, data in with_rights.items():
        check(data, name.rpartition(".")[2], PACKET)
        check(without[name], name.rpartition(".")[2])
        assert data.count(PACKET) == 1
        assert b"secret" not in data
        images = [Image.open(io.BytesIO(each)) for each in (data, without[name])]
        assert images[0].info["xmp"] == PACKET
        assert images[0].tobytes() == images[1].tobytes()
    decoded = decode(ORIGINAL, rights=True)
    assert decoded.variants == {name: with_rights[name] for name in REGISTRY.eager}
    assert (decoded.rights, decode(ORIGINAL).rights) == (True, False)


@pytest.mark.parametrize("format_", REGISTRY.formats)
def test_another_packet_is_refused(format_: str) -> None:
    """A packet that is missing, not expected, or differs in one character is refused."""
    variants = [one for one in ALL if one.side == 320 and one.format == format_]
    ((_, data),) = make(ORIGINAL, variants, rights=True)[0].items()
    ((_, bare),) = make(ORIGINAL, variants)[0].items()
    check(data, format_, PACKET)
    other = PACKET.replace(b"Ann", b"Eve")
    for altered, expected in ((data, b""), (bare, PACKET), (data, other), (data.replace(PACKET, other), PACKET)):
        with pytest.raises(ForeignBytesError):
            check(altered, format_, expected)


def test_a_second_packet_is_refused() -> None:
    """The packet is there once, also if a second one is equal."""
    variants = [one for one in ALL if one.side == 320 and one.format != "avif"]
    files, _ = make(ORIGINAL, variants, rights=True)
    jpeg, webp = files["320.jpg"], files["320.webp"]
    start = jpeg.index(b"\xff\xe1")
    segment = jpeg[start : start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big")]
    chunk = webp[webp.index(b"XMP ") :]
    twice = webp + chunk
    for data, format_ in (
        (jpeg[:start] + segment + jpeg[start:], "jpg"),
        (twice[:4] + (len(twice) - 8).to_bytes(4, "little") + twice[8:], "webp"),
    ):
        with pytest.raises(ForeignBytesError, match="metadata"):
            check(data, format_, PACKET)


def test_a_packet_of_an_avif_describes_its_pixels() -> None:
    """The entries that connect the packet with the image are those of the encoder."""
    variants = [one for one in ALL if one.side == 320 and one.format == "avif"]
    ((_, data),) = make(ORIGINAL, variants, rights=True)[0].items()
    for old, new in (
        (b"cdsc\0\x02\0\x01\0\x01", b"cdsc\0\x02\0\x01\0\x07"),
        (b"mimeXMP\0", b"mimeEve\0"),
        (b"rdf+xml", b"text/me"),
    ):
        assert data.count(old) == 1
        with pytest.raises(ForeignBytesError):
            check(data.replace(old, new), "avif", PACKET)
