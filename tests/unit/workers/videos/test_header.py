"""The header of a video: its type, size, direction and duration, and what is refused before anything is decoded."""

from __future__ import annotations

import struct

import pytest

from tests.support.boxes import box, changed, patched
from tests.support.videos import video
from workers.videos import header, limits
from workers.videos.header import VideoHeader, check_limits, is_video, read_header
from workers.videos.limits import UnsupportedVideoError, VideoError, VideoTooLargeError

MEDIA = (b"moov", b"trak", b"mdia")
TABLES = (*MEDIA, b"minf", b"stbl")
SIDES = 8 + 32  # where width and height are in the box of the descriptions


@pytest.fixture(scope="module")
def short() -> bytes:
    """A video of a second."""
    return video(sound=None)


def test_the_header_says_what_the_video_is(short: bytes) -> None:
    """Type, size, frames and duration are those of the file; a QuickTime file is known by its brand."""
    found = read_header(short)
    assert (found.content_type, found.size, found.frames) == ("video/mp4", (64, 48), 30)
    assert found.seconds == pytest.approx(1, abs=0.1)
    assert read_header(video(sound=None, kind="mov")).content_type == "video/quicktime"


@pytest.mark.parametrize(("turns", "size"), [(1, (48, 64)), (2, (64, 48)), (3, (48, 64))])
def test_the_size_is_that_of_the_upright_video(turns: int, size: tuple[int, int]) -> None:
    """Phones turn the picture by a matrix."""
    found = read_header(video(sound=None, turns=turns))
    assert (found.turns, found.size) == (turns, size)


def test_other_files_are_not_videos() -> None:
    """Playlists, texts, images and other containers are none, whatever they are called."""
    playlists = [b"ffconcat version 1.0\nfile /etc/passwd\n", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"]
    others = [
        b"",
        b"ftyp",
        b"<?xml version='1.0'?><MPD/>",
        b"RIFF\0\0\0\0AVI ",
        b"\x1aE\xdf\xa3webm",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    ]
    assert not [data for data in (*playlists, *others) if is_video(data)]


@pytest.mark.parametrize("length", [40, 2000])
def test_a_cut_off_video_is_refused(short: bytes, length: int) -> None:
    """Also if its header is at its beginning, and only frames are missing."""
    header_at, media_at = short.index(b"moov") - 4, short.index(b"mdat") - 4
    moved = short[:media_at] + short[header_at:] + short[media_at:header_at]
    for data in (short, moved):
        with pytest.raises(VideoError, match="cut off"):
            read_header(data[: len(data) - length] if len(data) > length else data[:20])


def test_references_to_other_files_are_refused(short: bytes) -> None:
    """The data of a QuickTime file may lie elsewhere; here it must be in the file."""
    reference = struct.pack(">II", 0, 1) + box(b"url ", b"\0\0\0\0file:///etc/passwd\0")
    with pytest.raises(UnsupportedVideoError, match="other files"):
        read_header(changed(short, (*MEDIA, b"minf", b"dinf", b"dref"), lambda _: reference))


def test_tables_that_claim_many_samples_are_refused(short: bytes) -> None:
    """A table of equal sizes has any number of samples in twelve bytes, and FFmpeg would make an index of all."""
    with pytest.raises(VideoTooLargeError, match="too many frames"):
        read_header(changed(short, (*TABLES, b"stsz"), lambda _: struct.pack(">III", 0, 1, 0xFFFF_FFFF)))


def test_many_parts_and_tracks_are_refused(short: bytes) -> None:
    """The time to walk through a file is bounded."""
    with pytest.raises(UnsupportedVideoError, match="many parts"):
        read_header(short[:32] + box(b"free") * limits.MAX_BOXES + short[32:])
    track = changed(short, (b"moov",), lambda body: body + body[body.index(b"trak") - 4 :] * limits.MAX_TRACKS)
    with pytest.raises(UnsupportedVideoError, match="tracks"):
        read_header(track)


def test_a_large_header_is_refused_before_it_is_read(short: bytes) -> None:
    """A header of 16 MB says nothing that a short video needs."""
    with pytest.raises(UnsupportedVideoError, match="too large"):
        read_header(changed(short, (b"moov",), lambda body: body + box(b"free", bytes(limits.MAX_HEADER))))


def test_a_file_without_a_picture_is_refused(short: bytes) -> None:
    """Sound alone, or another kind of track, is no video."""
    with pytest.raises(UnsupportedVideoError, match="no video"):
        read_header(changed(short, (*MEDIA, b"hdlr"), patched(8, b"soun")))


def test_a_size_of_nothing_is_refused(short: bytes) -> None:
    """Width and height are there."""
    with pytest.raises(VideoError, match="damaged"):
        read_header(changed(short, (*TABLES, b"stsd"), patched(SIDES, bytes(2))))


@pytest.mark.parametrize("part", [b"mdhd", b"hdlr"])
def test_a_header_that_lacks_a_part_is_refused(short: bytes, part: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(VideoError, match="damaged"):
        read_header(changed(short, MEDIA, lambda body: body.replace(part, b"free")))


def _header(width: int = 1920, height: int = 1080, *, seconds: float = 10, frames: int = 300) -> VideoHeader:
    return VideoHeader(
        content_type=header.MP4, coded_width=width, coded_height=height, turns=0, seconds=seconds, frames=frames
    )


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (_header(seconds=60.6), "60.6 seconds, more than 60"),
        (_header(4097, 100), "more than 4,096 on one side"),
        (_header(frames=limits.MAX_FRAMES + 1), "frames"),
        (_header(3840, 2160, seconds=1, frames=80), "80 frames of 3840 × 2160 pixels a second"),
    ],
)
def test_each_limit_has_a_text(found: VideoHeader, text: str) -> None:
    """Too long, too large, too many frames, too many pixels a second."""
    with pytest.raises(VideoTooLargeError, match=text):
        check_limits(found, max_seconds=60)


@pytest.mark.parametrize(
    "found",
    [
        _header(seconds=60.4, frames=1812),
        _header(4096, 2160, seconds=10, frames=600),
        _header(seconds=10, frames=2400),
        _header(seconds=0, frames=0),
    ],
)
def test_what_cameras_make_is_within_the_limits(found: VideoHeader) -> None:
    """A minute and some frames, 4K with 60 frames, 1080p with 240, and fragments without a duration."""
    check_limits(found, max_seconds=60)
