"""The temporary file of an upload."""

from __future__ import annotations

import hashlib
import random
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.media.spool import Spool, SpoolFullError

MANY = 2_000_000  # bytes


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """An empty spool."""
    spool = Spool.create(tmp_path, MANY, ("sha1", "sha256"))
    yield spool
    spool.remove()


def pieces_of(data: bytes, sizes: tuple[int, int]) -> Iterator[bytes]:
    """Yield data in pieces of random sizes between two."""
    rng, position = random.Random(7), 0
    while position < len(data):
        size = rng.randint(*sizes)
        yield data[position : position + size]
        position += size


@pytest.mark.parametrize("sizes", [(1, 3), (1, 20_000), (200_000, 900_000), (MANY, MANY)])
async def test_pieces_of_any_size_are_written_and_hashed_in_order(spool: Spool, sizes: tuple[int, int]) -> None:
    """Also more of them than the system writes at once."""
    data = random.Random(1).randbytes(MANY if sizes[0] > 1 else MANY // 100)
    for piece in pieces_of(data, sizes):
        await spool.add(piece)
    await spool.finish()
    assert spool.path.read_bytes() == data
    assert spool.size == len(data)
    assert spool.sha256 == hashlib.sha256(data).hexdigest()
    assert spool.hashes["sha1"] == hashlib.sha1(data, usedforsecurity=False).digest()


async def test_more_than_the_limit_is_refused_and_the_bytes_before_stay(spool: Spool) -> None:
    """A piece that does not fit is left out as a whole."""
    await spool.add(b"a" * (MANY - 1))
    with pytest.raises(SpoolFullError):
        await spool.add(b"bb")
    await spool.add(b"c")
    await spool.finish()
    assert spool.path.read_bytes() == b"a" * (MANY - 1) + b"c"


async def test_what_the_disk_does_not_take_is_an_error(spool: Spool) -> None:
    """The system writes what still fits, and says only with the next call that there is no more space."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MANY - 1, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            await spool.add(b"a" * MANY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
