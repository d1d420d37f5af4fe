"""Inserts by and about a user that meet the deletion of the account, or a change of its name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from storage import ids
from storage.errors import NotFoundError
from storage.models import Photo, ProfileImageKind, User
from storage.notification_channels import Audience, Channel
from storage.notifications import NotificationKind
from storage.postgres.database import Database, Transaction
from storage.stores import account_locks, idempotency
from storage.stores.accounts import account_fields, erasure, users
from storage.stores.archives import exports
from storage.stores.comments import comment_lists, comments
from storage.stores.credentials import api_tokens, oauth_clients, oauth_codes, passkeys, sessions
from storage.stores.credentials.api_tokens import NewToken
from storage.stores.credentials.oauth_clients import ApplicationFields
from storage.stores.media import profile_images
from storage.stores.notifications import notification_preferences
from storage.stores.photos import likes, photo_processing, photos, uploads
from storage.stores.photos.uploads import UploadWay
from storage.stores.saved import photo_collections
from storage.stores.social import blocks, close_friends, follows, list_members, lists, tag_follows
from storage.stores.webhooks import webhook_endpoints
from storage.webhooks import EndpointScope
from tests.support.community import follow, new_users, ready_photo, record_notification, topics
from tests.support.eventually import DEADLINE
from tests.support.locks import wait_for_blocked_transaction

pytestmark = pytest.mark.engines

LATER = datetime.now(UTC) + timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Ann with a photo; Ben has commented on it and deletes his account."""

    ann: User
    ben: User
    photo: Photo


Insert = Callable[[Transaction, Scene], Awaitable[object]]


async def _scene(database: Database) -> Scene:
    ann, ben = await new_users(database, "ann", "ben")
    scene = Scene(ann=ann, ben=ben, photo=await ready_photo(database, ann))
    async with database.transaction() as tx:
        await _comment(tx, scene)
    return scene


async def _photo(tx: Transaction, scene: Scene) -> None:
    await photos.create(
        tx,
        author_id=scene.ben.id,
        sha256="0" * 64,
        content_type="image/jpeg",
        bytes=1,
        width=1,
        height=1,
        caption="",
        alt_text="",
        tags=(),
        location=None,
    )


async def _comment(tx: Transaction, scene: Scene) -> None:
    await comments.add(tx, photo_id=scene.photo.id, author_id=scene.ben.id, text="nice")


async def _like(tx: Transaction, scene: Scene) -> None:
    await likes.add(tx, photo_id=scene.photo.id, user_id=scene.ben.id)


async def _session(tx: Transaction, scene: Scene) -> None:
    await sessions.open(tx, scene.ben.id, token_sha256=b"1", expires_at=LATER)


async def _key(tx: Transaction, scene: Scene) -> None:
    await idempotency.reserve(tx, user_id=scene.ben.id, key="k", fingerprint="f")
    await idempotency.finish(tx, user_id=scene.ben.id, key="k", fingerprint="f", status=201, response=b"{}")


async def _follow(tx: Transaction, scene: Scene) -> None:
    await follows.follow(tx, scene.ben.id, scene.ann.id)


async def _be_followed(tx: Transaction, scene: Scene) -> None:
    await follows.follow(tx, scene.ann.id, scene.ben.id)


async def _block(tx: Transaction, scene: Scene) -> None:
    await blocks.block(tx, scene.ben.id, scene.ann.id)


async def _be_blocked(tx: Transaction, scene: Scene) -> None:
    await blocks.block(tx, scene.ann.id, scene.ben.id)


async def _mute(tx: Transaction, scene: Scene) -> None:
    await blocks.mute(tx, scene.ben.id, scene.ann.id)


async def _notify(tx: Transaction, recipient: User, actor: User) -> None:
    entry = await record_notification(
        tx,
        recipient_id=recipient.id,
        kind=NotificationKind.FOLLOW,
        actor_id=actor.id,
        photo_id=None,
        source_id=actor.id,
    )
    if entry is None:
        raise NotFoundError("user")


async def _be_notified(tx: Transaction, scene: Scene) -> None:
    await _notify(tx, scene.ben, scene.ann)


async def _cause_a_notification(tx: Transaction, scene: Scene) -> None:
    await _notify(tx, scene.ann, scene.ben)


async def _upload(tx: Transaction, scene: Scene) -> None:
    await uploads.create(tx, user_id=scene.ben.id, way=UploadWay.TUS, size=9, ttl=timedelta(days=1))


