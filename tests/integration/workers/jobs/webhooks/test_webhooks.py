"""The worker "webhooks": which endpoints an event is delivered to, once each, and with which payload."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from server.config.settings import Settings
from storage import events
from storage.events import CommentAdded, LikeAdded, PhotoDeleted, PhotoReady, PhotoRejected, UserFollowed
from storage.ids import encode
from storage.models import Photo, Role, User
from storage.postgres.database import Database
from storage.stores.accounts import account_restrictions, users
from storage.stores.comments import comment_deletion, comments
from storage.stores.photos import likes, photo_deletion, photo_processing
from storage.stores.social import blocks, follows
from storage.stores.webhooks import webhook_endpoints
from storage.webhooks import EndpointScope, EndpointState
from tests.support.community import new_user, new_users, processing_photo, ready_photo
from tests.support.webhooks import WebhookScene, answer
from workers.webhooks.payloads import EVENT_TYPES, MAX_BYTES, PAYLOADS
from workers.webhooks.signing import Scheme, new_secret

pytestmark = pytest.mark.engines


async def emitted(database: Database, topic: str) -> Any:
    """Return the last event of a topic in the outbox."""
    row = await database.fetchrow("SELECT topic, body FROM outbox WHERE topic = $1 ORDER BY id DESC LIMIT 1", topic)
    assert row is not None
    return events.decode(row["topic"], row["body"])


async def like(database: Database, photo: Photo, user: User) -> LikeAdded:
    """Like a photo; return the event."""
    async with database.transaction() as tx:
        await likes.add(tx, photo_id=photo.id, user_id=user.id)
    return LikeAdded(photo_id=photo.id, owner_id=photo.author.id, user_id=user.id)


async def test_an_event_reaches_the_owners_endpoint_with_a_valid_signature(scene: WebhookScene) -> None:
    """The message has the event's type, time and ids, and verifies with the secret."""
    ada = await new_user(scene.database, "ada")
    endpoint = await scene.endpoint(ada, "hooks.example.org")
    photo = await ready_photo(scene.database, ada)
    sent = await scene.handle(await emitted(scene.database, "photo.ready"))
    await scene.send()
    (message,) = scene.receivers.messages
    assert message.id == sent
    assert message.headers["Content-Type"] == "application/json"
    document = message.verify(endpoint.secrets[0])
    assert document["type"] == "photo.ready"
    assert document["data"] == {
        "photo_id": encode(photo.id),
        "author": {"id": encode(ada.id), "username": "ada"},
        "audience": "public",
        "width": 640,
        "height": 427,
        "url": f"https://photos.example.com/api/v1/photos/{encode(photo.id)}",
    }
    assert await scene.states(endpoint) == ["done"]
    assert scene.metrics.attempts == ["delivered"]
    assert scene.metrics.ended == ["done"]


async def test_every_type_of_event_has_a_payload_of_its_schema(scene: WebhookScene) -> None:
    """What users and workers do becomes one message of each type, each small enough."""
    database = scene.database
    ada, bob = await new_users(database, "ada", "bob")
    await scene.endpoint(ada, "hooks.example.org")
    photo, rejected = await ready_photo(database, ada), await processing_photo(database, ada)
    async with database.transaction() as tx:
        await photo_processing.mark_rejected(tx, rejected.id, reason="not an image")
    deleted = await ready_photo(database, ada)
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, deleted.id, author_id=ada.id)
        await likes.add(tx, photo_id=photo.id, user_id=bob.id)
        comment, _ = await comments.add(tx, photo_id=photo.id, author_id=bob.id, text="First\n" + "long " * 99)
        await follows.follow(tx, bob.id, ada.id)
    for event in (
        PhotoReady(photo_id=photo.id, author_id=ada.id),
        PhotoRejected(photo_id=rejected.id, author_id=ada.id),
        PhotoDeleted(photo_id=deleted.id, author_id=ada.id, sha256=""),
        LikeAdded(photo_id=photo.id, owner_id=ada.id, user_id=bob.id),
        CommentAdded(comment_id=comment.id, photo_id=photo.id, owner_id=ada.id, user_id=bob.id),
        UserFollowed(follower_id=bob.id, followee_id=ada.id),
    ):
        await scene.handle(event)
    await scene.send()
    found = {message.document["type"]: message for message in scene.receivers.messages}
    # The other one is for services that decide about photos alone.
    assert sorted(found) == sorted(set(EVENT_TYPES) - {"photo.uploaded"})
    for kind, message in found.items():
        PAYLOADS[kind].model_validate_json(message.body)
        assert len(message.body) <= MAX_BYTES
    assert found["photo.rejected"].document["data"]["reason"] == "not an image"
    assert found["photo.deleted"].document["data"] == {"photo_id": encode(deleted.id), "author_id": encode(ada.id)}
    assert found["like.added"].document["data"] == {
        "photo_id": encode(photo.id),
        "owner_id": encode(ada.id),
        "user": {"id": encode(bob.id), "username": "bob"},
    }
    excerpt = found["comment.added"].document["data"]["excerpt"]
    assert excerpt.startswith("First long")
    assert len(excerpt) <= 140
    assert found["user.followed"].document["data"] == {
        "user_id": encode(ada.id),
        "follower": {"id": encode(bob.id), "username": "bob"},
    }


