"""The ports of the live layer, on real stores."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from channels.bus.envelope import stream_body
from channels.contract.errors import PermissionDeniedError, TokenExpiredError, TokenInvalidError, UnknownChannelError
from channels.contract.ports import Identity, Position
from server.actions.presence import PresenceReader
from server.composition.delivery import delivery_script
from server.identity.tokens import AccessTokens
from server.live.access import LiveAuthenticator, LiveAuthorizer
from server.live.streams import LiveStreams, live_streams
from storage import ids
from storage.feeds.notification_log import NotificationLog
from storage.models import Role
from storage.notifications import Activity, NotificationKind
from storage.redis.client import Redis
from tests.support.api import SECRET, Api
from tests.support.api_user import ApiUser
from tests.support.community import record_notification, retract_notification
from tests.support.driver_commands import commands
from tests.support.inboxes import counters_json
from tests.support.pictures import photograph
from tests.support.recorded_reads import RecordedReads
from workers.jobs.inbox.inbox import Inbox

pytestmark = pytest.mark.engines

MESSAGE = stream_body("feed", b"{}")


def identity_of(user: ApiUser) -> Identity:
    """Return the identity of a user on a live connection."""
    return Identity(user_id=ids.decode(user.id), session="s", expires_at=time.time() + 60)


def authorizer_of(api: Api) -> LiveAuthorizer:
    """Return the authorizer on the API's stores."""
    return LiveAuthorizer(
        api.services.db, PresenceReader(api.services.db, api.services.stores.presence), api.services.reads
    )


async def test_a_subscriber_s_reads_have_what_was_published_before(api: Api) -> None:
    """A client fetches it after the subscription, and a replica might not have it yet."""
    ann, ben = await api.user(), await api.user()
    reads = RecordedReads()
    authorizer = LiveAuthorizer(api.services.db, PresenceReader(api.services.db, api.services.stores.presence), reads)
    await authorizer.authorize(identity_of(ben), f"user:{ann.id}")
    assert reads.kept == [ids.decode(ben.id)]
    for channel in ("user", "photo", "presence", "webhook"):
        with pytest.raises(PermissionDeniedError):
            await authorizer.authorize(identity_of(ben), f"{channel}:{ids.encode(1)}")
    assert len(reads.kept) == 1


@pytest.fixture
def streams(api: Api, redis: Redis) -> LiveStreams:
    """The streams of the API's stores."""
    services = api.services
    return live_streams(
        db=services.db,
        feeds=services.stores.feeds,
        cards=services.stores.cards,
        counter_cache=services.counter_cache,
        notification_log=NotificationLog(redis, delivery_script(redis)),
        sign=services.media_urls.sign,
    )


async def test_an_access_token_and_a_ticket_open_a_connection(api: Api) -> None:
    """Both have the same user and session; a ticket is valid once."""
    ann = await api.user()
    authenticator = LiveAuthenticator(api.tokens, api.services.tickets)
    by_token = await authenticator.authenticate(ann.token)
    ticket = (await ann.call("POST", "/live/token")).expect(201)["token"]
    assert await authenticator.authenticate(ticket) == by_token
    assert by_token.user_id == ids.decode(ann.id)
    with pytest.raises(TokenInvalidError):
        await authenticator.authenticate(ticket)


async def test_expired_forged_and_revoked_tokens_open_none(api: Api) -> None:
    """An expired token has an error of its own, so that the client fetches a new one; all others are invalid."""
    ann = await api.user()
    authenticator = LiveAuthenticator(api.tokens, api.services.tickets)
    old = AccessTokens(SECRET, ttl=900, clock=lambda: time.time() - 1000)
    with pytest.raises(TokenExpiredError):
        await authenticator.authenticate(old.issue(user_id=1, session="s", role=Role.USER))
    for token in ("", "x", "a.b.c", "x" * 10_000):
        with pytest.raises(TokenInvalidError):
            await authenticator.authenticate(token)
    ticket = (await ann.call("POST", "/live/token")).expect(201)["token"]
    await authenticator.confirm(await authenticator.authenticate(ann.token))
    (await ann.call("DELETE", "/tokens/current")).expect(204)
    for token in (ann.token, ticket):
        with pytest.raises(TokenInvalidError):
            await authenticator.confirm(await authenticator.authenticate(token))


async def test_a_ticket_ends_with_its_access_token(api: Api) -> None:
    """A ticket opens nothing once the access token that requested it has expired, and neither does a reconnect."""
    ann = await api.user()
    now = time.time()
    authenticator = LiveAuthenticator(api.tokens, api.services.tickets, clock=lambda: now)
    tickets = [(await ann.call("POST", "/live/token")).expect(201)["token"] for _ in range(3)]
    _, key = await authenticator.authenticate_stream(tickets[0], None)
    now = api.tokens.verify(ann.token).expires_at
    with pytest.raises(TokenExpiredError):
        await authenticator.authenticate(tickets[1])
    for ticket, given in ((tickets[0], key), (tickets[2], None)):
        with pytest.raises(TokenExpiredError):
            await authenticator.authenticate_stream(ticket, given)