async def _avatar(tx: Transaction, scene: Scene) -> None:
    await profile_images.create(
        tx,
        user_id=scene.ben.id,
        kind=ProfileImageKind.AVATAR,
        sha256="0" * 64,
        content_type="image/jpeg",
        size=1,
    )


async def _create_a_list(tx: Transaction, scene: Scene) -> None:
    await lists.create(tx, owner_id=scene.ben.id, title="Friends")


async def _be_listed(tx: Transaction, scene: Scene) -> None:
    created = await lists.create(tx, owner_id=scene.ann.id, title="Friends")
    await list_members.add(tx, created.id, scene.ben.id, owner_id=scene.ann.id)


async def _create_a_collection(tx: Transaction, scene: Scene) -> None:
    await photo_collections.create(tx, owner_id=scene.ben.id, title="Space", public=True)


async def _save_the_first_photo(tx: Transaction, scene: Scene) -> None:
    await photo_collections.saved_id(tx, scene.ben.id)


async def _export(tx: Transaction, scene: Scene) -> None:
    await exports.create(tx, scene.ben.id)


async def _webhook(tx: Transaction, scene: Scene) -> None:
    await webhook_endpoints.create(
        tx,
        owner_id=scene.ben.id,
        url="https://example.com/",
        description="",
        types=(),
        scope=EndpointScope.OWN,
        ordered=False,
        secret="whsec_",
    )


async def _follow_a_tag(tx: Transaction, scene: Scene) -> None:
    await tag_follows.follow(tx, scene.ben.id, "space")


async def _make_a_close_friend(tx: Transaction, scene: Scene) -> None:
    await close_friends.add(tx, scene.ben.id, scene.ann.id)


async def _be_a_close_friend(tx: Transaction, scene: Scene) -> None:
    await close_friends.add(tx, scene.ann.id, scene.ben.id)


async def _authorize_an_application(tx: Transaction, scene: Scene) -> None:
    await oauth_codes.add(
        tx,
        scene.ben.id,
        sha256=b"1",
        client_id=7,
        redirect_uri="app:/x",
        challenge=None,
        scopes=["read"],
        expires_at=LATER,
    )


async def _open_a_token(tx: Transaction, scene: Scene) -> None:
    await api_tokens.open_session(tx, scene.ben.id, NewToken(sha256=b"1", scopes=["read"]))


async def _register_an_application(tx: Transaction, scene: Scene) -> None:
    fields = ApplicationFields(name="Frames", website="", redirect_uris=["app:/x"], scopes=["read"])
    shard = oauth_clients.new_shard(scene.ben.id)
    await oauth_clients.add(tx, scene.ben.id, fields, secret_sha256=None, shard_=shard)


async def _add_a_passkey(tx: Transaction, scene: Scene) -> None:
    await passkeys.add(tx, scene.ben.id, credential_id=b"1", public_key=b"2", sign_count=0, transports=(), name="Key")


async def _choose_a_preference(tx: Transaction, scene: Scene) -> None:
    chosen = {(NotificationKind.LIKE, Channel.PUSH): Audience.NOBODY}
    await notification_preferences.set_preferences(tx, scene.ben.id, chosen)


INSERTS = (
    *(_photo, _comment, _session, _upload, _avatar, _follow, _be_followed, _block, _be_blocked, _mute),
    *(_create_a_list, _be_listed, _create_a_collection, _save_the_first_photo, _export, _webhook, _follow_a_tag),
    *(_make_a_close_friend, _be_a_close_friend, _authorize_an_application, _open_a_token, _register_an_application),
    *(_add_a_passkey, _choose_a_preference),
)
LEFT = """
SELECT (SELECT count(*) FROM likes WHERE user_id = $1) AS likes, (SELECT sum(likes) FROM photos) AS counted,
    (SELECT count(*) FROM idempotency_keys WHERE user_id = $1) AS keys,
    (SELECT count(*) FROM notifications WHERE user_id = $1) AS notifications"""


@pytest.mark.parametrize("insert", INSERTS)
async def test_an_insert_during_a_deletion_waits_and_is_refused(database: Database, insert: Insert) -> None:
    """Nothing by or about a user is inserted once the deletion of the account has begun."""
    scene = await _scene(database)

    async def run() -> None:
        async with database.transaction() as tx:
            await insert(tx, scene)

    async with database.transaction() as leaving:
        await users.remove(leaving, scene.ben.id)
        inserting = asyncio.create_task(run())
        await wait_for_blocked_transaction(database)
    with pytest.raises(NotFoundError):
        await inserting


