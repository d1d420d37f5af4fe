"""What is measured of uploads, by the way on which their bytes arrive."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import pytest

from tests.integration.server.api import test_signed_uploads as signed
from tests.integration.server.api import test_tus as tus
from tests.integration.server.api.test_signed_uploads import PHOTO
from tests.support.api import InspectableServices, running_api

pytestmark = pytest.mark.engines


@dataclass
class Recorded:
    """The uploads that were recorded, and for how long they lasted."""

    uploads: list[tuple[str, int]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def upload_received(self, *, way: str, seconds: float, size: int) -> None:
        """Record an upload."""
        self.uploads.append((way, size))
        self.seconds.append(seconds)


async def test_each_way_is_recorded_once_its_bytes_are_complete(services: InspectableServices) -> None:
    """A form when it was received, tus with its last byte, a signed upload when it becomes a photo; avatars, too."""
    recorded = Recorded()
    async with running_api(dataclasses.replace(services, upload_metrics=recorded)) as api:
        ann = await api.user()
        await ann.upload(PHOTO)
        assert recorded.uploads == [("form", len(PHOTO))]
        path = await tus.create(ann)
        await tus.patch(ann, path, 0, PHOTO[:1000])
        await tus.patch(ann, path, 1000, b"")
        assert len(recorded.uploads) == 1
        await tus.patch(ann, path, 1000, PHOTO[1000:])
        assert recorded.uploads[1:] == [("tus", len(PHOTO))]
        upload = await signed.announce(ann)
        await signed.send(api, upload)
        assert len(recorded.uploads) == 2
        (await signed.post(ann, upload)).expect(201)
        (await signed.post(ann, upload)).expect(409)
        assert recorded.uploads[2:] == [("signed", len(PHOTO))]
    assert all(0 <= seconds < 60 for seconds in recorded.seconds)
