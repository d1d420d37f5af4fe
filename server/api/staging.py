"""From what a client has sent to originals that can be stored: the file of a form, or uploads from before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.actions.posting import StagedPhoto, StoredObject
from server.actions.uploads import UploadActions
from server.edge.photo_requests import NewItem
from server.edge.problem import bad_field
from server.edge.problems import problem_of
from server.media.upload_metrics import UploadMetrics, Way
from server.media.uploads import Upload, UploadReceiver
from storage.blobs.port import Blobs
from storage.errors import NotFoundError
from storage.ids import milliseconds_of
from storage.media_types import VIDEO_TYPES


def staged(upload: Upload) -> StagedPhoto:
    """Return the file of a form with the data of its header; storing it may move the file."""
    return StagedPhoto(
        source=upload.path,
        sha256=upload.sha256,
        size=upload.size,
        content_type=upload.header.content_type,
        width=upload.header.width,
        height=upload.header.height,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedItem:
    """A picture from an upload; `seconds` from its announcement to its storage, if the client stored it itself."""

    item: NewItem
    original: StagedPhoto
    seconds: float | None


class UploadStaging:
    """Stages the uploads of a new photo."""

    def __init__(self, uploads: UploadActions, blobs: Blobs, receiver: UploadReceiver, metrics: UploadMetrics) -> None:
        self._uploads = uploads
        self._blobs = blobs
        self._receiver = receiver
        self._metrics = metrics

    async def stage(self, viewer_id: int, items: Sequence[NewItem]) -> list[StagedItem]:
        """Return the original of each item in order; raises as `UploadActions.stage` and `UploadReceiver.header_of`.

        If there are several, the error is a `ProblemError` that names the item. The same picture twice is a 422, and so
        is a video among them.
        """
        found: list[StagedItem] = []
        for place, item in enumerate(items):
            field = f"items.{place}.upload_id"
            try:
                one = await self._stage(viewer_id, item)
            except Exception as error:
                problem = problem_of(error)
                if len(items) == 1 or problem is None:
                    raise
                raise problem.at(field) from error
            if len(items) > 1 and one.original.content_type in VIDEO_TYPES:
                raise bad_field(field, "A video is a post of its own, without other pictures.", status=422)
            if any(one.original.sha256 == other.original.sha256 for other in found):
                raise bad_field(field, "This picture is in the photo already.", status=422)
            found.append(one)
        return found

    def record(self, items: Sequence[StagedItem]) -> None:
        """Record in the metrics the uploads whose photo was created; others were recorded when they arrived."""
        for item in items:
            if item.seconds is not None:
                self._metrics.upload_received(way=Way.SIGNED, seconds=item.seconds, size=item.original.size)

    async def _stage(self, viewer_id: int, item: NewItem) -> StagedItem:
        try:
            upload = await self._uploads.stage(viewer_id, item.upload_id)
            header = await self._receiver.header_of(await self._blobs.open(upload.key))
        except NotFoundError as error:
            if error.what != "blob":
                raise
            await self._uploads.remove_lost(viewer_id, item.upload_id)
            raise NotFoundError("upload") from error
        original = StagedPhoto(
            source=StoredObject(upload.key),
            sha256=upload.sha256,
            size=upload.size,
            content_type=header.content_type,
            width=header.width,
            height=header.height,
        )
        if upload.stored_at is None:
            return StagedItem(item=item, original=original, seconds=None)
        seconds = upload.stored_at.timestamp() - milliseconds_of(item.upload_id) / 1000
        return StagedItem(item=item, original=original, seconds=max(0.0, seconds))
