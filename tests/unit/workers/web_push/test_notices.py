"""The message about each kind of notification: its text, its page, its topic, and its terms."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.ids import encode
from storage.models import UserSummary
from storage.notifications import CommentExcerpt, Notification, NotificationKind, SecurityEvent, SecurityNotice
from workers.web_push.notices import MOST_MISSED, message_of, notice_of, path_of, summary_of, terms_of, topic_of
from workers.web_push.port import PushUrgency

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ADA = UserSummary(id=8, username="ada", display_name="Ada Lovelace", avatar_sha256=None)
LIKE = Notification(
    id=1,
    user_id=7,
    kind=NotificationKind.LIKE,
    actors=(ADA,),
    count=1,
    photo_id=5,
    text="Ada Lovelace liked your photo",
    created_at=NOW,
    updated_at=NOW,
    seen=False,
    read=False,
)
COMMENT = replace(
    LIKE,
    kind=NotificationKind.COMMENT,
    text="Ada Lovelace commented on your photo",
    comment=CommentExcerpt(id=6, excerpt="How lovely"),
)
URL = "https://photos.example.com"


def _security(event: SecurityEvent) -> dict[str, object]:
    notice = SecurityNotice(event=event, device="Firefox on Linux")
    return {"kind": NotificationKind.SECURITY, "photo_id": None, "actors": (), "security": notice}


def test_a_message_has_the_text_and_the_comment() -> None:
    """It leads to the photo, and has the number for the badge."""
    message = message_of(notice_of(COMMENT), public_url=URL, unseen=4, hide_content=False)
    assert (message.title, message.body) == ("Ada Lovelace commented on your photo", "How lovely")
    assert message.navigate == f"{URL}/p/{encode(5)}?comment={encode(6)}"
    assert message.icon == f"{URL}/static/icons/picshare-192.png"
    assert (message.app_badge, message.tag) == (4, topic_of(COMMENT))


@pytest.mark.parametrize(
    ("changes", "button"),
    [
        ({}, None),
        ({"kind": NotificationKind.FOLLOW, "photo_id": None}, (f"follow:{encode(8)}", "Follow back")),
        ({"kind": NotificationKind.FOLLOW, "photo_id": None, "actors": (ADA, ADA), "count": 2}, None),
        ({"kind": NotificationKind.FOLLOW_REQUEST, "photo_id": None}, (f"accept:{encode(8)}", "Accept")),
        ({"kind": NotificationKind.COMMENT, "comment": COMMENT.comment}, (f"like_comment:{encode(6)}", "Like")),
        ({"kind": NotificationKind.REPLY, "comment": COMMENT.comment}, (f"like_comment:{encode(6)}", "Like")),
        ({"kind": NotificationKind.MENTION}, None),
        ({"kind": NotificationKind.POST_BY}, (f"like:{encode(5)}", "Like")),
        ({"kind": NotificationKind.POST_BY, "count": 2}, None),
        (_security(SecurityEvent.NEW_SIGN_IN), None),
    ],
)
def test_a_button_answers_in_one_step(changes: dict[str, Any], button: tuple[str, str] | None) -> None:
    """It is about one user, photo or comment, and there is none where content is hidden."""
    notice = notice_of(replace(LIKE, **changes))
    message = message_of(notice, public_url=URL, unseen=1, hide_content=False)
    assert [(action.action, action.title) for action in message.actions] == ([] if button is None else [button])
    assert all(action.navigate == message.navigate for action in message.actions)
    assert message_of(notice, public_url=URL, unseen=1, hide_content=True).actions == ()


@pytest.mark.parametrize("kind", list(NotificationKind))
def test_hidden_content_has_neither_names_nor_comments(kind: NotificationKind) -> None:
    """Of every kind, in a sentence of its own."""
    entry = replace(COMMENT, kind=kind)
    message = message_of(notice_of(entry), public_url=URL, unseen=1, hide_content=True)
    assert "Ada" not in message.title + message.body
    assert "lovely" not in message.title + message.body
    assert message.title.startswith(("You", "Your", "There"))
    assert message.navigate == message_of(notice_of(entry), public_url=URL, unseen=1, hide_content=False).navigate


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({}, f"/p/{encode(5)}"),
        ({"kind": NotificationKind.FOLLOW, "photo_id": None}, "/u/ada"),
        ({"kind": NotificationKind.FOLLOW, "photo_id": None, "actors": ()}, "/notifications"),
        ({"kind": NotificationKind.DECISION, "photo_id": None, "actors": (), "decision_id": 3}, "/settings/decisions"),
        (_security(SecurityEvent.NEW_SIGN_IN), "/settings/sessions"),
        (_security(SecurityEvent.PASSWORD_CHANGED), "/settings/security"),
        ({"kind": NotificationKind.EXPORT_READY, "photo_id": None, "actors": ()}, "/settings/data"),
        (
            {"kind": NotificationKind.WEBHOOK_FAILING, "photo_id": None, "actors": (), "webhook_id": 3},
            f"/settings/webhooks/{encode(3)}",
        ),
        ({"kind": NotificationKind.WEBHOOK_DISABLED, "photo_id": None, "actors": ()}, "/settings/webhooks"),
    ],
)
def test_a_message_leads_to_the_page_of_the_list(changes: dict[str, object], path: str) -> None:
    """As the list of notifications does."""
    assert path_of(replace(LIKE, **changes)) == path  # type: ignore[arg-type]


def test_what_is_about_the_same_has_one_topic() -> None:
    """A new entry about the likes of a photo replaces the former one; each comment has its own."""
    topic = topic_of(LIKE)
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", topic)
    assert topic_of(replace(LIKE, id=2)) == topic
    assert topic_of(replace(LIKE, photo_id=6)) != topic
    assert topic_of(replace(LIKE, user_id=9)) != topic
    assert topic_of(replace(COMMENT, id=2)) != topic_of(COMMENT)
    follow = replace(LIKE, kind=NotificationKind.FOLLOW, photo_id=None)
    assert topic_of(follow) == topic_of(replace(follow, id=2)) != topic


@pytest.mark.parametrize(
    ("kind", "hours", "urgency"),
    [
        (NotificationKind.LIKE, 4, PushUrgency.LOW),
        (NotificationKind.COMMENT_LIKE, 4, PushUrgency.LOW),
        (NotificationKind.COMMENT, 24, PushUrgency.NORMAL),
        (NotificationKind.FOLLOW_REQUEST, 24, PushUrgency.NORMAL),
        (NotificationKind.DECISION, 24, PushUrgency.HIGH),
        (NotificationKind.SECURITY, 24, PushUrgency.HIGH),
    ],
)
def test_likes_wait_and_security_does_not(kind: NotificationKind, hours: int, urgency: PushUrgency) -> None:
    """A phone that sleeps is not woken for a like."""
    assert (terms_of(kind).ttl, terms_of(kind).urgency) == (timedelta(hours=hours), urgency)


@pytest.mark.parametrize(
    ("number", "title"),
    [
        (1, "You have another notification"),
        (2, "2 more notifications"),
        (MOST_MISSED, "99+ more notifications"),
    ],
)
def test_a_summary_has_a_number_alone(number: int, title: str) -> None:
    """It opens the list, and replaces the former summary; there is nothing in it to hide."""
    notice = summary_of(7, 3, number)
    for hide_content in (True, False):
        message = message_of(notice, public_url=URL, unseen=40, hide_content=hide_content)
        assert (message.title, message.body) == (title, "")
        assert (message.navigate, message.tag, message.app_badge) == (f"{URL}/notifications", notice.topic, 40)
    assert summary_of(7, 4, 9).topic == notice.topic != summary_of(8, 3, number).topic
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", notice.topic)
    assert summary_of(7, 3, number).key == notice.key != summary_of(7, 4, number).key
