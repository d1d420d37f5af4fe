"""Passwords: argon2id hashes, computed in a few threads.

A hash takes about 100 ms and 64 MiB (the default is RFC 9106's second recommendation). So it never runs on the
event loop, and a flood of sign-ins waits in a bounded queue instead of exhausting the memory.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.identity.errors import PasswordsBusyError

QUEUE_LIMIT = 64  # waiting hashes; at 100 ms each in two threads the last one waits three seconds

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class PasswordSettings:
    """What a hash costs, memory in MiB, and how many a process computes at once."""

    hash_memory: int
    hash_passes: int
    hash_concurrency: int


class Passwords:
    """Hash and verify passwords; `threads` limits both the processor time and the memory that this takes."""

    def __init__(self, hasher: PasswordHasher | None = None, *, threads: int = 2) -> None:
        self._hasher = hasher or PasswordHasher()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._waiting = 0
        self._decoy: str | None = None

    @classmethod
    def of(cls, settings: PasswordSettings) -> Passwords:
        """Return the hasher that is configured."""
        hasher = PasswordHasher(time_cost=settings.hash_passes, memory_cost=settings.hash_memory * 1024)
        return cls(hasher, threads=settings.hash_concurrency)

    def close(self) -> None:
        """Stop the threads; running hashes are completed first."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Return the encoded argon2id hash, parameters and salt included."""
        return await self._run(lambda: self._hasher.hash(_normalized(password)))

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Return whether `password` matches the hash `encoded`; without one, do the same work and return False."""
        return await self._run(lambda: self._check(encoded, password))

    def is_outdated(self, encoded: str) -> bool:
        """Return whether a hash was made with other parameters than those of today, and should be replaced."""
        return self._hasher.check_needs_rehash(encoded)

    def _check(self, encoded: str | None, password: str) -> bool:
        # An unknown name takes as much time as a wrong password, so that the response time does not disclose accounts.
        if self._decoy is None:
            self._decoy = self._hasher.hash("decoy")
        try:
            self._hasher.verify(encoded or self._decoy, _normalized(password))
        except (VerificationError, InvalidHashError):
            return False
        return bool(encoded)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= QUEUE_LIMIT:
            raise PasswordsBusyError("Too many sign-ins are in progress. Try again in a few seconds.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def _normalized(password: str) -> str:
    # The same characters typed on two keyboards may be composed differently (RFC 8265).
    return unicodedata.normalize("NFC", password)
