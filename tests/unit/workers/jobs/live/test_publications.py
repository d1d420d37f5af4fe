"""The documents that are published to live clients."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from channels.bus.addressing import presence_topic
from channels.contract.ports import Presence
from storage.ids import encode
from storage.models import PhotoCounters, UserSummary
from storage.notifications import Notification, NotificationCounters, NotificationKind
from workers.jobs.live import publications

STATE = PhotoCounters(photo_id=5, liked=True, likes=2, comments=1, version=9, changed=True)
COUNTED = {"photo_id": encode(5), "likes": 2, "comments": 1, "version": 9}
MOMENT = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
ENTRY = Notification(
    id=7,
    position=8,
    user_id=1,
    kind=NotificationKind.FOLLOW,
    actors=(UserSummary(id=2, username="bob", display_name="Bob", avatar_sha256="a" * 64),),
    count=1,
    photo_id=None,
    text="bob started following you",
    created_at=MOMENT,
    updated_at=MOMENT,
    seen=True,
    read=False,
)


def test_photo_documents() -> None:
    """A new photo is published whole, a deleted one by its id."""
    assert orjson.loads(publications.photo_new(b'{"id":"x"}')) == {"type": "photo.new", "photo": {"id": "x"}}
    assert orjson.loads(publications.photo_removed(5)) == {"type": "photo.removed", "photo_id": encode(5)}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (publications.photo_liked(STATE), {"type": "photo.liked", **COUNTED}),
        (publications.photo_unliked(STATE), {"type": "photo.unliked", **COUNTED}),
        (
            publications.photo_commented(STATE, b'{"text":"}"}'),
            {"type": "photo.commented", **COUNTED, "comment": {"text": "}"}},
        ),
        (
            publications.comment_deleted(STATE, 6),
            {"type": "photo.comment_deleted", **COUNTED, "comment_id": encode(6)},
        ),
    ],
)
def test_counted_documents(document: bytes, expected: object) -> None:
    """Likes and comments are published with the counters after them, and the version of these."""
    assert orjson.loads(document) == expected


def test_notification_documents() -> None:
    """A new notification is published whole, a removed one by its id, both with the inbox's counters."""
    counters = NotificationCounters(unseen=1, unread=2, kinds={NotificationKind.LIKE: (1, 2)})
    document = orjson.loads(publications.notification_new(ENTRY, counters))
    assert document["counters"] == {"unseen": 1, "unread": 2, "kinds": {"like": {"unseen": 1, "unread": 2}}}
    assert document["notification"] == {
        "id": encode(7),
        "position": encode(8),
        "kind": "follow",
        "actors": [
            {
                "id": encode(2),
                "username": "bob",
                "display_name": "Bob",
                "avatar_url": f"/media/{'a' * 64}/thumb.jpg",
            }
        ],
        "count": 1,
        "photo_id": None,
        "comment": None,
        "decision_id": None,
        "webhook_id": None,
        "security": None,
        "text": "bob started following you",
        "localized": None,
        "created_at": "2026-11-20T12:00:00.123Z",
        "updated_at": "2026-11-20T12:00:00.123Z",
        "seen": True,
        "read": False,
    }
    assert orjson.loads(publications.notification_removed(7, counters)) == {
        "type": "notification.removed",
        "notification_id": encode(7),
        "counters": {"unseen": 1, "unread": 2, "kinds": {"like": {"unseen": 1, "unread": 2}}},
    }


@pytest.mark.parametrize(
    ("presence", "fields"),
    [
        (Presence(online=True), {"online": True}),
        (Presence(online=False), {"online": False}),
        (
            Presence(online=False, last_seen=1_795_179_695_627),
            {"online": False, "last_seen": "2026-11-20T13:01:35.627Z"},
        ),
    ],
)
def test_presence_documents(presence: Presence, fields: dict[str, object]) -> None:
    """A presence has the user's id, and the last visit in the API's time format if that is known."""
    document = orjson.loads(publications.presence_changed(5, presence))
    assert document == {"type": "presence", "user_id": encode(5), **fields}


def test_topic_names() -> None:
    """Names of topics contain the ids of the API."""
    assert (publications.photo_topic(5), publications.user_topic(6)) == (f"photo:{encode(5)}", f"user:{encode(6)}")
    assert publications.presence_topic(5 * 64 + 63) == presence_topic(5, 5 * 64 + 63)  # of the user's slot group