async def test_a_ticket_reconnects_the_stream_that_it_opened(api: Api, redis: Redis) -> None:
    """The ticket and the key of the stream are accepted again and again, until the access token expires."""
    ann = await api.user()
    authenticator = LiveAuthenticator(api.tokens, api.services.tickets)
    ticket, other = [(await ann.call("POST", "/live/token")).expect(201)["token"] for _ in range(2)]
    identity, key = await authenticator.authenticate_stream(ticket, None)
    for _ in range(3):
        assert await authenticator.authenticate_stream(ticket, key) == (identity, key)
    for given in (None, "0" * 32):
        with pytest.raises(TokenInvalidError):
            await authenticator.authenticate_stream(ticket, given)
    with pytest.raises(TokenInvalidError):
        await authenticator.authenticate(ticket)
    # A new ticket with the last event id of the earlier stream begins a stream with a key of its own.
    assert (await authenticator.authenticate_stream(other, key))[1] != key
    stored = [name for names in (await redis.execute_everywhere("KEYS", "ticket:*")).values() for name in names]
    assert len(stored) == 2
    assert not any(ticket.encode() in name or key.encode() in name for name in stored)
    assert all([800 < await commands(redis).ttl(name) <= 900 for name in stored])


async def test_a_feed_recovers_additions_and_removals(api: Api, streams: LiveStreams) -> None:
    """New photos are recovered as JSON, removed ones as removals; a photo deleted in the meantime is left out."""
    ann = await api.user()
    user_id = ids.decode(ann.id)
    old = await ann.upload(photograph())
    await api.finish(old)
    start = await streams.position(user_id, "feed")
    made = []
    for _ in range(2):
        made.append(await ann.upload(photograph()))
        await api.finish(made[-1])
        await api.services.stores.feeds.insert(ids.decode(made[-1]["id"]), [user_id], MESSAGE)
    await api.services.stores.feeds.remove(ids.decode(old["id"]), [user_id], MESSAGE)
    (await ann.call("DELETE", f"/photos/{made[1]['id']}")).expect(204)
    recovery = await streams.recover(user_id, "feed", start)
    assert recovery.recovered
    published: list[dict[str, Any]] = [orjson.loads(item.data) for item in recovery.publications]
    assert [item["type"] for item in published] == ["photo.new", "photo.removed"]
    assert published[0]["photo"]["id"] == made[0]["id"]
    assert set(published[0]["photo"]["urls"]) == {"thumb", "feed"}
    assert published[1]["photo_id"] == old["id"]
    assert recovery.position.offset >= recovery.publications[-1].offset
    again = await streams.recover(user_id, "feed", recovery.position)
    assert (again.recovered, list(again.publications)) == (True, [])


async def test_suggestions_are_recovered_by_the_author_alone(api: Api, streams: LiveStreams) -> None:
    """A missed photo of one's own is recovered as it was published, with suggestions; a follower's without."""
    ann, ben = await api.user(), await api.user()
    await ben.follow(ann)
    readers = [ids.decode(user.id) for user in (ann, ben)]
    starts = [await streams.position(user_id, "feed") for user_id in readers]
    photo = await ann.upload(photograph())
    await api.finish(photo, suggestions={"caption": "A rocket"})
    await api.services.stores.feeds.insert(ids.decode(photo["id"]), readers, MESSAGE)
    recovered = [await streams.recover(*where) for where in zip(readers, ["feed", "feed"], starts, strict=True)]
    own, theirs = [orjson.loads(recovery.publications[0].data)["photo"] for recovery in recovered]
    assert own.pop("suggestions") == {"caption": "A rocket"}
    assert own == theirs


async def test_a_position_of_another_history_is_not_recovered(api: Api, streams: LiveStreams) -> None:
    """With another or a malformed epoch nothing is recovered, and the client gets the current position."""
    ann = await api.user()
    user_id = ids.decode(ann.id)
    for stream in ("feed", "notifications"):
        now = await streams.position(user_id, stream)
        for since in (Position(epoch="1", offset=0), Position(epoch="x", offset=0), Position(epoch="", offset=-1)):
            recovery = await streams.recover(user_id, stream, since)
            assert (recovery.recovered, recovery.position) == (False, now)


async def test_notifications_recover_with_counters(api: Api, streams: LiveStreams) -> None:
    """A missed notification is recovered as published; one that was retracted is recovered as a removal."""
    ann, bob = await api.user(), await api.user("bob")
    user_id, actor_id = ids.decode(ann.id), ids.decode(bob.id)
    photo_id = ids.decode((await ann.upload(photograph()))["id"])
    start = await streams.position(user_id, "notifications")
    async with api.services.db.transaction() as tx:
        entry = await record_notification(
            tx,
            recipient_id=user_id,
            kind=NotificationKind.LIKE,
            actor_id=actor_id,
            photo_id=photo_id,
            source_id=photo_id,
        )
    assert entry is not None
    await api.services.notification_log.push(user_id, entry.id, MESSAGE)
    (publication,) = (await streams.recover(user_id, "notifications", start)).publications
    published = orjson.loads(publication.data)
    assert published["type"] == "notification"
    assert published["notification"]["text"] == "bob liked your photo"
    assert published["counters"] == counters_json(like=(1, 1))
    async with api.services.db.transaction() as tx:
        await retract_notification(
            tx,
            recipient_id=user_id,
            kind=NotificationKind.LIKE,
            actor_id=actor_id,
            photo_id=photo_id,
            source_id=photo_id,
        )
    (publication,) = (await streams.recover(user_id, "notifications", start)).publications
    assert orjson.loads(publication.data) == {
        "type": "notification.removed",
        "notification_id": ids.encode(entry.id),
        "counters": counters_json(),
    }


