"""Models of response bodies about exports."""

from __future__ import annotations

from datetime import datetime

from server.edge.responses import Id, ResponseModel, Time
from storage.exports import Export, ExportState
from storage.ids import encode
from storage.render.timestamps import timestamp


class ExportResponse(ResponseModel):
    """An export of the viewer's account.

    While it is `ready`, anyone who has `url` can download the archive, until `expires_at`. `bytes` and `photos` are
    those of the archive. `error` says why it is `failed`.
    """

    id: Id
    state: ExportState
    url: str | None
    bytes: int | None
    photos: int | None
    error: str | None
    created_at: Time
    ready_at: Time | None
    expires_at: Time | None

    @classmethod
    def from_model(cls, export: Export, url: str | None) -> ExportResponse:
        """Return the response for an export and the URL of its archive."""
        return cls(
            id=encode(export.id),
            state=ExportState.EXPIRED if export.state is ExportState.READY and url is None else export.state,
            url=url,
            bytes=export.bytes,
            photos=export.photos,
            error=export.error,
            created_at=timestamp(export.created_at),
            ready_at=_time(export.ready_at),
            expires_at=_time(export.expires_at),
        )


class ExportsResponse(ResponseModel):
    """The exports of the last month, newest first."""

    items: list[ExportResponse]
    next: None = None


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
