"""What can be reported: photos, comments and accounts that the reporter may see, and who is concerned."""

from __future__ import annotations

from storage.errors import NotFoundError
from storage.postgres.database import Queryable
from storage.postgres.rows import PHOTOS, Row
from storage.postgres.sharding import shard
from storage.postgres.visibility import profile, readable
from storage.reports import Subject, SubjectKind
from storage.stores import account_lists

_VIEWED = shard("$2")
_STATEMENTS = {
    SubjectKind.PHOTO: (
        f"SELECT p.author_id AS owner_id, a.followers AS reach FROM {PHOTOS} "
        f"WHERE p.shard = {_VIEWED} AND p.id = $2 AND {readable(_VIEWED)}"
    ),
    SubjectKind.COMMENT: (
        f"SELECT c.author_id AS owner_id, a.followers AS reach "
        f"FROM {PHOTOS} JOIN comments c ON c.photo_id = p.id AND c.shard = p.shard "
        f"WHERE c.shard = {_VIEWED} AND p.shard = {_VIEWED} AND a.shard = {_VIEWED} AND c.id = $2 "
        f"AND c.deleted_at IS NULL AND {readable(_VIEWED)}"
    ),
    SubjectKind.USER: (
        f"SELECT a.id AS owner_id, a.followers AS reach FROM users a "
        f"WHERE a.shard = {_VIEWED} AND a.id = $2 AND {profile(_VIEWED)}"
    ),
}


async def get(db: Queryable, kind: SubjectKind, subject_id: int, *, viewer_id: int) -> Subject:
    """Return what the viewer may see; raise `NotFoundError` for anything else."""
    row: Row | None = await db.fetchrow(_STATEMENTS[kind], viewer_id, subject_id)
    hidden = row is not None and kind is SubjectKind.COMMENT and await _is_hidden(db, row["owner_id"], viewer_id)
    if row is None or hidden:
        raise NotFoundError(kind.value)
    return Subject(kind=kind, id=subject_id, owner_id=row["owner_id"], reach=row["reach"])


async def _is_hidden(db: Queryable, user_id: int, viewer_id: int) -> bool:
    # The author of a comment is in another shard than the photo.
    return bool(await account_lists.hidden(db, [user_id], viewer_id=viewer_id))
