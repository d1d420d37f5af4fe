"""Imports: archives of photos that users bring from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from storage.models import PhotoAudience


class ImportState(StrEnum):
    """State of an import; a `DONE` one may have items that failed, a `FAILED` one could not be read at all."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ImportSource(StrEnum):
    """Program that has made an archive."""

    PICSHARE = "picshare"
    INSTAGRAM = "instagram"


class ImportItemState(StrEnum):
    """Result of an item: it is a photo now, was one already, or could not be imported."""

    IMPORTED = "imported"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """An import of a user; `audience` is that of all its photos, None for the one that the archive says.

    `bytes` are those of the archive, `items` the photos that it describes, None as long as that is not known.
    """

    id: int
    user_id: int
    upload_id: int
    state: ImportState
    source: ImportSource | None
    audience: PhotoAudience | None
    bytes: int
    items: int | None
    imported: int
    skipped: int
    failed: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportItem:
    """A photo of an archive: its place there from 1 on, the name of its first file, and its result."""

    position: int
    name: str
    state: ImportItemState
    reason: str | None = None
    photo_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoOrigin:
    """The import that a photo comes from, and when it was posted there; `mentions` says whether names are accounts."""

    import_id: int
    posted_at: datetime
    mentions: bool
