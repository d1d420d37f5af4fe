"""From a video to the one that is played: copied or encoded again, without metadata, and with a poster."""

from __future__ import annotations

import io
import os
from typing import Any

import av
import pytest
from PIL import Image

from tests.support.boxes import changed, patched
from tests.support.videos import SECRET, coded_pictures, frames, sound_packets, video
from workers.images.decode import ImageRejectedError
from workers.videos import make, published
from workers.videos.make import Made

TABLES = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
GROUND = (220, 180, 60)


def made(data: bytes) -> Made:
    """Return what is made of a video, after the check of published bytes."""
    result = make.make(data, max_seconds=60)
    published.check(result.file)
    return result


def stream_of(data: bytes) -> dict[str, Any]:
    """Return what FFmpeg finds in a file."""
    with av.open(io.BytesIO(data), "r") as container:
        (picture,) = container.streams.video
        context = picture.codec_context
        return {
            "codecs": [stream.codec_context.name for stream in (*container.streams.video, *container.streams.audio)],
            "pixels": context.pix_fmt,
            "profile": context.profile,
            "size": (context.width, context.height),
            "frames": picture.frames,
            "seconds": (container.duration or 0) / 1_000_000,
            "trc": context.color_trc,
            "metadata": {**container.metadata, **picture.metadata},
        }


def heard(data: bytes) -> list[bytes]:
    """Return the decoded sound."""
    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(plane) for frame in container.decode(audio=0) for plane in frame.planes]


def near(colour: Any, other: tuple[int, int, int], tolerance: int = 16) -> bool:
    """Return whether two colours are nearly the same."""
    return all(abs(one - two) <= tolerance for one, two in zip(colour, other, strict=True))


@pytest.mark.parametrize("kind", ["mp4", "mov"])
def test_what_browsers_play_is_copied(kind: str) -> None:
    """The coded pictures and the sound are the same bytes, in a file whose header comes first."""
    data = video(kind=kind)
    file = made(data).file
    assert coded_pictures(file) == coded_pictures(data)
    assert heard(file) == heard(data)
    assert sound_packets(file)[1:] == sound_packets(data)[1:]  # the first one has the name of the encoder
    assert [one.tobytes() for one in frames(file)] == [one.tobytes() for one in frames(data)]
    assert file.index(b"moov") < file.index(b"mdat")
    found = stream_of(file)
    assert (found["codecs"], found["frames"], found["size"]) == (["h264", "aac"], 30, (64, 48))
    assert found["seconds"] == pytest.approx(1, abs=0.05)


def test_nothing_but_picture_and_sound_is_left() -> None:
    """Titles, places, dates and encoders' texts are in the original alone, also those within the streams."""
    data = video(kind="mov", metadata={"title": SECRET, "location": "+52.5+013.4/", "creation_time": "2026-11-20"})
    assert all(text in data for text in (SECRET.encode(), b"x264 - core", b"Lavf"))
    file = made(data).file
    assert not [text for text in (SECRET.encode(), b"x264", b"Lav", b"52.5", b"udta", b"meta") if text in file]
    assert set(stream_of(file)["metadata"]) <= {
        "major_brand",
        "minor_version",
        "compatible_brands",
        "language",
        "handler_name",
        "vendor_id",
    }


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx265", {}),
        ("libx265", {"pixels": "yuv420p10le"}),
        ("libvpx-vp9", {}),
        ("libsvtav1", {}),
        ("libx264", {"pixels": "yuv420p10le"}),
        ("libx264", {"pixels": "yuv444p"}),
        ("mpeg4", {}),
        ("mjpeg", {"pixels": "yuvj420p", "kind": "mov"}),
        ("prores_ks", {"pixels": "yuv422p10le", "kind": "mov"}),
    ],
)
def test_everything_else_is_encoded_again(codec: str, options: dict[str, Any]) -> None:
    """HEVC, VP9, AV1, older codecs, and more than eight bits become H.264 with eight bits in the same colours."""
    data = video(codec, sound=None, **options)
    result = made(data)
    found = stream_of(result.file)
    assert (found["codecs"], found["pixels"], found["frames"]) == (["h264"], "yuv420p", 30)
    assert near(frames(result.file)[10].getpixel((2, 40)), GROUND)
    assert near(Image.open(io.BytesIO(result.poster)).getpixel((2, 40)), GROUND)


@pytest.mark.parametrize(
    ("sound", "channels", "kind"),
    [("libopus", "stereo", "mp4"), ("pcm_s16le", "mono", "mov"), ("aac", "5.1", "mp4"), ("mp2", "stereo", "mp4")],
)
def test_other_sound_is_encoded_again(sound: str, channels: str, kind: str) -> None:
    """The picture is copied all the same; more than two channels become two."""
    data = video(sound=sound, channels=channels, kind=kind)
    file = made(data).file
    assert coded_pictures(file) == coded_pictures(data)
    assert stream_of(file)["codecs"] == ["h264", "aac"]
    with av.open(io.BytesIO(file), "r") as container:
        decoded = list(container.decode(audio=0))
        assert container.streams.audio[0].codec_context.layout.nb_channels <= 2
    assert sum(frame.samples for frame in decoded) / 48_000 == pytest.approx(1, abs=0.1)


