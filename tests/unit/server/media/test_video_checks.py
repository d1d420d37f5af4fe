"""Videos in a remote store: their header is read by ranges, wherever it is in the file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from server.edge.problem import ProblemError
from server.media.video_checks import HEAD, VideoUploadLimits, checked_remote_video, is_video
from storage.blobs.port import Blob
from tests.support.boxes import box
from tests.support.videos import video
from workers.videos import make

LIMITS = VideoUploadLimits(accepted=True)


class Remote:
    """An object without a local file, and the ranges of it that were read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read = 0

    @property
    def blob(self) -> Blob:
        """The object as the store returns it."""

        async def chunks(start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
            piece = self.data[start:end]
            self.read += len(piece)
            yield piece

        return Blob(size=len(self.data), content_type="", modified=datetime.now(UTC), path=None, chunks=chunks)

    async def check(self, limits: VideoUploadLimits = LIMITS) -> tuple[str, int, int]:
        """Return type and size of the video."""
        header = await checked_remote_video(self.blob, self.data[:HEAD], limits)
        return header.content_type, header.width, header.height


async def test_the_header_is_found_behind_the_media_data() -> None:
    """Of the media data nothing is read, however long they are."""
    data = video(sound=None, turns=1)
    at = data.index(b"mdat") - 4
    remote = Remote(data[:at] + box(b"free", bytes(5_000_000)) + data[at:])
    assert await remote.check() == ("video/mp4", 48, 64)
    assert remote.read < 3000


async def test_the_header_is_found_before_the_media_data() -> None:
    """As in the files of this service."""
    assert await Remote(make.make(video(), max_seconds=60).file).check() == ("video/mp4", 64, 48)


@pytest.mark.parametrize("cut", [20, 36, 1000])
async def test_a_cut_off_video_is_refused(cut: int) -> None:
    """Within a box, or within the head of one."""
    with pytest.raises(ProblemError) as caught:
        await Remote(video(sound=None)[: -cut if cut == 1000 else cut]).check()
    assert (caught.value.status, caught.value.code) == (422, "video_corrupt")


async def test_limits_hold_for_remote_videos() -> None:
    """The duration of the settings, and whether videos are accepted."""
    for limits, status in (
        (VideoUploadLimits(max_seconds=0.2, accepted=True), 413),
        (VideoUploadLimits(accepted=False), 415),
    ):
        with pytest.raises(ProblemError) as caught:
            await Remote(video(sound=None)).check(limits)
        assert caught.value.status == status


@pytest.mark.parametrize("brands", [b"heicmif1heic", b"avifmif1miaf", b"avismsf1iso8"])
def test_an_image_sequence_is_no_video(brands: bytes) -> None:
    """HEIC and AVIF are the same container, and some of them name a brand of videos, too."""
    assert not is_video(box(b"ftyp", brands[:4] + bytes(4) + brands[4:]))