async def test_what_brings_no_news_is_recovered_as_a_change(api: Api, streams: LiveStreams) -> None:
    """A missed retraction that leaves other users is recovered as a change, missed marks with all marked entries."""
    ann, bob, cat = await api.user(), await api.user(), await api.user()
    user_id = ids.decode(ann.id)
    photo_id = ids.decode((await ann.upload(photograph()))["id"])
    start = await streams.position(user_id, "notifications")
    inbox = Inbox(api.services.db, api.services.notification_log)
    likes = [
        Activity(
            recipient_id=user_id,
            kind=NotificationKind.LIKE,
            actor_id=ids.decode(user.id),
            photo_id=photo_id,
            source_id=photo_id,
        )
        for user in (bob, cat)
    ]
    for like in likes:
        await inbox.record(like)
    await inbox.withdraw(likes[1])
    (publication,) = (await streams.recover(user_id, "notifications", start)).publications
    changed = orjson.loads(publication.data)
    assert changed["type"] == "notification.changed"
    now = await streams.position(user_id, "notifications")
    for path in ("seen", "read"):
        (await ann.call("POST", f"/notifications/{path}", json={})).expect(204)
    recovered = (await streams.recover(user_id, "notifications", now)).publications
    counters, entry_ids = counters_json(), [changed["notification"]["id"]]
    assert [orjson.loads(publication.data) for publication in recovered] == [
        {"type": "notifications.marked", "mark": mark, "counters": counters, "ids": entry_ids}
        for mark in ("seen", "read")
    ]
    now = await streams.position(user_id, "notifications")
    (await ann.call("DELETE", "/notifications?read=true")).expect(204)
    (publication,) = (await streams.recover(user_id, "notifications", now)).publications
    removed = {"type": "notifications.removed", "counters": counters, "ids": entry_ids}
    assert orjson.loads(publication.data) == removed


async def test_subscribing_to_another_user_s_stream_is_denied(api: Api) -> None:
    """Streams of other users, unknown channels, and resources that the user may not see are not granted."""
    ann, bob = await api.user(), await api.user()
    authorizer = authorizer_of(api)
    photo = await ann.upload(photograph())
    for channel in (f"feed:{ann.id}", f"notifications:{ann.id}", "feed", f"photo:{photo['id']}"):
        with pytest.raises(PermissionDeniedError):
            await authorizer.authorize(identity_of(bob), channel)
    for channel in (
        "",
        "photo",
        "photo:",
        "photo:x",
        "user:*",
        "presence",
        "topic:photo:1",
        "photo:00000000000000",
    ):
        with pytest.raises(UnknownChannelError):
            await authorizer.authorize(identity_of(bob), channel)
    grant = await authorizer.authorize(identity_of(ann), f"photo:{photo['id'].lower()}")
    assert (grant.topic, grant.owner_id) == (f"photo:{photo['id']}", ids.decode(ann.id))


async def test_a_block_denies_what_was_granted_before(api: Api) -> None:
    """After a block, neither the photo nor the profile is granted any more."""
    ann, bob = await api.user(), await api.user()
    authorizer = authorizer_of(api)
    photo = await ann.upload(photograph())
    await api.finish(photo)
    channels = (f"photo:{photo['id']}", f"user:{ann.id}")
    for channel in channels:
        assert (await authorizer.authorize(identity_of(bob), channel)).owner_id == ids.decode(ann.id)
    (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
    for channel in channels:
        with pytest.raises(PermissionDeniedError):
            await authorizer.authorize(identity_of(bob), channel)


async def test_the_attempts_at_a_webhook_are_for_its_owner_alone(api: Api) -> None:
    """Another user cannot tell whether there is such a webhook."""
    ann, eve = await api.user(), await api.user()
    made = (await ann.call("POST", "/webhooks", json={"url": "https://93.184.215.14/"})).expect(201)
    channel = f"webhook:{made['id']}"
    grant = await authorizer_of(api).authorize(identity_of(ann), channel)
    assert (grant.topic, grant.owner_id) == (channel, ids.decode(ann.id))
    for other in (channel, f"webhook:{ids.encode(1)}"):
        with pytest.raises(PermissionDeniedError) as refused:
            await authorizer_of(api).authorize(identity_of(eve), other)
        assert str(refused.value) == "There is no such webhook, or it belongs to another user."
