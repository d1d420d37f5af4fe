"""A temporary file that receives the bytes of an upload and hashes them on the way, in threads."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "upload-"  # of temporary files, by which those of a killed process are recognised
_PIECE = 512 * 1024  # bytes that are in memory at most, and written at once


class SpoolFullError(Exception):
    """More bytes arrived than the spool may hold."""


@dataclass
class Spool:
    """A temporary file of at most `limit` bytes; `hashes` are those of its bytes by algorithm, once it is finished."""

    path: Path
    descriptor: int
    limit: int
    size: int = 0
    hashes: dict[str, bytes] = field(default_factory=dict)
    _pending: list[bytes] = field(default_factory=list)
    _waiting: int = 0
    _hashing: dict[str, hashlib._Hash] = field(default_factory=dict)

    @classmethod
    def create(cls, directory: Path, limit: int, algorithms: Sequence[str] = ("sha256",)) -> Spool:
        """Create an empty file in `directory`; blocks."""
        directory.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=PREFIX, dir=directory)
        hashing = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        return cls(path=Path(name), descriptor=descriptor, limit=limit, _hashing=hashing)

    @property
    def sha256(self) -> str:
        """The SHA-256 in hex, once the spool is finished."""
        return self.hashes["sha256"].hex()

    async def add(self, data: bytes) -> None:
        """Append bytes; raise `SpoolFullError`, which leaves the bytes before."""
        if self.size + len(data) > self.limit:
            raise SpoolFullError
        self.size += len(data)
        self._pending.append(data)
        self._waiting += len(data)
        if self._waiting >= _PIECE:
            await self._flush()

    async def finish(self) -> None:
        """Write what is left, and set `hashes`."""
        await self._flush()
        self.hashes = {name: each.digest() for name, each in self._hashing.items()}

    def remove(self) -> None:
        """Close and delete the file, unless it was moved; blocks."""
        os.close(self.descriptor)
        self.path.unlink(missing_ok=True)

    async def _flush(self) -> None:
        pieces, self._pending, self._waiting = self._pending, [], 0
        await asyncio.to_thread(self._write, pieces)

    def _write(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            for each in self._hashing.values():
                each.update(piece)
            view = memoryview(piece)
            while view:
                view = view[os.write(self.descriptor, view) :]
