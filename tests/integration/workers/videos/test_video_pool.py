"""Decoder processes for videos, in the real sandbox: FFmpeg works there, and costs no more than is allowed."""

from __future__ import annotations

import io
import struct
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import av
import pytest
import pytest_asyncio
from PIL import Image

from storage.blobs.variants import VariantRegistry
from tests.support.boxes import box
from tests.support.videos import coded_pictures, video
from workers.images import sandbox
from workers.images.decode import ImageRejectedError
from workers.images.pool import Decoder
from workers.images.published import ForeignBytesError
from workers.images.responses import InvalidResponseError
from workers.videos import make
from workers.videos.limits import VideoLimits
from workers.videos.pool import VideoDecoder, video_of


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def decoder() -> AsyncIterator[VideoDecoder]:
    """One process for all tests here, as a worker has it."""
    pool = VideoDecoder()
    yield pool
    await pool.close()


def stored(folder: Path, data: bytes) -> Path:
    """Return a file with these bytes."""
    path = folder / "original"
    path.write_bytes(data)
    return path


@pytest.mark.asyncio(loop_scope="module")
async def test_a_video_is_copied_in_the_sandbox(decoder: VideoDecoder, tmp_path: Path) -> None:
    """All layers of the sandbox are active, and the images are made of the poster by the same process."""
    data = video(turns=1)
    made = await decoder.make(stored(tmp_path, data))
    assert (made.width, made.height) == (48, 64)
    assert made.seconds == pytest.approx(1, abs=0.05)
    assert coded_pictures(made.file) == coded_pictures(data)
    images = await decoder.images.variants(stored(tmp_path, made.poster), VariantRegistry().eager_variants)
    assert (images.width, images.height) == (48, 64)
    assert decoder.images._layers == frozenset(sandbox.LAYERS)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx265", {"sound": "libopus"}),
        ("libx265", {"pixels": "yuv420p10le", "colours": (9, 18, 9)}),
        ("libvpx-vp9", {}),
        ("libsvtav1", {}),
        ("prores_ks", {"pixels": "yuv422p10le", "kind": "mov", "sound": "pcm_s16le"}),
        ("mpeg4", {"sound": "mp2"}),
        ("libx265", {"size": (3840, 2160), "seconds": 0.1}),
    ],
)
async def test_every_coding_is_encoded_again_in_the_sandbox(
    decoder: VideoDecoder, tmp_path: Path, codec: str, options: dict[str, Any]
) -> None:
    """Nothing that a codec needs has to be loaded or opened there."""
    made = await decoder.make(stored(tmp_path, video(codec, **options)))
    with av.open(io.BytesIO(made.file), "r") as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in container.decode(video=0)) > 0


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("data", [b"ffconcat version 1.0\nfile /etc/passwd\n", b"#EXTM3U\nfile:///etc/passwd\n"])
async def test_a_playlist_is_rejected(decoder: VideoDecoder, tmp_path: Path, data: bytes) -> None:
    """Whatever its name is."""
    with pytest.raises(ImageRejectedError, match="not a video"):
        await decoder.make(stored(tmp_path, data))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_header_of_many_boxes_ends_in_a_rejection(decoder: VideoDecoder, tmp_path: Path) -> None:
    """Sixteen megabytes of empty boxes in the header, nested or not."""
    data = video(sound=None)
    nested = b""
    for _ in range(2000):
        nested = box(b"trak", nested)
    for junk in (box(b"free") * 1_000_000, nested):
        header = box(b"moov", junk)
        with pytest.raises(ImageRejectedError):
            await decoder.make(stored(tmp_path, data[: data.index(b"moov") - 4] + header))


@pytest.mark.asyncio(loop_scope="module")
async def test_pictures_that_claim_a_huge_size_end_in_a_rejection(decoder: VideoDecoder, tmp_path: Path) -> None:
    """The codec's own size counts, and memory is bounded; the process goes on with the next video."""
    huge = video(size=(4608, 4320), seconds=0.04, sound=None, options={"preset": "ultrafast"})
    at = huge.index(struct.pack(">HH", 4608, 4320), huge.index(b"stsd"))
    lying = huge[:at] + struct.pack(">HH", 64, 48) + huge[at + 4 :]
    with pytest.raises(ImageRejectedError):
        await decoder.make(stored(tmp_path, lying))
    assert (await decoder.make(stored(tmp_path, video()))).width == 64


async def test_a_video_is_rejected_at_its_deadline(tmp_path: Path) -> None:
    """A video that takes too long is not tried again."""
    pool = VideoDecoder(videos=VideoLimits(deadline=0.05))
    try:
        await pool.images.start()
        with pytest.raises(ImageRejectedError, match="the video takes too long"):
            await pool.make(
                stored(tmp_path, video("libx265", size=(1280, 720), seconds=3, options={"preset": "ultrafast"}))
            )
    finally:
        await pool.close()


async def test_the_processor_time_of_a_video_counts(tmp_path: Path) -> None:
    """A process that is slow because of others may take longer than the deadline."""
    asked: list[tuple[Mapping[str, Any], float]] = []

    class Asked(Decoder):
        async def respond(self, original: Path, request: Mapping[str, Any], **options: Any) -> Any:
            asked.append((request, options["allow"]("video/mp4")))

    pool = VideoDecoder(videos=VideoLimits(deadline=90.5, max_seconds=30))
    pool.images = Asked()
    await pool.make(tmp_path)
    assert asked == [({"max_seconds": 30, "seconds": 91}, 452.5)]


def test_responses_of_another_form_are_refused() -> None:
    """What a process that a video has taken over responds is not stored."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    poster = buffer.getvalue()
    for response in (
        {},
        {"video": b""},
        {"video": {"file": b"", "poster": "text"}},
        {"video": {"file": b"", "poster": b"<html>"}},
        {"video": {"file": b"", "poster": poster, "more": 1}},
    ):
        with pytest.raises(InvalidResponseError):
            video_of(response)
    with pytest.raises(ForeignBytesError):
        video_of({"video": {"file": b"<html>", "poster": poster}})
    file = make.make(video(seconds=0.1), max_seconds=60).file
    assert video_of({"video": {"file": file, "poster": poster}}).width == 64
    with pytest.raises(ForeignBytesError):
        video_of({"video": {"file": file, "poster": poster + b"<html>"}})
