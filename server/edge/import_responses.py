"""Models of the responses about imports."""

from __future__ import annotations

from server.edge.responses import Id, ResponseModel, Time
from storage.ids import encode
from storage.imports import Import, ImportItem, ImportItemState, ImportSource, ImportState
from storage.models import PhotoAudience
from storage.render.timestamps import timestamp


class ImportResponse(ResponseModel):
    """An import into the viewer's account.

    `items` is the number of photos in the archive, null until it was read; `imported`, `skipped` and `failed` count
    those that were worked off. `error` says why an archive could not be imported at all.
    """

    id: Id
    state: ImportState
    source: ImportSource | None
    audience: PhotoAudience | None
    bytes: int
    items: int | None
    imported: int
    skipped: int
    failed: int
    error: str | None
    created_at: Time
    finished_at: Time | None

    @classmethod
    def from_model(cls, found: Import) -> ImportResponse:
        """Return the response for an import."""
        return cls(
            id=encode(found.id),
            state=found.state,
            source=found.source,
            audience=found.audience,
            bytes=found.bytes,
            items=found.items,
            imported=found.imported,
            skipped=found.skipped,
            failed=found.failed,
            error=found.error,
            created_at=timestamp(found.created_at),
            finished_at=None if found.finished_at is None else timestamp(found.finished_at),
        )


class ImportsResponse(ResponseModel):
    """The newest imports, newest first."""

    items: list[ImportResponse]
    next: None = None


class ImportItemResponse(ResponseModel):
    """A photo of an archive: its place from 1 on, the name of its first file, and what has become of it.

    `reason` says why it is `skipped` or `failed`; `photo_id` is the photo of an `imported` one.
    """

    position: int
    name: str
    state: ImportItemState
    reason: str | None
    photo_id: Id | None

    @classmethod
    def from_model(cls, item: ImportItem) -> ImportItemResponse:
        """Return the response for an item."""
        return cls(
            position=item.position,
            name=item.name,
            state=item.state,
            reason=item.reason,
            photo_id=None if item.photo_id is None else encode(item.photo_id),
        )
