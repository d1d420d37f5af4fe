"""Look tokens of applications up in the database, and record that they were used."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from storage.api_tokens import FoundToken
from storage.errors import UnavailableError
from storage.postgres.database import Database
from storage.postgres.reads import Reads
from storage.stores.credentials import api_tokens, oauth_clients

log = structlog.get_logger(__name__)


class TokenLookup:
    """Finds tokens in `reads`; their use is recorded in `db`, unless that is None: a region that only reads."""

    def __init__(self, reads: Reads, db: Database | None) -> None:
        self._reads = reads
        self._db = db
        self._tasks: set[asyncio.Task[None]] = set()

    async def find(self, shard: int, sha256: bytes) -> FoundToken:
        """Return a valid token; raise `NotFoundError`, also for one of an application that has stopped.

        Raises also `UnavailableError`.
        """
        found = await self._reads.read(None, partial(api_tokens.find, shard=shard, sha256=sha256))
        if found.client_id is not None:
            # A statement of its own: an application may have another shard than its users.
            await self._reads.read(None, partial(oauth_clients.working, client_id=found.client_id))
        if self._db is not None:
            # The request does not wait for it.
            task = asyncio.create_task(self._mark_used(self._db, shard, sha256))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return found

    async def _mark_used(self, db: Database, shard: int, sha256: bytes) -> None:
        try:
            await api_tokens.mark_used(db, shard=shard, sha256=sha256)
        except UnavailableError as error:
            log.warning("token_use_not_recorded", error=str(error))
