"""The thread around a status: a photo with its comments, or a comment with what it answers and its replies."""

from __future__ import annotations

from collections.abc import Sequence

from server.mastodon.accounts import Entity
from server.mastodon.ids import StatusRef
from server.mastodon.rendering import Renderer
from storage.models import Comment, Photo
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.comments import comment_lists
from storage.stores.comments.comment_lists import FIRST_REPLIES
from storage.stores.photos import photos

MAX_COMMENTS = 200  # of a photo, the newest, and replies to one comment
MAX_READ_ON = 20  # comments whose replies are read beyond the first ones


class Threads:
    """Reads threads; raises `NotFoundError` for what the viewer may not see."""

    def __init__(self, reads: Reads, renderer: Renderer) -> None:
        self._reads = reads
        self._renderer = renderer

    async def around(self, ref: StatusRef, viewer_id: int | None) -> tuple[list[Entity], list[Entity]]:
        """Return the statuses above one, oldest first, and those below it, each followed by its replies."""
        read = self._around_comment if ref.is_comment else self._below_photo
        photo, above, below = await self._reads.read(viewer_id, lambda db: read(db, ref.id, viewer_id))
        comments = await self._renderer.comments([*above, *below], {photo.id: photo}, viewer_id)
        top = await self._renderer.photos([photo], viewer_id) if ref.is_comment else []
        return [*top, *comments[: len(above)]], comments[len(above) :]

    async def _below_photo(
        self, db: Queryable, photo_id: int, viewer_id: int | None
    ) -> tuple[Photo, list[Comment], list[Comment]]:
        photo = await photos.get(db, photo_id, viewer_id=viewer_id)
        newest = await comment_lists.page(db, photo_id, viewer_id=viewer_id, limit=MAX_COMMENTS)
        below: list[Comment] = []
        read_on = MAX_READ_ON
        for comment in sorted(newest, key=lambda each: each.id):
            replies: Sequence[Comment] = comment.first_replies
            if comment.replies > FIRST_REPLIES and read_on > 0:
                read_on -= 1
                replies = await comment_lists.replies(db, comment.id, viewer_id=viewer_id, limit=MAX_COMMENTS)
            below += [comment, *replies]
        return photo, [], below

    async def _around_comment(
        self, db: Queryable, comment_id: int, viewer_id: int | None
    ) -> tuple[Photo, list[Comment], list[Comment]]:
        comment = await comment_lists.one(db, comment_id, viewer_id=viewer_id)
        photo = await photos.get(db, comment.photo_id, viewer_id=viewer_id)
        if comment.reply_to is not None:
            return photo, [await comment_lists.one(db, comment.reply_to, viewer_id=viewer_id)], []
        replies = await comment_lists.replies(db, comment_id, viewer_id=viewer_id, limit=MAX_COMMENTS)
        return photo, [], list(replies)
