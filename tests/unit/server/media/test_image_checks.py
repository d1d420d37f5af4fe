"""Errors of an upload's header, for the client."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.edge.problem import ProblemError
from server.media.image_checks import UploadLimits, checked_remote_header

LIMITS = UploadLimits(max_bytes=25_000_000, max_pixels=1_000_000)
WEBM = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01"


@pytest.mark.parametrize("size", [1_000, 300_000], ids=["short", "longer than most headers"])
@pytest.mark.parametrize("videos", [False, True])
async def test_an_object_of_another_type(size: int, *, videos: bool) -> None:
    """The error names videos where the object could have been one."""

    async def chunks() -> AsyncIterator[bytes]:
        yield WEBM.ljust(size, b"\0")

    with pytest.raises(ProblemError) as caught:
        await checked_remote_header(chunks(), LIMITS, videos=videos)
    assert caught.value.status == 415
    assert ("or an MP4 or QuickTime video." in caught.value.detail) == videos
