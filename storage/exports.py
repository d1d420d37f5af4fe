"""Exports: archives with all data of an account, which its user requests and downloads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ExportState(StrEnum):
    """State of an export; the archive of a `READY` one can be downloaded until it is `EXPIRED`."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """An export of a user's account: the `bytes` of its archive and the number of `photos` once it is ready.

    `error` is why it has failed, for the user.
    """

    id: int
    user_id: int
    state: ExportState
    bytes: int | None
    photos: int | None
    error: str | None
    created_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None