@pytest.mark.parametrize(
    "insert", [_create_a_list, _create_a_collection, _save_the_first_photo, _webhook, _follow_a_tag]
)
async def test_of_two_inserts_the_second_counts_the_first(database: Database, insert: Insert) -> None:
    """What an account may have a number of is inserted one after the other, so that no two are the last one."""
    scene = await _scene(database)

    async def run() -> None:
        async with database.transaction() as tx:
            await insert(tx, scene)

    async with database.transaction() as first:
        await insert(first, scene)
        second = asyncio.create_task(run())
        await wait_for_blocked_transaction(database)
    await second


@pytest.mark.parametrize(
    ("insert", "waits"), [(_like, False), (_cause_a_notification, False), (_key, True), (_be_notified, True)]
)
async def test_what_is_not_refused_during_a_deletion_is_erased(database: Database, insert: Insert, waits: bool) -> None:
    """A row in another shard is inserted without a lock, and one that only the user sees under that of its foreign key.

    At the end of the grace period they are erased, and the activities of the user are withdrawn.
    """
    scene = await _scene(database)

    async def run() -> None:
        async with database.transaction() as tx:
            await insert(tx, scene)

    async with database.transaction() as leaving:
        await users.remove(leaving, scene.ben.id)
        inserting = asyncio.create_task(run())
        if waits:
            await wait_for_blocked_transaction(database)
        else:
            await asyncio.wait_for(inserting, DEADLINE)
    with suppress(NotFoundError):  # a key is refused when its response is stored
        await inserting
    await database.fetch("DELETE FROM outbox")
    more = True
    while more:
        async with database.transaction() as tx:
            more = await erasure.erase(tx, scene.ben.id, grace_minutes=0)
    assert tuple(await database.fetchrow(LEFT, scene.ben.id) or ()) == (0, 0, 0, 0)
    assert (await topics(database))[-1] == "actor.removed"


@pytest.mark.parametrize("insert", [_photo, _comment, _session])
async def test_a_deletion_includes_what_is_being_inserted(database: Database, insert: Insert) -> None:
    """The deletion waits for an insert that has begun, and its batches delete the new row too."""
    scene = await _scene(database)

    async def leave() -> None:
        async with database.transaction() as tx:
            await users.remove(tx, scene.ben.id)

    async with database.transaction() as tx:
        await insert(tx, scene)
        leaving = asyncio.create_task(leave())
        await wait_for_blocked_transaction(database)
    await leaving
    async with database.transaction() as tx:
        while await erasure.erase(tx, scene.ben.id):
            pass
    row = await database.fetchrow(
        """
        SELECT (SELECT count(*) FROM photos WHERE author_id = $1 AND deleted_at IS NULL) AS photos,
            (SELECT count(*) FROM comments WHERE author_id = $1 AND deleted_at IS NULL) AS comments,
            (SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL) AS sessions,
            (SELECT comments FROM photos WHERE id = $2) AS counted""",
        scene.ben.id,
        scene.photo.id,
    )
    assert row is not None
    assert tuple(row) == (0, 0, 0, 0)


@pytest.mark.parametrize("insert", [_like, _session, _photo, _cause_a_notification])
async def test_an_insert_does_not_wait_for_a_counter(database: Database, insert: Insert) -> None:
    """A user who is being followed at the same moment can like, sign in and upload without waiting."""
    scene = await _scene(database)
    (cat,) = await new_users(database, "cat")
    async with database.transaction() as following:
        await follows.follow(following, cat.id, scene.ben.id)
        async with asyncio.timeout(DEADLINE), database.transaction() as tx:
            await insert(tx, scene)


async def test_a_change_of_the_password_waits_for_a_session(database: Database) -> None:
    """A session that is being opened when the password changes is there when the change ends all sessions."""
    scene = await _scene(database)

    async def change() -> list[str]:
        async with database.transaction() as tx:
            await users.set_password_hash(tx, scene.ben.id, "new")
            return await sessions.revoke_all(tx, scene.ben.id)

    async with database.transaction() as tx:
        await _session(tx, scene)
        changing = asyncio.create_task(change())
        await wait_for_blocked_transaction(database)
    assert len(await changing) == 1


