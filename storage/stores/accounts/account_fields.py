"""Changes of an account's fields, and what follows from them: its copies, the search, and events."""

from __future__ import annotations

from typing import Any, TypedDict, Unpack

from storage import ids
from storage.errors import NotFoundError
from storage.events import CopiesOutdated, MediaPurge, PresenceHidden, UserChanged
from storage.models import LanguageChoice, LocationMetadata, PresenceAudience, User
from storage.postgres.database import Transaction
from storage.postgres.rows import USER, user_of
from storage.postgres.sharding import shard
from storage.stores.accounts import usernames
from storage.stores.comments import comments
from storage.stores.discovery import search_index

COMMENTS_AT_ONCE = 500  # in which an author's name is changed by one transaction


class AccountFields(TypedDict, total=False):
    """The fields of an account that can be changed; None changes nothing."""

    username: str | None
    display_name: str | None
    bio: str | None
    private: bool | None
    presence: PresenceAudience | None
    location_metadata: LocationMetadata | None
    publish_rights: bool | None
    language: LanguageChoice | None
    searchable: bool | None
    settings: dict[str, Any] | None


class ImageFields(AccountFields, total=False):
    """The same with the hashes of the profile's images; an empty one removes the image."""

    avatar_sha256: str | None
    banner_sha256: str | None


async def update(tx: Transaction, user_id: int, *, order: str = "", **fields: Unpack[ImageFields]) -> User:
    """Change the fields that are not None and return the account.

    Emits `UserChanged` if a name, avatar, banner or privacy is given, `MediaPurge` if the account becomes private, and
    `PresenceHidden` if the presence is hidden from all. The names and avatar in the user's newest comments change as
    well; for the others it emits `CopiesOutdated`. `order` is that of `UserChanged`. Raises what `usernames.rename`
    raises, and `NotFoundError("user")`.
    """
    username = fields.get("username")
    renamed = username is not None and await usernames.rename(tx, user_id, username)
    user = await _write(tx, user_id, username if renamed else None, fields)
    named = renamed or fields.get("display_name") is not None
    await _change_search(tx, user, named=named, fields=fields)
    copied = named or fields.get("avatar_sha256") is not None
    if copied:
        await _change_copies(tx, user_id)
    shown, private = copied or fields.get("banner_sha256") is not None, fields.get("private")
    if shown or private is not None:
        changed = UserChanged(
            user_id=user_id, profile=shown, closed=private is True, opened=private is False, order=order
        )
        tx.emit(changed)
    if private:
        tx.emit(MediaPurge(user_id=user_id, photos_below=ids.MAX_ID))
    if fields.get("presence") is PresenceAudience.NOBODY:
        tx.emit(PresenceHidden(user_id=user_id))
    return user


async def _write(tx: Transaction, user_id: int, username: str | None, fields: ImageFields) -> User:
    presence, location, language = fields.get("presence"), fields.get("location_metadata"), fields.get("language")
    row = await tx.fetchrow(
        f"""
        UPDATE users AS a SET
            username = coalesce($11::text::citext, username), display_name = coalesce($2, display_name),
            bio = coalesce($3, bio), private = coalesce($4, private),
            settings = coalesce($5, settings),
            avatar_sha256 = CASE WHEN $6::text IS NULL THEN avatar_sha256 ELSE nullif($6::text, '') END,
            presence = coalesce($7, presence), location_metadata = coalesce($9, location_metadata),
            publish_rights = coalesce($10, publish_rights), searchable = coalesce($12, searchable),
            language = coalesce($13, language),
            banner_sha256 = CASE WHEN $8::text IS NULL THEN banner_sha256 ELSE nullif($8::text, '') END
        WHERE shard = {shard("$1")} AND id = $1 AND deleted_at IS NULL RETURNING {USER}""",
        user_id,
        fields.get("display_name"),
        fields.get("bio"),
        fields.get("private"),
        fields.get("settings"),
        fields.get("avatar_sha256"),
        None if presence is None else presence.value,
        fields.get("banner_sha256"),
        None if location is None else location.value,
        fields.get("publish_rights"),
        username,
        fields.get("searchable"),
        None if language is None else language.value,
    )
    if row is None:
        raise NotFoundError("user")
    return user_of(row)


async def _change_search(tx: Transaction, user: User, *, named: bool, fields: ImageFields) -> None:
    searchable = fields.get("searchable") is not None
    if named or searchable:
        await search_index.write_user(tx, user)
    if searchable or fields.get("private") is not None:
        await search_index.mark_tags_of_account(tx, user.id)


async def _change_copies(tx: Transaction, user_id: int) -> None:
    older = await comments.rename_author(tx, user_id, below=None, limit=COMMENTS_AT_ONCE)
    if older is not None:
        tx.emit(CopiesOutdated(user_id=user_id, comments_below=older))
