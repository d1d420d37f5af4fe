"""The check of a video before it is published: nothing but coded pictures, sound and numbers."""

from __future__ import annotations

import struct

import pytest

from tests.support.boxes import Change, box, changed, patched
from tests.support.videos import video
from workers.images.published import ForeignBytesError
from workers.videos import make, published

MEDIA = (b"moov", b"trak", b"mdia")
TABLES = (*MEDIA, b"minf", b"stbl")
SEI = struct.pack(">I", 6) + b"\x06\x05abcd"


@pytest.fixture(scope="module")
def file() -> bytes:
    """A video as it is served."""
    return make.make(video(), max_seconds=60).file


def test_what_is_made_may_be_published(file: bytes) -> None:
    """The picture comes first, then the sound."""
    picture, sound = published.check(file)
    assert (picture.width, picture.height, sound.channels, sound.rate) == (64, 48, 2, 48_000)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ((b"ftyp",), lambda body: body + b"text"),
        ((b"moov",), lambda body: body + box(b"udta", b"text")),
        ((b"moov",), lambda body: body + box(b"free", b"text")),
        ((b"moov", b"mvhd"), patched(4, b"text")),
        ((b"moov", b"trak"), lambda body: body + box(b"meta", b"text")),
        ((b"moov", b"trak", b"tkhd"), patched(4, b"text")),
        ((*MEDIA, b"mdhd"), patched(4, b"text")),
        ((*MEDIA, b"hdlr"), lambda body: body[:-1] + b"text\0"),
        ((*TABLES, b"stsd"), lambda body: body + b"text"),
        ((*TABLES, b"stsz"), lambda body: body + b"text"),
        ((*TABLES, b"stts"), lambda body: body + b"text"),
        ((*TABLES, b"stco"), patched(8, b"\0\0\0\x01")),
        ((b"mdat",), lambda body: body + b"text"),
    ],
)
def test_bytes_in_any_other_place_are_refused(file: bytes, path: tuple[bytes, ...], change: Change) -> None:
    """In boxes, between them, and behind the media data."""
    with pytest.raises(ForeignBytesError):
        published.check(changed(file, path, change))


@pytest.mark.parametrize("rest", [b"PK\x03\x04", b"<html>", box(b"free", b"text"), bytes(8)])
def test_bytes_behind_the_file_are_refused(file: bytes, rest: bytes) -> None:
    """Nothing follows the media data."""
    with pytest.raises(ForeignBytesError):
        published.check(file + rest)


def test_other_units_in_the_picture_are_refused(file: bytes) -> None:
    """A sample that begins with a text of an encoder (SEI) is none of ours."""
    at = file.index(b"mdat") + 4
    first = int.from_bytes(file[at : at + 4], "big")
    short = struct.pack(">I", first - len(SEI)) + file[at + 4 : at + 4 + first - len(SEI)]
    with pytest.raises(ForeignBytesError, match="a picture"):
        published.check(file[:at] + SEI + short + file[at + 4 + first :])


def test_parameters_with_more_in_them_are_refused(file: bytes) -> None:
    """The configuration is the one that follows from the parameters."""
    with pytest.raises(ForeignBytesError):
        published.check(file.replace(b"\xfd\xf8\xf8\x00", b"\xfd\xf8\xf8\x01"))


def test_tables_of_other_lengths_are_refused(file: bytes) -> None:
    """A run may claim any number of samples, and is not expanded before that is known."""
    with pytest.raises(ForeignBytesError, match="structure"):
        published.check(changed(file, (*TABLES, b"stts"), patched(8, b"\xff\xff\xff\xff")))


@pytest.mark.parametrize("data", [b"", b"\0\0\0\x08moov", b"text", bytes(100)])
def test_what_is_no_mp4_is_refused(data: bytes) -> None:
    """It has no tracks."""
    with pytest.raises(ForeignBytesError):
        published.check(data)


def test_each_part_cut_off_is_refused(file: bytes) -> None:
    """At every hundredth byte."""
    for length in range(0, len(file), 100):
        with pytest.raises(ForeignBytesError):
            published.check(file[:length])


def test_sound_that_begins_with_other_data_is_refused(file: bytes) -> None:
    """A fill element before the sound may have any bytes in it."""
    sound = published.check(file)[1]
    first = make.make(video(), max_seconds=60).file
    position = file.index(b"mdat") + 4 + sum(published.check(first)[0].sizes)
    assert sound.sizes[0] > 0
    with pytest.raises(ForeignBytesError, match="sound"):
        published.check(file[:position] + b"\xc0" + file[position + 1 :])
