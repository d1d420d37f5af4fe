"""The steps of an upload over the API: stored before the transaction, created once for each key."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from storage.blobs.file import FileBlobs
from tests.support.api import InspectableServices, running_api
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines


class CountingBlobs(FileBlobs):
    """A file store that counts the files it takes, and can have them meet at one moment."""

    def __init__(self, root: Path, *, together: int = 1) -> None:
        super().__init__(root)
        self.stored = 0
        self._barrier = asyncio.Barrier(together)

    async def put_file(self, key: str, path: Path, *, content_type: str) -> None:
        """Store a file once as many as should meet are here."""
        await self._barrier.wait()
        await super().put_file(key, path, content_type=content_type)
        self.stored += 1


async def test_a_repeat_with_its_key_stores_nothing(services: InspectableServices, tmp_path: Path) -> None:
    """A repeated upload is answered from the key alone, as is one with another photo under the same key."""
    blobs = CountingBlobs(tmp_path / "blobs")
    async with running_api(dataclasses.replace(services, blobs=blobs)) as api:
        ann = await api.user()
        first = await ann.try_upload(photograph(), "one", key="k")
        again = await ann.try_upload(photograph(), "one", key="k")
        assert first.expect(201) == again.expect(201)
        assert (await ann.try_upload(photograph("temple"), "one", key="k")).status == 422
    assert blobs.stored == 1


async def test_uploads_at_once_with_one_key_make_one_photo(services: InspectableServices, tmp_path: Path) -> None:
    """Of four uploads that store the same bytes at the same moment under one key one makes the photo."""
    blobs = CountingBlobs(tmp_path / "blobs", together=4)
    async with running_api(dataclasses.replace(services, blobs=blobs)) as api:
        ann = await api.user()
        responses = await asyncio.gather(*(ann.try_upload(photograph(), "one", key="k") for _ in range(4)))
        assert set(Counter(response.status for response in responses)) <= {201, 409}
        assert len({response.json["id"] for response in responses if response.status == 201}) == 1
        assert len((await ann.call("GET", f"/users/{ann.id}/photos")).expect(200)["items"]) == 1
    assert await services.db.fetchval("SELECT count(DISTINCT event_id) FROM outbox WHERE topic = 'photo.uploaded'") == 1
