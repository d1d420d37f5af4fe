"""Processor time of the client for each operation on an object store, against the usual asynchronous client.

Both clients use the same running store, SeaweedFS, from this process and in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiobotocore.session import get_session

from bench.report import RATIO, Figure, figure, ratios
from storage.blobs.presign import S3Presigner
from storage.blobs.s3 import S3Blobs
from tests.engines.seaweedfs import seaweedfs

BYTES = 50_000  # of an object: a variant
OPERATIONS = 100  # of each kind and client in a run
SIGNATURES = 2_000
GROUP = f"object store, {BYTES // 1000} kB"


async def measure(*, quick: bool) -> list[Figure]:
    """Return microseconds for each put and each signed upload, and their ratios."""
    runs = 3 if quick else 7
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="psb-")))
        store = stack.enter_context(seaweedfs(folder))
        address = await asyncio.to_thread(store.create_bucket)
        blobs, presigner = S3Blobs(address, store.keys), S3Presigner(address, store.keys)
        options = {
            "endpoint_url": store.endpoint,
            "region_name": store.region,
            "aws_access_key_id": store.access_key,
            "aws_secret_access_key": store.secret_key,
        }
        async with get_session().create_client("s3", **options) as peer:
            data = os.urandom(BYTES)

            async def put(number: int) -> None:
                await blobs.put(f"variant/aa/x/r1/{number}.jpg", data, content_type="image/jpeg")

            async def put_by_peer(number: int) -> None:
                await peer.put_object(
                    Bucket=address.bucket, Key=f"peer/{number}.jpg", Body=data, ContentType="image/jpeg"
                )

            await _microseconds(put), await _microseconds(put_by_peer)  # the first ones open connections
            puts = [(await _microseconds(put), await _microseconds(put_by_peer)) for _ in range(runs)]
            signs = [(_sign(presigner), await _sign_by_peer(peer, address.bucket)) for _ in range(runs)]
    return [*_figures("put", puts, 1 / 6), *_figures("signed upload", signs, None)]


def _figures(name: str, times: list[tuple[float, float]], goal: float | None) -> list[Figure]:
    ours, theirs = [one for one, _ in times], [other for _, other in times]
    limit = None if goal is None else "a sixth of the usual client, most of whose work is Python"
    return [
        figure(GROUP, f"{name}: processor time", "µs", ours),
        figure(GROUP, f"{name}: aiobotocore", "µs", theirs),
        figure(GROUP, f"{name}: ratio", RATIO, ratios(ours, theirs), at_most=goal, limit=limit),
    ]


async def _microseconds(operation: Callable[[int], Awaitable[None]]) -> float:
    started = time.process_time()
    for number in range(OPERATIONS):
        await operation(number)
    return (time.process_time() - started) / OPERATIONS * 1e6


def _sign(presigner: S3Presigner) -> float:
    sha256 = hashlib.sha256(b"").hexdigest()
    started = time.process_time()
    for number in range(SIGNATURES):
        presigner.presign_put(
            f"incoming/{number}/whole", content_type="image/jpeg", size=BYTES, sha256=sha256, expires_in=900
        )
    return (time.process_time() - started) / SIGNATURES * 1e6


async def _sign_by_peer(peer: object, bucket: str) -> float:
    started = time.process_time()
    for number in range(SIGNATURES // 10):
        await peer.generate_presigned_url(  # type: ignore[attr-defined]
            "put_object",
            Params={"Bucket": bucket, "Key": f"incoming/{number}/whole", "ContentType": "image/jpeg"},
            ExpiresIn=900,
        )
    return (time.process_time() - started) / (SIGNATURES // 10) * 1e6
