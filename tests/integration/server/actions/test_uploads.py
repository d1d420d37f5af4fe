"""What uploads leave in the store of blobs when they fail."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from server.actions.uploads import UploadActions
from storage.blobs.file import FileBlobs
from storage.blobs.keys import incoming_key, incoming_prefix
from storage.blobs.port import BlobInfo
from storage.blobs.presign import Presigner, SignedRequest
from storage.errors import ConflictError, NotFoundError
from storage.ids import encode
from storage.postgres.database import Database
from storage.stores.photos import uploads
from storage.stores.photos.uploads import UploadWay
from tests.support.community import new_user

pytestmark = pytest.mark.engines

SHA256 = hashlib.sha256(b"part").hexdigest()


class _Announced:
    """A presigner that keeps the time that it was asked for, in seconds."""

    expires_in = 0

    def presign_put(self, key: str, *, content_type: str, size: int, sha256: str, expires_in: int) -> SignedRequest:
        """Return a request to nowhere."""
        self.expires_in = expires_in
        return SignedRequest(method="PUT", url=key, headers={"Content-Type": content_type})


class _Dishonest(FileBlobs):
    """A store that has verified another hash than that of the signature."""

    async def head(self, key: str) -> BlobInfo:
        """Return what is known of an object."""
        return dataclasses.replace(await super().head(key), sha256="0" * 64)


async def test_how_long_uploads_wait(database: Database, tmp_path: Path) -> None:
    """A signed request is valid for 15 minutes, its upload for 45; a resumable one for a day, and a lease for 10 s."""
    presigner = _Announced()
    actions = UploadActions(database, FileBlobs(tmp_path / "blobs"), presigner)
    ann = await new_user(database, "ann")
    signed, _ = await actions.announce_signed(ann.id, content_type="image/png", size=4, sha256=SHA256)
    resumable = await actions.announce_resumable(ann.id, size=4, metadata="", sha256=None)
    assert await actions.begin_part(resumable) is not None
    leased_until = await database.fetchval("SELECT lease_until FROM uploads WHERE id = $1", resumable.id)
    assert presigner.expires_in == 15 * 60
    now = datetime.now(UTC)
    for until, wait in (
        (signed.expires_at, timedelta(minutes=45)),
        (resumable.expires_at, timedelta(days=1)),
        (leased_until, timedelta(seconds=10)),
    ):
        assert now < until <= now + wait


async def test_a_part_of_a_lost_lease_leaves_nothing(database: Database, tmp_path: Path) -> None:
    """A request that was too slow stores its part and finds another one in its place: its own object is deleted."""
    blobs, part = FileBlobs(tmp_path / "blobs"), tmp_path / "part"
    actions = UploadActions(database, blobs, cast(Presigner, None))
    ann = await new_user(database, "ann")
    upload = await actions.announce_resumable(ann.id, size=4, metadata="", sha256=None)
    slow = await actions.begin_part(upload)
    await database.fetch("UPDATE uploads SET lease_until = now() - interval '1 s'")
    other = await actions.begin_part(upload)
    assert slow is not None
    assert other is not None
    for lease, recorded, objects in ((slow, False, 0), (other, True, 1)):
        part.write_bytes(b"part")
        assert await actions.end_part(upload, lease, part, size=4) == recorded
        assert len([blob async for blob in blobs.list("incoming/")]) == objects


async def test_bytes_of_an_unknown_upload_are_not_stored(database: Database, tmp_path: Path) -> None:
    """A signed request may arrive after its upload was ended."""
    blobs, part = FileBlobs(tmp_path / "blobs"), tmp_path / "part"
    part.write_bytes(b"part")
    actions = UploadActions(database, blobs, cast(Presigner, None))
    with pytest.raises(NotFoundError):
        await actions.receive_signed(5, part, content_type="image/png")
    assert [blob async for blob in blobs.list("incoming/")] == []


async def test_a_signed_upload_is_one_object(database: Database, tmp_path: Path) -> None:
    """Of the bytes of a signed request one object remains, and another one is refused that is not as announced."""
    blobs, part = FileBlobs(tmp_path / "blobs"), tmp_path / "part"
    actions = UploadActions(database, blobs, cast(Presigner, None))
    ann = await new_user(database, "ann")
    for size in (4, 5):
        async with database.transaction() as tx:
            upload = await uploads.create(
                tx, user_id=ann.id, way=UploadWay.SIGNED, size=4, sha256=SHA256, ttl=timedelta(days=1)
            )
        with pytest.raises(ConflictError, match="0 of 4 bytes"):
            await actions.stage(ann.id, upload.id)
        part.write_bytes(b"part!"[:size])
        await actions.receive_signed(upload.id, part, content_type="image/png")
        key = incoming_key(encode(upload.id))
        assert [blob.key async for blob in blobs.list(incoming_prefix(encode(upload.id)))] == [key]
        if size == 4:
            staged = await actions.stage(ann.id, upload.id)
            assert (staged.key, staged.sha256, staged.size) == (key, SHA256, 4)
        else:
            with pytest.raises(ConflictError) as caught:
                await actions.stage(ann.id, upload.id)
            assert caught.value.code == "checksum_mismatch"


async def test_an_upload_of_one_part_is_not_copied(database: Database, tmp_path: Path) -> None:
    """Its object is used as it is, and by one photo."""
    blobs, part = FileBlobs(tmp_path / "blobs"), tmp_path / "part"
    actions = UploadActions(database, blobs, cast(Presigner, None))
    ann = await new_user(database, "ann")
    upload = await actions.announce_resumable(ann.id, size=4, metadata="", sha256=SHA256)
    lease = await actions.begin_part(upload)
    assert lease is not None
    part.write_bytes(b"part")
    assert await actions.end_part(upload, lease, part, size=4, whole_sha256=SHA256)
    staged = await actions.stage(ann.id, upload.id)
    assert [blob.key async for blob in blobs.list("incoming/")] == [staged.key]
    async with database.transaction() as tx:
        await uploads.use(tx, upload.id)
    with pytest.raises(ConflictError) as caught:
        await actions.stage(ann.id, upload.id)
    assert caught.value.code == "upload_used"


async def test_an_empty_part_before_the_whole(database: Database, tmp_path: Path) -> None:
    """The upload consists of both, although the second one has the hash of the whole."""
    blobs, part = FileBlobs(tmp_path / "blobs"), tmp_path / "part"
    actions = UploadActions(database, blobs, cast(Presigner, None))
    ann = await new_user(database, "ann")
    upload = await actions.announce_resumable(ann.id, size=4, metadata="", sha256=SHA256)
    for data, sha256 in ((b"", None), (b"part", SHA256)):
        lease = await actions.begin_part(upload)
        assert lease is not None
        part.write_bytes(data)
        assert await actions.end_part(upload, lease, part, size=len(data), whole_sha256=sha256)
    staged = await actions.stage(ann.id, upload.id)
    stored = await blobs.open(staged.key)
    assert b"".join([chunk async for chunk in stored.chunks()]) == b"part"


async def test_a_signed_upload_without_a_verified_hash_is_refused(database: Database, tmp_path: Path) -> None:
    """The store says that it has verified another hash, or the announcement has none."""
    part, ann = tmp_path / "part", await new_user(database, "ann")
    for blobs, sha256 in ((_Dishonest(tmp_path / "blobs"), SHA256), (FileBlobs(tmp_path / "blobs"), None)):
        actions = UploadActions(database, blobs, cast(Presigner, None))
        async with database.transaction() as tx:
            upload = await uploads.create(
                tx, user_id=ann.id, way=UploadWay.SIGNED, size=4, sha256=sha256, ttl=timedelta(days=1)
            )
        part.write_bytes(b"part")
        await actions.receive_signed(upload.id, part, content_type="image/png")
        with pytest.raises(ConflictError) as caught:
            await actions.stage(ann.id, upload.id)
        assert caught.value.code == "checksum_mismatch"