def test_a_large_video_becomes_720p() -> None:
    """More than 1080p is made smaller; the shorter side has 720 pixels at most, upright or not."""
    for turns in (0, 1):
        result = made(video("libx264", size=(2560, 1440), seconds=0.2, sound=None, turns=turns))
        assert stream_of(result.file)["size"] == (1280, 720)
        assert published.check(result.file)[0].turns == turns
    assert stream_of(made(video(size=(1920, 1080), seconds=0.1, sound=None)).file)["size"] == (1920, 1080)


def test_many_frames_become_thirty_a_second() -> None:
    """What is encoded again has every second of 60 frames; what is copied has all."""
    assert stream_of(made(video("libx265", rate=60, sound=None)).file)["frames"] == 30
    assert stream_of(made(video("libx264", rate=60, sound=None)).file)["frames"] == 60


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_turned_video_stays_upright(codec: str, turns: int) -> None:
    """Players turn it as they turned the original, and its poster is turned."""
    result = made(video(codec, turns=turns, sound=None, seconds=0.2))
    with av.open(io.BytesIO(result.file), "r") as container:
        assert next(container.decode(video=0)).rotation % 360 == -90 * turns % 360
    poster = Image.open(io.BytesIO(result.poster))
    assert poster.size == ((48, 64) if turns % 2 else (64, 48))
    # The blue square is at the upper left of the coded picture.
    at = {1: (48 - 18, 6), 2: (64 - 6, 48 - 18), 3: (18, 64 - 6)}[turns]
    assert near(poster.getpixel(at), (30, 30, 220), 40)


@pytest.mark.parametrize(("black", "ground"), [(0, GROUND), (10, GROUND), (30, (0, 0, 0))])
def test_the_poster_is_the_first_frame_that_is_not_dark(black: int, ground: tuple[int, int, int]) -> None:
    """Or the first one, if all are."""
    poster = Image.open(io.BytesIO(made(video(black=black, sound=None)).poster))
    assert near(poster.getpixel((60, 44)), ground)


@pytest.mark.parametrize("transfer", [16, 18])
def test_a_high_dynamic_range_becomes_the_standard_one(transfer: int) -> None:
    """PQ and HLG of phones are converted, and not shown dull."""
    data = video("libx265", pixels="yuv420p10le", colours=(9, transfer, 9), sound=None, seconds=0.1)
    result = made(data)
    assert stream_of(result.file)["trc"] == 1
    shown: Any = frames(result.file)[0]
    red, _, blue = shown.getpixel((2, 40))
    assert red - blue > 170  # 160 in the original, whose colour space is wider


def test_a_video_that_is_longer_than_its_header_says_is_rejected() -> None:
    """The times of the frames count."""
    data = video(seconds=62, rate=4, sound=None)
    for head in ((b"moov", b"mvhd"), (b"moov", b"trak", b"mdia", b"mdhd")):
        data = changed(data, head, patched(16, bytes(4)))
    with pytest.raises(ImageRejectedError, match="more than 60 seconds"):
        make.make(data, max_seconds=60)


def test_a_minute_is_accepted() -> None:
    """To the last frame."""
    assert (
        stream_of(made(video(seconds=60, rate=25, sound=None, options={"preset": "ultrafast"})).file)["frames"] == 1500
    )


def test_frames_larger_than_the_header_says_are_rejected() -> None:
    """What the codec says counts, too."""
    data = video(size=(4112, 64), seconds=0.1, sound=None)
    lying = changed(data, (*TABLES, b"stsd"), patched(40, b"\0\x40\0\x30"))
    with pytest.raises(ImageRejectedError, match="4112"):
        make.make(lying, max_seconds=60)


@pytest.mark.parametrize(
    "data", [b"", b"ffconcat version 1.0\nfile x.mp4\n", b"#EXTM3U\n", b"\0\0\0\x18ftypisom\0\0\0\0isommp42"]
)
def test_what_is_no_video_is_rejected(data: bytes) -> None:
    """FFmpeg gets nothing that does not begin as MP4, and that only by its reader of MP4."""
    with pytest.raises(ImageRejectedError):
        make.make(data, max_seconds=60)


def test_a_playlist_behind_the_beginning_of_an_mp4_is_rejected() -> None:
    """The reader is fixed, whatever the rest of the file looks like."""
    with pytest.raises(ImageRejectedError):
        make.make(video(sound=None)[:32] + b"\nffconcat version 1.0\nfile /etc/passwd\n", max_seconds=60)


@pytest.mark.parametrize("kind", ["zeros", "noise"])
def test_damaged_media_data_end_in_a_rejection_or_a_file(kind: str) -> None:
    """Whatever the frames are, the result is one that may be published, or none."""
    data = video("libx265")
    at = data.index(b"mdat") + 4
    junk = bytes(400) if kind == "zeros" else bytes((number * 73 + 11) % 256 for number in range(400))
    try:
        result = make.make(data[:at] + junk + data[at + 400 :], max_seconds=60)
    except ImageRejectedError:
        return
    published.check(result.file)


def test_making_a_video_for_tests_changes_no_priority() -> None:
    """No encoder leaves this process with a real-time priority, at which nothing else on the machine would run."""
    before = os.sched_getscheduler(0)
    video("libsvtav1", sound=None)
    assert os.sched_getscheduler(0) == before
