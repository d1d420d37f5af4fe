"""Seconds and memory of the export of an account with many photos, against reading and writing the same bytes.

All originals are hard links to one file of 3 MB, so they are in the page cache, and the figures are those of the code
and of writing the archive. The loop beside it reads each of them, computes its CRC-32, which a ZIP file needs, and
writes it to a file that is synchronized at the end, as the blob store does.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import tempfile
import time
import zlib
from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from bench.report import RATIO, Figure, figure, ratios
from server.config.settings import Settings
from server.operation.logs import set_up_logs
from storage.blobs.file import FileBlobs
from storage.blobs.keys import original_key
from storage.embedded.postgres import embedded_postgres
from storage.postgres.database import Database
from storage.postgres.migrate import migrate
from tests.support.community import new_user, ready_photo
from workers.broker.routing import queues_of
from workers.exports.archive import AccountArchive

BYTES = 3_000_000
_SAMPLE = 0.02  # seconds between two looks at the memory


async def measure(*, quick: bool) -> list[Figure]:
    """Return the seconds of the export and of the loop, their ratio, and the memory that the export added."""
    set_up_logs(Settings().with_values("log", level="warning").log)
    photos, runs = (50, 2) if quick else (1_000, 3)
    ours, plain, memory = [], [], []
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        dsn = await stack.enter_async_context(embedded_postgres(folder / "pg"))
        await migrate(dsn)
        database = await Database.connect(dsn, routes=queues_of, max_size=4)
        stack.push_async_callback(database.close)
        blobs = FileBlobs(folder / "blobs")
        author = await new_user(database, "ann")
        hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(photos)]
        await asyncio.to_thread(_link, folder / "blobs", hashes)
        for sha256 in hashes:
            await ready_photo(database, author, sha256=sha256)
        for _ in range(runs):
            archive = AccountArchive(database, blobs, author, "http://127.0.0.1:8080")
            before = psutil.Process().memory_info().rss
            peak = asyncio.create_task(_peak())
            started = time.perf_counter()
            await blobs.put("export/bench.zip", archive.chunks(), content_type="application/zip")
            ours.append(time.perf_counter() - started)
            peak.cancel()
            memory.append((max(_seen) - before) / 1e6)
            plain.append(await asyncio.to_thread(_copy, folder, hashes))
    group = f"an export of {photos:,} photos of {BYTES / 1e6:g} MB"
    return [
        figure(group, "until the archive is stored", "s", ours),
        figure(group, "reading, CRC-32 and writing alone", "s", plain),
        figure(group, "ratio", RATIO, ratios(ours, plain)),
        figure(group, "memory that it added at most", "MB", memory),
    ]


_seen: list[int] = [0]


async def _peak() -> None:
    _seen[:] = [0]
    process = psutil.Process()
    while True:
        _seen.append(process.memory_info().rss)
        await asyncio.sleep(_SAMPLE)


def _link(blobs: Path, hashes: list[str]) -> None:
    first = blobs / original_key(hashes[0])
    first.parent.mkdir(parents=True)
    first.write_bytes(secrets.token_bytes(BYTES))
    for sha256 in hashes[1:]:
        target = blobs / original_key(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(first)


def _copy(folder: Path, hashes: list[str]) -> float:
    started = time.perf_counter()
    with (folder / "copy").open("wb") as target:
        for sha256 in hashes:
            data = (folder / "blobs" / original_key(sha256)).read_bytes()
            target.write(zlib.crc32(data).to_bytes(4, "little") + data)
        target.flush()
        os.fsync(target.fileno())
    return time.perf_counter() - started
