"""Entities of notifications: entries of the inbox of the kinds that Mastodon has.

An entry groups the acts of several users, and this interface shows the newest of them. Its id is the entry's position,
which grows with each act: so an app that has seen an entry is shown it again when it has news.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from server.mastodon.accounts import Entity, account_of_summary
from server.mastodon.rendering import Renderer
from server.mastodon.texts import Links
from storage.errors import NotFoundError
from storage.ids import MAX_ID
from storage.models import Comment, Photo
from storage.notifications import Notification, NotificationKind
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.render.timestamps import timestamp
from storage.stores.nested import nested_comments
from storage.stores.notifications import notifications
from storage.stores.photos import photo_lists
from workers.web_push.app_messages import KINDS

_WITHOUT_STATUS = {"follow", "follow_request"}


def kinds_of(types: Collection[str] | None, exclude: Collection[str]) -> set[NotificationKind]:
    """Return the kinds that a request asks for, by the names of Mastodon; None are all of them."""
    return {kind for kind, name in KINDS.items() if (types is None or name in types) and name not in exclude}


class NotificationReader:
    """Reads and renders the viewer's notifications."""

    def __init__(self, reads: Reads, renderer: Renderer) -> None:
        self._reads = reads
        self._renderer = renderer

    async def entries(
        self, viewer_id: int, kinds: Collection[NotificationKind], *, before: int | None, limit: int
    ) -> list[Notification]:
        """Return entries of these kinds with positions below `before`, the newest first."""
        if not kinds:
            return []
        return await self._reads.read(
            viewer_id, lambda db: notifications.inbox(db, viewer_id, before=before, limit=limit, kinds=kinds)
        )

    async def at(self, viewer_id: int, position: int) -> Notification:
        """Return the entry with a position; raise `NotFoundError("notification")`."""
        below = min(position + 1, MAX_ID)
        found = await self.entries(viewer_id, KINDS.keys(), before=below, limit=1)
        if not found or found[0].position != position:
            raise NotFoundError("notification")
        return found[0]

    async def render(self, entries: Sequence[Notification], viewer_id: int) -> list[Entity]:
        """Return the entities of entries; those about what the viewer may not see any more are left out."""
        photos, comments = await self._reads.read(viewer_id, lambda db: _subjects(db, entries, viewer_id))
        shown = await self._renderer.photos(list(photos.values()), viewer_id)
        statuses = dict(zip(photos, shown, strict=True))
        written = [comment for comment in comments.values() if comment.photo_id in photos]
        answers = await self._renderer.comments(written, photos, viewer_id)
        statuses |= {comment.id: answer for comment, answer in zip(written, answers, strict=True)}
        newest = [entry.actors[0].id for entry in entries if entry.actors]
        accounts = await self._renderer.accounts(newest, viewer_id)
        found = [_entity(entry, statuses, accounts, self._renderer.links) for entry in entries]
        return [entity for entity in found if entity is not None]


def _entity(
    entry: Notification, statuses: Mapping[int, Entity], accounts: Mapping[int, Entity], links: Links
) -> Entity | None:
    """Return the entity of an entry; None for one that apps do not know, or whose status is not there any more."""
    kind = KINDS.get(entry.kind)
    subject_id = entry.photo_id if entry.comment is None else entry.comment.id
    status = None if kind in _WITHOUT_STATUS or subject_id is None else statuses.get(subject_id)
    if kind is None or not entry.actors or (status is None and kind not in _WITHOUT_STATUS):
        return None
    return {
        "id": str(entry.position),
        "type": kind,
        "group_key": f"entry-{entry.id}",
        "created_at": timestamp(entry.updated_at),
        "account": accounts.get(entry.actors[0].id) or account_of_summary(entry.actors[0], links),
        "status": status,
        "report": None,
    }


async def _subjects(
    db: Queryable, entries: Sequence[Notification], viewer_id: int
) -> tuple[dict[int, Photo], dict[int, Comment]]:
    """Return the photos and comments that entries are about, of those that the viewer may see, by id."""
    comment_ids = {entry.comment.id for entry in entries if entry.comment is not None}
    comments = await nested_comments.by_ids(db, comment_ids, viewer_id=viewer_id)
    photo_ids = {entry.photo_id for entry in entries if entry.photo_id is not None}
    photo_ids |= {comment.photo_id for comment in comments.values()}
    found = await photo_lists.by_ids(db, sorted(photo_ids), viewer_id=viewer_id) if photo_ids else {}
    return found, comments
