"""Receive the body of a request into a temporary file, whole or as far as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientConnectionResetError, web

from server.edge.body import BodyPace, BodyReader, SlowBodyError, refuse_encoding
from server.media.spool import Spool

_BROKEN = (SlowBodyError, web.RequestPayloadError, ClientConnectionResetError, ConnectionResetError)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedBody:
    """A body in a finished spool; `complete` is False if it ended early, and then the bytes before are there."""

    spool: Spool
    complete: bool


class BodySpool:
    """Receives bodies into `directory`, which is best on the file system of the blobs."""

    def __init__(self, directory: Path, pace: BodyPace) -> None:
        self._directory = directory
        self._pace = pace

    @asynccontextmanager
    async def receive(
        self,
        request: web.Request,
        *,
        limit: int,
        algorithms: Sequence[str] = (),
        progress: Callable[[], Awaitable[None]] | None = None,
    ) -> AsyncIterator[ReceivedBody]:
        """Yield the body, of which at most some hundred kilobytes are in memory; its file is removed afterwards.

        `progress` is awaited after each piece. Raises `SpoolFullError` for more than `limit` bytes, and a 415 for a
        compressed body.
        """
        refuse_encoding(request)
        spool = await asyncio.to_thread(Spool.create, self._directory, limit, algorithms)
        try:
            complete = await self._read(request, spool, progress)
            await spool.finish()
            yield ReceivedBody(spool=spool, complete=complete)
        finally:
            await asyncio.to_thread(spool.remove)

    async def _read(self, request: web.Request, spool: Spool, progress: Callable[[], Awaitable[None]] | None) -> bool:
        reader = BodyReader(request.content, self._pace)
        try:
            while piece := await reader.read():
                await spool.add(piece)
                if progress is not None:
                    await progress()
        except _BROKEN:
            return False
        return True