async def test_a_session_waits_for_a_change_of_the_password(database: Database) -> None:
    """A sign-in with the former password opens no session after the change."""
    scene = await _scene(database)
    former = await users.password_hash(database, scene.ben.id)

    async def sign_in() -> None:
        async with database.transaction() as tx:
            await sessions.open(tx, scene.ben.id, token_sha256=b"1", expires_at=LATER, password_hash=former)

    async with database.transaction() as changing:
        await users.set_password_hash(changing, scene.ben.id, "new")
        signing_in = asyncio.create_task(sign_in())
        await wait_for_blocked_transaction(database)
    with pytest.raises(NotFoundError):
        await signing_in


async def test_a_refresh_during_a_deletion_waits_and_is_refused(database: Database) -> None:
    """The sessions of an account that is being deleted are not refreshed."""
    scene = await _scene(database)
    async with database.transaction() as tx:
        await _session(tx, scene)

    shard = ids.shard_of(scene.ben.id)

    async def refresh() -> str:
        async with database.transaction() as tx:
            return (await sessions.rotate(tx, shard=shard, old_sha256=b"1", new_sha256=b"2", expires_at=LATER)).kind

    async with database.transaction() as leaving:
        await users.remove(leaving, scene.ben.id)
        refreshing = asyncio.create_task(refresh())
        await wait_for_blocked_transaction(database)
    assert await refreshing == "unknown"


async def test_a_photo_of_a_deleted_account_does_not_become_ready(database: Database) -> None:
    """A photo that is left of a deleted account is not published."""
    scene = await _scene(database)
    async with database.transaction() as tx:
        await tx.execute("UPDATE photos SET state = 'processing' WHERE id = $1", scene.photo.id)
        await tx.execute("UPDATE users SET deleted_at = now() WHERE id = $1", scene.ann.id)
        assert not await photo_processing.mark_ready(
            tx, scene.photo.id, width=1, height=1, placeholder=None, exif={"a": 1}
        )


async def test_a_comment_during_a_change_of_the_name_has_the_new_name(database: Database) -> None:
    """A comment that is written while its author's name changes waits for the change."""
    scene = await _scene(database)

    async def write() -> None:
        async with database.transaction() as tx:
            await _comment(tx, scene)

    async with database.transaction() as renaming:
        await account_fields.update(renaming, scene.ben.id, display_name="Benjamin")
        writing = asyncio.create_task(write())
        await wait_for_blocked_transaction(database)
    await writing
    assert await _names(database, scene.photo) == ["Benjamin", "Benjamin"]


async def test_a_change_of_the_name_includes_comments_that_are_being_written(database: Database) -> None:
    """A change of a name waits for comments that have begun, and changes the name in them."""
    scene = await _scene(database)

    async def rename() -> None:
        async with database.transaction() as tx:
            await account_fields.update(tx, scene.ben.id, display_name="Benjamin")

    async with database.transaction() as tx:
        await _comment(tx, scene)
        renaming = asyncio.create_task(rename())
        await wait_for_blocked_transaction(database)
    await renaming
    assert await _names(database, scene.photo) == ["Benjamin", "Benjamin"]


async def test_other_users_do_not_wait_for_a_deletion(database: Database) -> None:
    """While an account is being deleted, others follow, and like photos on which it did not comment."""
    scene = await _scene(database)
    (cat,) = await new_users(database, "cat")
    other = await ready_photo(database, scene.ann)
    async with database.transaction() as leaving:
        await users.remove(leaving, scene.ben.id)
        async with asyncio.timeout(DEADLINE):
            assert await follow(database, cat, scene.ann)
            async with database.transaction() as tx:
                assert (await likes.add(tx, photo_id=other.id, user_id=cat.id)).likes == 1


async def _names(database: Database, photo: Photo) -> list[str]:
    page = await comment_lists.page(database, photo.id, viewer_id=None, limit=9)
    return [comment.author.display_name for comment in page]


async def test_many_accounts_are_locked_in_the_order_of_their_ids(database: Database) -> None:
    """A transaction that waits for the account with the greater id has the other one already."""
    low, high = sorted(user.id for user in await new_users(database, "ann", "ben"))

    async def lock_both() -> list[int]:
        async with database.transaction() as tx:
            return await account_locks.lock_all(tx, [high, low])

    async with database.transaction() as tx:
        await account_locks.lock(tx, [high])
        locking = asyncio.create_task(lock_both())
        await wait_for_blocked_transaction(database)
        assert not await database.fetch("SELECT 1 FROM users WHERE id = $1 FOR UPDATE SKIP LOCKED", low)
    assert await locking == [low, high]