async def test_events_of_others_and_of_other_types_are_not_delivered(scene: WebhookScene) -> None:
    """An endpoint receives its owner's events alone, and of these the types that it names."""
    ada, bob = await new_users(scene.database, "ada", "bob")
    endpoint = await scene.endpoint(ada, "hooks.example.org", types=("photo.ready",))
    photo = await ready_photo(scene.database, bob)
    await scene.handle(PhotoReady(photo_id=photo.id, author_id=bob.id))
    await scene.handle(await like(scene.database, await ready_photo(scene.database, ada), bob))
    assert await scene.states(endpoint) == []


async def test_an_administrators_endpoint_over_everything_gets_all_events(scene: WebhookScene) -> None:
    """It gets events of all accounts, those of its owner once, and none once the owner is none or deleted."""
    root, bob = await new_users(scene.database, "root", "bob")
    async with scene.database.transaction() as tx:
        await users.set_role(tx, "root", Role.ADMIN)
    endpoint = await scene.endpoint(root, "all.example.org", scope=EndpointScope.ALL)
    for author in (root, bob):
        photo = await ready_photo(scene.database, author)
        await scene.handle(PhotoReady(photo_id=photo.id, author_id=author.id))
    await scene.send()
    authors = [message.document["data"]["author"]["username"] for message in scene.receivers.messages]
    assert sorted(authors) == ["bob", "root"]
    await scene.handle(PhotoReady(photo_id=photo.id, author_id=bob.id))
    async with scene.database.transaction() as tx:
        await users.set_role(tx, "root", Role.MODERATOR)
    await scene.handle(PhotoReady(photo_id=photo.id, author_id=bob.id))
    await scene.send()
    assert len(scene.receivers.messages) == 2
    assert await scene.states(endpoint) == ["done", "done", "waiting"]
    async with scene.database.transaction() as tx:
        await users.set_role(tx, "root", Role.ADMIN)
        await users.remove(tx, root.id)
    await scene.handle(PhotoReady(photo_id=photo.id, author_id=bob.id))
    assert len(await scene.states(endpoint)) == 3


async def test_a_suspended_administrator_gets_no_events_of_others(scene: WebhookScene) -> None:
    """The endpoint over everything of an account that is suspended receives nothing more."""
    root, bob = await new_users(scene.database, "root", "bob")
    async with scene.database.transaction() as tx:
        await users.set_role(tx, "root", Role.ADMIN)
    endpoint = await scene.endpoint(root, "all.example.org", scope=EndpointScope.ALL)
    async with scene.database.transaction() as tx:
        await account_restrictions.suspend(tx, root.id)
    photo = await ready_photo(scene.database, bob)
    await scene.handle(PhotoReady(photo_id=photo.id, author_id=bob.id))
    assert await scene.states(endpoint) == []


async def test_an_event_that_is_delivered_twice_by_the_queue_is_sent_once(scene: WebhookScene) -> None:
    """The queue delivers at least once; an endpoint gets one message for each event."""
    ada = await new_user(scene.database, "ada")
    await scene.endpoint(ada, "hooks.example.org")
    photo, event_id = await ready_photo(scene.database, ada), uuid.uuid4()
    event = PhotoReady(photo_id=photo.id, author_id=ada.id)
    await scene.handle(event, event_id=event_id)
    await scene.send()
    await scene.handle(event, event_id=event_id)
    await scene.advance(timedelta(minutes=5))
    await scene.send()
    assert len(scene.receivers.messages) == 1


@pytest.mark.parametrize("state", [EndpointState.UNVERIFIED, EndpointState.DISABLED])
async def test_an_endpoint_that_is_not_verified_gets_nothing(scene: WebhookScene, state: EndpointState) -> None:
    """Events are not even stored for it."""
    ada = await new_user(scene.database, "ada")
    endpoint = await scene.endpoint(ada, "hooks.example.org", active=False)
    async with scene.database.transaction() as tx:
        await webhook_endpoints.edit(tx, endpoint.id, owner_id=ada.id, state=state)
    photo = await ready_photo(scene.database, ada)
    await scene.handle(PhotoReady(photo_id=photo.id, author_id=ada.id))
    await scene.send()
    assert await scene.states(endpoint) == []
    assert scene.receivers.messages == []


