"""Models of the requests about imports."""

from __future__ import annotations

from server.edge.fields import Id
from server.edge.requests import ListQuery, RequestModel
from storage.imports import ImportItemState
from storage.models import PhotoAudience


class ImportRequest(RequestModel):
    """An archive that was uploaded by tus, and the audience of its photos.

    Without `audience` each photo has the one that the archive says, and followers see those of which it says nothing.
    """

    upload_id: Id
    audience: PhotoAudience | None = None


class ImportItemsQuery(ListQuery):
    """A page of the items of an import, of one state or of all."""

    state: ImportItemState | None = None
