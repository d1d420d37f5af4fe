"""The contract of `storage.blobs.port.Blobs`, run by every adapter."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.blobs.file import FileBlobs
from storage.blobs.port import Blob, Blobs, original_key, variant_key
from storage.errors import FullError, NotFoundError, UnavailableError

JPEG = b"\xff\xd8\xff" + bytes(range(256)) * 3000
PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 100
SHA = hashlib.sha256(JPEG).hexdigest()
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


@pytest.fixture(params=["file"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """An empty store of each kind."""
    assert request.param == "file"
    return FileBlobs(tmp_path / "blobs")


async def read(blob: Blob) -> bytes:
    """Return all bytes of a blob."""
    return b"".join([chunk async for chunk in blob.chunks()])


async def test_bytes_come_back(blobs: Blobs) -> None:
    """An object is returned byte for byte, with its size and type."""
    await blobs.put(original_key(SHA), JPEG, content_type="image/jpeg")
    await blobs.put(variant_key(SHA, "thumb"), PNG, content_type="image/png")
    original, variant = await blobs.open(original_key(SHA)), await blobs.open(variant_key(SHA, "thumb"))
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


async def test_missing(blobs: Blobs) -> None:
    """Opening a missing object is a `NotFoundError`, and deleting it changes nothing."""
    with pytest.raises(NotFoundError) as caught:
        await blobs.open(original_key(SHA))
    assert caught.value.what == "blob"
    assert not await blobs.exists(original_key(SHA))
    await blobs.delete(original_key(SHA))


async def test_delete(blobs: Blobs) -> None:
    """A deletion removes one object and not the others in its directory."""
    await blobs.put(variant_key(SHA, "thumb"), JPEG, content_type="image/jpeg")
    await blobs.put(variant_key(SHA, "feed"), JPEG, content_type="image/jpeg")
    await blobs.delete(variant_key(SHA, "thumb"))
    assert not await blobs.exists(variant_key(SHA, "thumb"))
    assert await blobs.exists(variant_key(SHA, "feed"))
    await blobs.delete(variant_key(SHA, "feed"))
    await blobs.put(variant_key(SHA, "feed"), JPEG, content_type="image/jpeg")
    assert await blobs.exists(variant_key(SHA, "feed"))


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_no_way_out(blobs: Blobs, tmp_path: Path, key: str) -> None:
    """An invalid key can be neither written nor read, and reaches no file outside the store."""
    outside = tmp_path / "secret"
    outside.write_bytes(b"secret")
    with pytest.raises(ValueError, match="not a key"):
        await blobs.put(key, b"x", content_type="image/jpeg")
    with pytest.raises(NotFoundError):
        await blobs.open(key)
    assert not await blobs.exists(key)
    await blobs.delete(key)
    assert outside.read_bytes() == b"secret"


async def test_directory_is_no_object(blobs: Blobs) -> None:
    """The beginning of a key is not an object."""
    await blobs.put(variant_key(SHA, "thumb"), JPEG, content_type="image/jpeg")
    with pytest.raises(NotFoundError):
        await blobs.open(f"variant/{SHA[:2]}/{SHA}")
    assert not await blobs.exists(f"variant/{SHA[:2]}/{SHA}")


async def test_many_writers(blobs: Blobs) -> None:
    """Twenty concurrent writes and deletions of one key leave a whole object or none."""
    parts = [secrets.token_bytes(100_000) for _ in range(10)]

    async def delete() -> None:
        await blobs.delete("original/aa/x")

    await asyncio.gather(
        *(blobs.put("original/aa/x", part, content_type="image/jpeg") for part in parts), *(delete() for _ in parts)
    )
    if await blobs.exists("original/aa/x"):
        assert await read(await blobs.open("original/aa/x")) in parts


class TestFileBlobs:
    """Behaviour of the file store beyond the contract."""

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
        assert not await blobs.exists(original_key(SHA))
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
        await blobs.delete(original_key(SHA))
        assert not await blobs.exists(original_key(SHA))

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
        await blobs.delete(original_key(SHA))
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
        assert await blobs.exists(original_key(SHA))
