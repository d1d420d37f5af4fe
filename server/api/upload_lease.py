"""The lease under which one request at a time appends to a resumable upload."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from server.actions.uploads import UploadActions
from server.edge.problem import ProblemError
from storage.errors import UnavailableError
from storage.stores.photos.uploads import Upload

RENEW_EVERY = 3.0  # seconds; much shorter than the lease


class LeaseRenewal:
    """Extends the lease of a request while its bytes arrive, and while they are stored."""

    def __init__(self, actions: UploadActions, upload: Upload, lease: int) -> None:
        self._actions = actions
        self._upload = upload
        self._lease = lease
        self._due = time.monotonic() + RENEW_EVERY

    async def __call__(self) -> None:
        """Extend the lease if it is time to; raise a 423 once another request has it."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + RENEW_EVERY
        if not await self._actions.renew(self._upload, self._lease):
            raise locked()

    async def until(self, end: Coroutine[Any, Any, bool]) -> bool:
        """Return the result of the end of a part, which may take longer than a lease on a slow store."""
        task = asyncio.create_task(end)
        try:
            while not (await asyncio.wait({task}, timeout=RENEW_EVERY))[0]:
                # Whether another request has the lease by now, the end itself finds out.
                with suppress(UnavailableError):
                    await self._actions.renew(self._upload, self._lease)
        finally:
            task.cancel()
            await asyncio.wait({task})
        return await task


def locked() -> ProblemError:
    """Return the 423 for a request that does not have the lease."""
    detail = "Another request appends to this upload. Ask for its offset, and try again in some seconds."
    return ProblemError(423, "upload_locked", detail, headers={"Retry-After": "3"})
