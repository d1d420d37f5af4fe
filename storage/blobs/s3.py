"""Blobs in a bucket of an object store with the API of S3.

Every request has a time limit, so that a store that accepts connections and answers nothing costs a caller seconds
instead of minutes. An object is read in ranges of `CHUNK` bytes, each of which is received completely before it is
returned. Otherwise a client that reads slowly would use up the time limit of the request to the store.

How long it takes to store or copy bytes depends on their number, on the network, and on how many are stored at once. So
these requests may take longer than the others, as long as the store answers a small request meanwhile.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, PreconditionError

from storage.blobs.content_types import UNKNOWN
from storage.blobs.file import sweep
from storage.blobs.keys import is_key, is_prefix
from storage.blobs.port import Blob, BlobInfo
from storage.blobs.s3_address import S3Address, S3Keys
from storage.blobs.s3_client import open_client
from storage.errors import FullError, NotFoundError, StorageError, UnavailableError

CHUNK = 1024 * 1024  # bytes
PART = 5 * 1024 * 1024  # bytes; the smallest part of a multipart upload that S3 accepts, except for the last one
REQUEST_TIMEOUT = 3.0  # seconds for one attempt
WRITE_TIMEOUT = 30.0  # seconds for one attempt to store a part, or to copy an object
ASK_AFTER = 2.5  # seconds of a write after which the store is asked for an answer, again and again until it ends
ANSWER_TIMEOUT = 3.0  # seconds for that answer
DEADLINE = 6.5  # seconds for one operation, if the limits above do not end it
_PARTS_AT_ONCE = 4
# A number alone could be the end of a key, which is in the text of an error, too.
_FULL = re.compile(
    r"status code: 507 |InsufficientStorage|StorageFull|QuotaExceeded|not enough space|no space left", re.IGNORECASE
)
_CODE = re.compile(r"<Code>([^<]{1,80})</Code>")
_TIMED_OUT = "error sending request"
_NO_OBJECT = "incoming/none"  # a key that no object has
_EMPTY = "status code: 416 "  # of a range request for an object without bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """The bytes of a range, and what the store says about the whole object."""

    data: bytes
    size: int
    content_type: str
    modified: datetime
    etag: str | None


class S3Blobs:
    """The blob store in a bucket; see `storage.blobs.port.Blobs` for its guarantees.

    `spool` is the local directory of files that are about to be stored.
    """

    def __init__(self, address: S3Address, keys: S3Keys, *, spool: Path | None = None) -> None:
        self._spool = spool
        self._bucket = address.bucket
        self._store = open_client(address, keys, timeout=REQUEST_TIMEOUT)
        self._writer = open_client(address, keys, timeout=WRITE_TIMEOUT)

    async def put_file(self, key: str, path: Path, *, content_type: str) -> None:
        """Store a local file, which stays."""
        _require_key(key)
        with self._errors():
            await self._put(key, path, content_type)

    async def put(self, key: str, data: bytes | AsyncIterator[bytes], *, content_type: str) -> None:
        """Store bytes; an iterator is stored as a multipart upload, which is aborted if it raises."""
        _require_key(key)
        with self._errors():
            await self._put(key, data, content_type)

    async def open(self, key: str) -> Blob:
        """Return an object, with its first bytes read.

        The iterators raise `UnavailableError` if a later range cannot be read, or if the object was replaced meanwhile.
        """
        _require_readable(key)
        first = await self._read(key, 0, CHUNK)

        async def chunks(start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
            position, end = start, first.size if end is None else min(end, first.size)
            while position < end:
                if position < len(first.data):
                    data = first.data[position:end]
                else:
                    data = (await self._read(key, position, min(position + CHUNK, end), etag=first.etag)).data
                yield data
                position += len(data)

        return Blob(size=first.size, content_type=first.content_type, modified=first.modified, path=None, chunks=chunks)

    async def head(self, key: str) -> BlobInfo:
        """Return what is known of an object; the store's checksum is not read, because not every store has it."""
        _require_readable(key)
        with self._errors():
            async with asyncio.timeout(DEADLINE):
                found = await obstore.get_async(self._store, key, options={"head": True})
        return BlobInfo(
            key=key,
            size=found.meta["size"],
            content_type=str(found.attributes.get("Content-Type", UNKNOWN)),
            modified=found.meta["last_modified"],
        )

    async def copy(self, source: str, target: str) -> bool:
        """Copy an object in the store, which refuses to replace one.

        OpenStack Swift refuses every conditional copy. There, the target is looked up first, and of two copies at once
        both may be made.
        """
        _require_readable(source)
        _require_key(target)
        try:
            await self._copy(source, target, overwrite=False)
        except AlreadyExistsError:
            # The store checks the target first.
            await self.head(source)
            if await self._exists(target):
                return False
            await self._copy(source, target, overwrite=True)
        return True

    async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Iterate over the objects under a prefix; their types are unknown, because a listing does not have them."""
        if not is_prefix(prefix):
            return
        batches = obstore.list(self._store, prefix, chunk_size=1000).__aiter__()
        while True:
            with self._errors():
                try:
                    async with asyncio.timeout(DEADLINE):
                        batch = await anext(batches)
                except StopAsyncIteration:
                    return
            for meta in batch:
                yield BlobInfo(
                    key=meta["path"], size=meta["size"], content_type=UNKNOWN, modified=meta["last_modified"]
                )

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, a thousand with each request."""
        found = [key for key in keys if is_key(key)]
        for start in range(0, len(found), 1000):
            with self._errors(missing_is_fine=True):
                async with asyncio.timeout(DEADLINE):
                    await self._delete(found[start : start + 1000])

    async def sweep(self, older_than: float) -> int:
        """Delete old files in the spool; unfinished multipart uploads end by a lifecycle rule of the bucket."""
        return await asyncio.to_thread(sweep, self._spool, older_than) if self._spool is not None else 0

    async def _copy(self, source: str, target: str, *, overwrite: bool) -> None:
        async def copy() -> None:
            await obstore.copy_async(self._writer, source, target, overwrite=overwrite)

        with self._errors():
            await self._while_it_answers(copy())

    async def _exists(self, key: str) -> bool:
        try:
            await self.head(key)
        except NotFoundError:
            return False
        return True

    async def _delete(self, keys: Sequence[str]) -> None:
        try:
            await obstore.delete_async(self._store, keys)
        except GenericError as error:
            # One request for many objects is a POST, which the client does not repeat after a timeout. It may be
            # repeated: what is deleted already is no error.
            if _TIMED_OUT not in str(error):
                raise
            await obstore.delete_async(self._store, keys)

    async def _put(self, key: str, data: bytes | Path | AsyncIterator[bytes], content_type: str) -> None:
        async def put() -> None:
            await obstore.put_async(
                self._writer,
                key,
                data,
                attributes={"Content-Type": content_type},
                chunk_size=PART,
                max_concurrency=_PARTS_AT_ONCE,
            )

        await self._while_it_answers(put())

    async def _while_it_answers(self, write: Coroutine[Any, Any, None]) -> None:
        """Await a write; raise `UnavailableError` once the store answers nothing else meanwhile."""
        task = asyncio.create_task(write)
        try:
            while not (await asyncio.wait({task}, timeout=ASK_AFTER))[0]:
                await self._require_answer()
        finally:
            task.cancel()
            await asyncio.wait({task})
        await task

    async def _require_answer(self) -> None:
        """Raise `UnavailableError` if the store does not answer a small request; a refusal is an answer."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await obstore.head_async(self._store, _NO_OBJECT)
        except (TimeoutError, GenericError) as error:
            raise UnavailableError("blobs", "it does not answer while it is to store an object") from error
        except (FileNotFoundError, BaseError):
            pass

    async def _read(self, key: str, start: int, end: int, *, etag: str | None = None) -> _Part:
        try:
            with self._errors():
                async with asyncio.timeout(DEADLINE):
                    found = await obstore.get_async(
                        self._store,
                        key,
                        options={"range": (start, end), **({"if_match": etag} if etag is not None else {})},
                    )
                    data = bytes(await found.bytes_async())
        except PreconditionError as error:
            raise UnavailableError("blobs", "the object was replaced while it was read") from error
        except _EmptyError:
            info = await self.head(key)
            return _Part(data=b"", size=0, content_type=info.content_type, modified=info.modified, etag=None)
        return _Part(
            data=data,
            size=found.meta["size"],
            content_type=str(found.attributes.get("Content-Type", UNKNOWN)),
            modified=found.meta["last_modified"],
            etag=found.meta["e_tag"],
        )

    @contextmanager
    def _errors(self, *, missing_is_fine: bool = False) -> Iterator[None]:
        """Translate the client's errors, except those that its callers expect."""
        try:
            yield
        except (AlreadyExistsError, PreconditionError):
            raise
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise UnavailableError("blobs", f"there is no bucket {self._bucket}") from error
            if not missing_is_fine:
                raise NotFoundError("blob") from error
        except TimeoutError as error:
            raise UnavailableError("blobs", f"no response within {DEADLINE:g} s") from error
        except BaseError as error:
            raise _translated(error) from error


class _EmptyError(Exception):
    """Raised for a range of an object that has no bytes."""


def _translated(error: BaseError) -> StorageError | _EmptyError:
    text = str(error)
    code = _CODE.search(text)
    # The first line names the request and the status; the rest is the response and the client's own structures.
    detail = text.split("\n", 1)[0].split(": <", 1)[0][:300] + (f" ({code[1]})" if code else "")
    if _FULL.search(text):
        return FullError("blobs", detail)
    if _EMPTY in detail:
        return _EmptyError()
    return UnavailableError("blobs", detail)


def _require_key(key: str) -> None:
    if not is_key(key):
        raise ValueError(f"not a key of a blob: {key!r}")


def _require_readable(key: str) -> None:
    if not is_key(key):
        raise NotFoundError("blob")