async def test_events_for_a_paused_endpoint_wait_until_it_is_active(scene: WebhookScene) -> None:
    """Nothing is lost during a pause."""
    ada = await new_user(scene.database, "ada")
    endpoint = await scene.endpoint(ada, "hooks.example.org")
    async with scene.database.transaction() as tx:
        await webhook_endpoints.edit(tx, endpoint.id, owner_id=ada.id, state=EndpointState.PAUSED)
    photo = await ready_photo(scene.database, ada)
    await scene.handle(PhotoReady(photo_id=photo.id, author_id=ada.id))
    await scene.send()
    assert scene.receivers.messages == []
    async with scene.database.transaction() as tx:
        await webhook_endpoints.edit(tx, endpoint.id, owner_id=ada.id, state=EndpointState.ACTIVE)
    await scene.send()
    assert len(scene.receivers.messages) == 1


async def test_a_request_to_follow_is_no_follow(scene: WebhookScene) -> None:
    """The event comes when the request is accepted."""
    ada = await new_user(scene.database, "ada", private=True)
    bob = await new_user(scene.database, "bob")
    endpoint = await scene.endpoint(ada, "hooks.example.org")
    async with scene.database.transaction() as tx:
        await follows.follow(tx, bob.id, ada.id)
    await scene.handle(UserFollowed(follower_id=bob.id, followee_id=ada.id, requested=True))
    assert await scene.states(endpoint) == []


async def test_what_the_owner_may_not_see_any_more_is_not_sent(scene: WebhookScene) -> None:
    """A block, an unlike, a deletion or the end of an account between the event and the attempt."""
    database = scene.database
    ada, blocked, fickle, gone = await new_users(database, "ada", "blocked", "fickle", "gone")
    endpoint = await scene.endpoint(ada, "hooks.example.org")
    photo = await ready_photo(database, ada)
    for user in (blocked, fickle, gone):
        await scene.handle(await like(database, photo, user))
    async with database.transaction() as tx:
        comment, _ = await comments.add(tx, photo_id=photo.id, author_id=fickle.id, text="hm")
    await scene.handle(CommentAdded(comment_id=comment.id, photo_id=photo.id, owner_id=ada.id, user_id=fickle.id))
    async with database.transaction() as tx:
        await blocks.block(tx, ada.id, blocked.id)
        await likes.remove(tx, photo_id=photo.id, user_id=fickle.id)
        await comment_deletion.delete(tx, comment.id, user_id=fickle.id)
    async with database.transaction() as tx:
        await users.remove(tx, gone.id)
    await scene.send()
    assert scene.receivers.messages == []
    assert await scene.states(endpoint) == ["void"] * 4
    assert scene.metrics.ended == ["void"] * 4


async def test_a_deleted_account_and_a_deleted_endpoint_get_nothing_more(scene: WebhookScene) -> None:
    """What was stored for them before is not sent, and no secret of a deleted endpoint is kept."""
    ada, bob = await new_users(scene.database, "ada", "bob")
    for user in (ada, bob):
        endpoint = await scene.endpoint(user, f"{user.username}.example.org")
        await scene.handle(PhotoDeleted(photo_id=user.id, author_id=user.id, sha256=""))
    async with scene.database.transaction() as tx:
        await users.remove(tx, ada.id)
    async with scene.database.transaction() as tx:
        await webhook_endpoints.replace_secret(tx, endpoint.id, owner_id=bob.id, secret=new_secret(Scheme.HMAC))
        await webhook_endpoints.delete(tx, endpoint.id, owner_id=bob.id)
    await scene.send()
    assert scene.receivers.messages == []
    row = await scene.database.fetchrow(
        "SELECT secret, previous_secret FROM webhook_endpoints WHERE id = $1", endpoint.id
    )
    assert row is not None
    assert tuple(row) == ("", None)


async def test_an_ordered_endpoint_gets_the_events_of_a_subject_in_their_order(scene: WebhookScene) -> None:
    """A message waits for all earlier ones of its subject, and not for those of others."""
    database = scene.database
    ada, bob = await new_users(database, "ada", "bob")
    endpoint = await scene.endpoint(ada, "hooks.example.org", ordered=True)
    one, two = await ready_photo(database, ada), await ready_photo(database, ada)
    now = await database.fetchval("SELECT now() - interval '10 seconds'")
    like_id = await scene.handle(await like(database, one, bob), at=now + timedelta(seconds=1))
    ready_id = await scene.handle(PhotoReady(photo_id=one.id, author_id=ada.id), at=now)
    other_id = await scene.handle(PhotoReady(photo_id=two.id, author_id=ada.id), at=now + timedelta(seconds=2))
    scene.receivers.by_host["hooks.example.org"] = answer(500)
    await scene.send()
    assert sorted(scene.receivers.ids("hooks.example.org")) == sorted([ready_id, other_id])
    scene.receivers.by_host.clear()
    scene.receivers.messages.clear()
    await scene.advance(timedelta(seconds=6))
    await scene.send()
    assert [each for each in scene.receivers.ids("hooks.example.org") if each != other_id] == [ready_id, like_id]
    assert await scene.states(endpoint) == ["done"] * 3


def test_the_worker_has_settings() -> None:
    """Its concurrency is in the section of workers, the messages at once in that of webhooks."""
    assert Settings().worker.concurrency("webhooks") == 4
    assert Settings().webhooks.in_flight == 256
