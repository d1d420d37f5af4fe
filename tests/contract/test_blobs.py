"""The contract of `storage.blobs.port.Blobs`, run by every adapter."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import stat
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.blobs.file import FileBlobs
from storage.blobs.keys import incoming_key, incoming_prefix, original_key, part_key, variant_key
from storage.blobs.port import Blob, Blobs
from storage.blobs.s3 import CHUNK, S3Blobs
from storage.errors import FullError, NotFoundError, UnavailableError
from tests.engines.object_store import ObjectStore
from tests.support.objects import has

JPEG = b"\xff\xd8\xff" + bytes(range(256)) * 3000
PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 100
SHA = hashlib.sha256(JPEG).hexdigest()
HEADS = {
    "image/jpeg": JPEG[:16],
    "image/png": PNG[:16],
    "image/webp": b"RIFF\x10\x00\x00\x00WEBPVP8 ",
    "image/avif": b"\x00\x00\x00\x20ftypavif",
    "image/gif": b"GIF89a",
    "image/heic": b"\x00\x00\x00\x20ftypheic",
    "video/mp4": b"\x00\x00\x00\x20ftypisom",
}
BAD_KEYS = [
    "",
    "/etc/passwd",
    "../secret",
    "original/../../secret",
    "original/./x",
    "original//x",
    "original/x/",
    "original/.hidden",
    "original/a\x00b",
    "original/a\nb",
    "original\\..\\x",
    "C:/x",
    "original/" + "a" * 200,
    "original/\u202egpj",
]


@pytest.fixture(params=["file", "seaweed", "openstack"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """An empty store of each kind."""
    if request.param == "file":
        return FileBlobs(tmp_path / "blobs")
    store: ObjectStore = request.getfixturevalue(request.param)
    return S3Blobs(store.create_bucket(), store.keys)


@pytest.fixture
def crowd(request: pytest.FixtureRequest) -> int:
    """How many calls for one key at once: fewer where a store lets them wait for each other for a second."""
    return 10 if request.node.callspec.params["blobs"] == "file" else 3


async def read(blob: Blob) -> bytes:
    """Return all bytes of a blob."""
    return b"".join([chunk async for chunk in blob.chunks()])


async def test_bytes_come_back(blobs: Blobs) -> None:
    """An object is returned byte for byte, with its size and type."""
    await blobs.put(original_key(SHA), JPEG, content_type="image/jpeg")
    await blobs.put(variant_key(SHA, 1, "320.jpg"), PNG, content_type="image/png")
    original, variant = await blobs.open(original_key(SHA)), await blobs.open(variant_key(SHA, 1, "320.jpg"))
    assert (await read(original), original.size, original.content_type) == (JPEG, len(JPEG), "image/jpeg")
    assert (await read(variant), variant.size, variant.content_type) == (PNG, len(PNG), "image/png")


async def test_empty_object(blobs: Blobs) -> None:
    """An empty object is an object."""
    await blobs.put("original/aa/empty", b"", content_type="application/octet-stream")
    blob = await blobs.open("original/aa/empty")
    assert (blob.size, await read(blob), blob.content_type) == (0, b"", "application/octet-stream")


async def test_file_comes_back(blobs: Blobs, tmp_path: Path) -> None:
    """A stored file is returned, whether or not the source still exists."""
    source = tmp_path / "upload"
    source.write_bytes(JPEG)
    await blobs.put_file(original_key(SHA), source, content_type="image/jpeg")
    source.unlink(missing_ok=True)
    assert await read(await blobs.open(original_key(SHA))) == JPEG


async def test_put_again(blobs: Blobs) -> None:
    """Writing a key again replaces the object, and a reader that has begun still reads one of the two completely."""
    await blobs.put("original/aa/x", JPEG, content_type="image/jpeg")
    chunks = (await blobs.open("original/aa/x")).chunks()
    first = await anext(chunks)
    await blobs.put("original/aa/x", PNG, content_type="image/png")
    assert first + b"".join([chunk async for chunk in chunks]) == JPEG
    assert await read(await blobs.open("original/aa/x")) == PNG


@pytest.mark.parametrize(
    ("start", "end"), [(0, 10), (5, 5), (CHUNK - 3, CHUNK + 3), (CHUNK + 7, None), (3 * CHUNK - 5, 9 * CHUNK)]
)
async def test_part_of_an_object(blobs: Blobs, start: int, end: int | None) -> None:
    """Any range of bytes is read, also of an object that is read in several requests."""
    data = secrets.token_bytes(3 * CHUNK)
    await blobs.put("original/aa/x", data, content_type="image/jpeg")
    blob = await blobs.open("original/aa/x")
    assert b"".join([chunk async for chunk in blob.chunks(start, end)]) == data[start:end]


async def test_a_large_object(blobs: Blobs, tmp_path: Path) -> None:
    """An object of many parts comes back byte for byte, whether it was a file, bytes or a stream."""
    data = secrets.token_bytes(11 * CHUNK + 17)
    source = tmp_path / "upload"
    source.write_bytes(data)
    await blobs.put_file("original/aa/file", source, content_type="image/png")
    await blobs.put("original/aa/bytes", data, content_type="image/png")
    await blobs.put("original/aa/stream", in_pieces(data), content_type="image/png")
    for name in ("file", "bytes", "stream"):
        assert await read(await blobs.open(f"original/aa/{name}")) == data


async def test_missing(blobs: Blobs) -> None:
    """Opening a missing object is a `NotFoundError`, and deleting it changes nothing."""
    with pytest.raises(NotFoundError) as caught:
        await blobs.open(original_key(SHA))
    assert caught.value.what == "blob"
    assert not await has(blobs, original_key(SHA))
    await blobs.delete([original_key(SHA)])


async def test_delete(blobs: Blobs) -> None:
    """A deletion removes one object and not the others in its directory."""
    await blobs.put(variant_key(SHA, 1, "320.jpg"), JPEG, content_type="image/jpeg")
    await blobs.put(variant_key(SHA, 1, "1080.jpg"), JPEG, content_type="image/jpeg")
    await blobs.delete([variant_key(SHA, 1, "320.jpg")])
    assert not await has(blobs, variant_key(SHA, 1, "320.jpg"))
    assert await has(blobs, variant_key(SHA, 1, "1080.jpg"))
    await blobs.delete([variant_key(SHA, 1, "1080.jpg")])
    await blobs.put(variant_key(SHA, 1, "1080.jpg"), JPEG, content_type="image/jpeg")
    assert await has(blobs, variant_key(SHA, 1, "1080.jpg"))


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_no_way_out(blobs: Blobs, tmp_path: Path, key: str) -> None:
    """An invalid key can be neither written nor read, and reaches no file outside the store."""
    outside = tmp_path / "secret"
    outside.write_bytes(b"secret")
    await blobs.put("incoming/u1/whole", b"x", content_type="image/jpeg")
    for write in (
        blobs.put(key, b"x", content_type="image/jpeg"),
        blobs.put_file(key, outside, content_type="image/jpeg"),
        blobs.copy("incoming/u1/whole", key),
    ):
        with pytest.raises(ValueError, match="not a key"):
            await write
    for read_ in (blobs.open(key), blobs.head(key), blobs.copy(key, "incoming/u2/whole")):
        with pytest.raises(NotFoundError):
            await read_
    assert not await has(blobs, key)
    await blobs.delete([key])
    assert outside.read_bytes() == b"secret"


async def test_directory_is_no_object(blobs: Blobs) -> None:
    """The beginning of a key is not an object."""
    await blobs.put(variant_key(SHA, 1, "320.jpg"), JPEG, content_type="image/jpeg")
    with pytest.raises(NotFoundError):
        await blobs.open(f"variant/{SHA[:2]}/{SHA}")
    assert not await has(blobs, f"variant/{SHA[:2]}/{SHA}")


async def in_pieces(data: bytes, *, fails_at: int | None = None) -> AsyncIterator[bytes]:
    """Iterate over bytes in pieces of 100,000, and raise where asked."""
    for start in range(0, len(data), 100_000):
        if fails_at is not None and start >= fails_at:
            raise LookupError("the client is gone")
        yield data[start : start + 100_000]


async def test_a_stream_becomes_an_object(blobs: Blobs) -> None:
    """The bytes of an iterator are stored as one object."""
    await blobs.put(original_key(SHA), in_pieces(JPEG), content_type="image/jpeg")
    assert await read(await blobs.open(original_key(SHA))) == JPEG


async def test_a_stream_that_fails_leaves_nothing(blobs: Blobs) -> None:
    """An iterator that raises leaves no object, or the one that was there."""
    with pytest.raises(LookupError):
        await blobs.put(original_key(SHA), in_pieces(JPEG, fails_at=200_000), content_type="image/jpeg")
    assert not await has(blobs, original_key(SHA))
    await blobs.put(original_key(SHA), PNG, content_type="image/png")
    with pytest.raises(LookupError):
        await blobs.put(original_key(SHA), in_pieces(JPEG, fails_at=200_000), content_type="image/jpeg")
    assert await read(await blobs.open(original_key(SHA))) == PNG


async def test_head(blobs: Blobs) -> None:
    """The size, the type and the time of an object are known without reading it."""
    before = datetime.now(UTC) - timedelta(seconds=5)
    await blobs.put(original_key(SHA), JPEG, content_type="image/jpeg")
    info = await blobs.head(original_key(SHA))
    assert (info.key, info.size, info.content_type) == (original_key(SHA), len(JPEG), "image/jpeg")
    assert info.sha256 in {None, SHA}
    assert before < info.modified < datetime.now(UTC) + timedelta(seconds=5)


async def test_copy(blobs: Blobs) -> None:
    """A copy has the bytes and the type, and stays when its source is deleted."""
    await blobs.put(incoming_key("u1"), JPEG, content_type="image/jpeg")
    assert await blobs.copy(incoming_key("u1"), original_key(SHA))
    await blobs.delete([incoming_key("u1")])
    blob = await blobs.open(original_key(SHA))
    assert (await read(blob), blob.content_type) == (JPEG, "image/jpeg")


async def test_a_copy_replaces_nothing(blobs: Blobs) -> None:
    """An object under the target stays as it is."""
    await blobs.put(incoming_key("u1"), JPEG, content_type="image/jpeg")
    await blobs.put(original_key(SHA), PNG, content_type="image/png")
    assert not await blobs.copy(incoming_key("u1"), original_key(SHA))
    assert await read(await blobs.open(original_key(SHA))) == PNG
    assert await has(blobs, incoming_key("u1"))


async def test_a_copy_of_nothing(blobs: Blobs) -> None:
    """What is not there cannot be copied, whether or not there is an object under the target."""
    with pytest.raises(NotFoundError):
        await blobs.copy(incoming_key("u1"), original_key(SHA))
    assert not await has(blobs, original_key(SHA))
    await blobs.put(original_key(SHA), PNG, content_type="image/png")
    with pytest.raises(NotFoundError):
        await blobs.copy(incoming_key("u1"), original_key(SHA))


async def test_one_of_many_copies_wins(blobs: Blobs, crowd: int, request: pytest.FixtureRequest) -> None:
    """Of several copies to one key at once, one is made; a store without conditional copies may make more."""
    await blobs.put(incoming_key("u1"), JPEG, content_type="image/jpeg")
    made = await asyncio.gather(*(blobs.copy(incoming_key("u1"), original_key(SHA)) for _ in range(crowd)))
    assert sum(made) == 1 or (sum(made) > 1 and request.node.callspec.params["blobs"] == "openstack")
    assert await read(await blobs.open(original_key(SHA))) == JPEG


async def test_list(blobs: Blobs) -> None:
    """The objects under a prefix are listed in the order of their keys, with what is known of them, and no others."""
    keys = [part_key("u1", 0), part_key("u1", 900), part_key("u1", 10_000), incoming_key("u1")]
    for key in reversed(keys):
        await blobs.put(key, key.encode(), content_type="application/octet-stream")
    await blobs.put(incoming_key("u10"), b"x", content_type="application/octet-stream")
    await blobs.put(original_key(SHA), JPEG, content_type="image/jpeg")
    listed = [info async for info in blobs.list(incoming_prefix("u1"))]
    assert [info.key for info in listed] == sorted(keys)
    assert [info.size for info in listed] == [len(key) for key in sorted(keys)]
    everything = [info.key async for info in blobs.list("incoming/")]
    assert everything == sorted([*keys, incoming_key("u10")])
    for prefix in (incoming_prefix("u2"), "", "../", "/"):
        assert [info async for info in blobs.list(prefix)] == []


async def test_list_while_others_delete(blobs: Blobs, crowd: int) -> None:
    """An object that is deleted while its directory is listed is listed or left out, and the listing goes on."""
    parts = [part_key(f"u{number}", number) for number in range(crowd)]
    for key in parts:
        await blobs.put(key, b"x", content_type="application/octet-stream")

    async def listed() -> list[str]:
        return [info.key async for info in blobs.list("incoming/")]

    found = await asyncio.gather(*(call for key in parts for call in (listed(), blobs.delete([key]))))
    assert all(set(each) <= set(parts) for each in found if each is not None)
    assert await listed() == []


async def test_delete_many(blobs: Blobs) -> None:
    """Several objects are deleted at once; missing ones are no error."""
    keys = [part_key("u1", offset) for offset in range(5)]
    for key in keys:
        await blobs.put(key, b"x", content_type="application/octet-stream")
    await blobs.delete([*keys[:3], part_key("u1", 99)])
    assert [info.key async for info in blobs.list("incoming/")] == keys[3:]


@pytest.mark.parametrize("content_type", sorted(HEADS))
async def test_types_are_kept(blobs: Blobs, content_type: str) -> None:
    """The type of every kind of picture is returned as it was stored."""
    await blobs.put(original_key(SHA), HEADS[content_type] + b"rest" * 10, content_type=content_type)
    assert (await blobs.open(original_key(SHA))).content_type == content_type
    assert (await blobs.head(original_key(SHA))).content_type == content_type


async def test_many_writers(blobs: Blobs, crowd: int) -> None:
    """Concurrent writes and deletions of one key leave a whole object or none."""
    parts = [secrets.token_bytes(100_000) for _ in range(crowd)]

    async def delete() -> None:
        await blobs.delete(["original/aa/x"])

    await asyncio.gather(
        *(blobs.put("original/aa/x", part, content_type="image/jpeg") for part in parts), *(delete() for _ in parts)
    )
    if await has(blobs, "original/aa/x"):
        assert await read(await blobs.open("original/aa/x")) in parts


class TestFileBlobs:
    """Behaviour of the file store beyond the contract."""

    async def test_a_copy_is_a_link(self, tmp_path: Path) -> None:
        """A copy takes no space: both names are of one file."""
        blobs = FileBlobs(tmp_path)
        await blobs.put(incoming_key("u1"), JPEG, content_type="image/jpeg")
        await blobs.copy(incoming_key("u1"), original_key(SHA))
        assert (tmp_path / incoming_key("u1")).stat().st_ino == (tmp_path / original_key(SHA)).stat().st_ino

    async def test_a_file_system_without_links(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where hard links are not possible, a copy is made of the bytes, and replaces nothing."""

        def refuse(*_: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "not supported")

        monkeypatch.setattr(os, "link", refuse)
        blobs = FileBlobs(tmp_path)
        await blobs.put(incoming_key("u1"), JPEG, content_type="image/jpeg")
        assert await blobs.copy(incoming_key("u1"), original_key(SHA))
        assert not await blobs.copy(incoming_key("u1"), original_key(SHA))
        assert await read(await blobs.open(original_key(SHA))) == JPEG
        assert list(blobs.temporary.iterdir()) == []

    async def test_path_for_sendfile(self, tmp_path: Path) -> None:
        """A blob has the path of its file."""
        blobs = FileBlobs(tmp_path)
        await blobs.put(original_key(SHA), JPEG, content_type="image/jpeg")
        path = (await blobs.open(original_key(SHA))).path
        assert path is not None
        assert path.read_bytes() == JPEG

    async def test_moved_not_copied(self, tmp_path: Path) -> None:
        """A file of the same file system is moved: the same inode, and the source is gone."""
        blobs, source = FileBlobs(tmp_path / "blobs"), tmp_path / "upload"
        source.write_bytes(JPEG)
        inode = source.stat().st_ino
        await blobs.put_file(original_key(SHA), source, content_type="image/jpeg")
        path = (await blobs.open(original_key(SHA))).path
        assert path is not None
        assert path.stat().st_ino == inode
        assert not source.exists()

    async def test_copied_from_another_file_system(self, tmp_path: Path) -> None:
        """A file of another file system is copied completely, and no temporary file is left."""
        shm = Path("/dev/shm")
        if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is no second file system here")
        blobs, source = FileBlobs(tmp_path / "blobs"), shm / f"picshare-{secrets.token_hex(8)}"
        source.write_bytes(JPEG)
        try:
            await blobs.put_file(original_key(SHA), source, content_type="image/jpeg")
        finally:
            source.unlink(missing_ok=True)
        assert await read(await blobs.open(original_key(SHA))) == JPEG
        assert list(blobs.temporary.iterdir()) == []

    async def test_synced_before_it_is_seen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The bytes are synced before the rename, and the directory after it."""
        blobs = FileBlobs(tmp_path)
        target = tmp_path / original_key(SHA)
        seen: list[tuple[bool, bool]] = []  # (a directory?, the object visible?)
        sync = os.fsync

        def spy(descriptor: int) -> None:
            seen.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), target.exists()))
            sync(descriptor)

        await blobs.put(original_key("0" * 64), b"", content_type="image/jpeg")
        target.parent.mkdir()
        monkeypatch.setattr(os, "fsync", spy)
        await blobs.put(original_key(SHA), JPEG, content_type="image/jpeg")
        assert seen == [(False, False), (True, True)]

    @pytest.mark.parametrize(
        ("code", "kind"),
        [(errno.ENOSPC, FullError), (errno.EDQUOT, FullError), (errno.EIO, UnavailableError)],
    )
    async def test_failing_disk(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[UnavailableError]
    ) -> None:
        """A disk without space is a `FullError`, and neither a partial object nor a temporary file is left."""
        blobs = FileBlobs(tmp_path)

        def refuse(descriptor: int) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "fsync", refuse)
        blobs.temporary.mkdir()
        with pytest.raises(UnavailableError, match=os.strerror(code)) as caught:
            await blobs.put(original_key(SHA), JPEG, content_type="image/jpeg")
        assert type(caught.value) is kind
        monkeypatch.undo()
        assert not await has(blobs, original_key(SHA))
        assert list(blobs.temporary.iterdir()) == []

    async def test_full_disk_is_read_and_emptied(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Reading and deleting write nothing."""
        blobs = FileBlobs(tmp_path)
        await blobs.put(original_key(SHA), JPEG, content_type="image/jpeg")

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        for name in ("fsync", "write", "mkdir"):
            monkeypatch.setattr(os, name, refuse)
        assert await read(await blobs.open(original_key(SHA))) == JPEG
        await blobs.delete([original_key(SHA)])
        assert not await has(blobs, original_key(SHA))

    async def test_off_the_event_loop(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No call touches the disk in the event loop's thread."""
        threads: set[int] = set()
        for owner, name in ((os, "fsync"), (Path, "open"), (Path, "unlink")):
            original = getattr(owner, name)

            def spy(*args: Any, original: Callable[..., Any] = original, **kwargs: Any) -> Any:
                threads.add(threading.get_ident())
                return original(*args, **kwargs)

            monkeypatch.setattr(owner, name, spy)
        blobs = FileBlobs(tmp_path)
        await blobs.put(original_key(SHA), JPEG, content_type="image/jpeg")
        await blobs.open(original_key(SHA))
        await blobs.delete([original_key(SHA)])
        assert threads
        assert threading.get_ident() not in threads

    async def test_sweep(self, tmp_path: Path) -> None:
        """Only old temporary files are deleted."""
        blobs = FileBlobs(tmp_path)
        await blobs.put(original_key(SHA), JPEG, content_type="image/jpeg")
        for name, age in (("old", 7200), ("young", 0)):
            path = blobs.temporary / name
            path.write_bytes(b"x")
            os.utime(path, (path.stat().st_mtime - age,) * 2)
        assert await blobs.sweep(3600) == 1
        assert [path.name for path in blobs.temporary.iterdir()] == ["young"]
        assert await has(blobs, original_key(SHA))
