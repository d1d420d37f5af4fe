"""Models of the responses about comments and notifications."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import WithJsonSchema

from server.edge.photo_responses import TextEntity
from server.edge.responses import Id, ResponseModel, StreamListResponse, Time, UserSummaryResponse
from storage import models, notifications
from storage.render.notification import counters_fields

SHOWN_KINDS = tuple(kind for kind in notifications.NotificationKind if kind.shown is kind)
ShownKind = Annotated[
    notifications.NotificationKind, WithJsonSchema({"type": "string", "enum": [kind.value for kind in SHOWN_KINDS]})
]


class CommentLikeResponse(ResponseModel):
    """The state after a like or unlike of a comment."""

    liked: bool
    likes: int

    @classmethod
    def from_model(cls, like: models.CommentLike) -> CommentLikeResponse:
        """Return the response for the result of a like or unlike."""
        return cls(liked=like.liked, likes=like.likes)


class CommentResponse(ResponseModel):
    """A comment, or with `reply_to` a reply to that comment. `version` grows with each change of the comment.

    `replies` is their number, and `first_replies` the first three in a list of comments; replies have no such field.
    `pinned` comments come first. `edited_at` is null until the author changes the text.
    """

    id: Id
    photo_id: Id
    reply_to: Id | None
    author: UserSummaryResponse
    text: str
    entities: list[TextEntity]
    likes: int
    liked: bool
    replies: int
    pinned: bool
    version: int
    created_at: Time
    edited_at: Time | None
    first_replies: list[CommentResponse] | None = None


class CommentExcerptResponse(ResponseModel):
    """The comment that a notification is about, and its beginning: one line of at most 140 characters."""

    id: Id
    excerpt: str


class SecurityNoticeResponse(ResponseModel):
    """What happened to the viewer's account, and the device from which it was caused, null if that is unknown."""

    event: notifications.SecurityEvent
    device: str | None


class LocalizedTextResponse(ResponseModel):
    """A text in English with its places, and what is in them: a value is a text, a number or another such object.

    `several` is the text for other numbers than one, and `count` the number.
    """

    text: str
    several: str | None = None
    count: int | None = None
    values: dict[str, Any]


class NotificationResponse(ResponseModel):
    """A grouped entry of the inbox: up to three actors, newest first, of `count` in all.

    `position` grows with each new activity; the inbox is sorted by it. `decision_id` is the decision about the viewer
    that the entry is about, `webhook_id` the viewer's webhook, `security` what happened to the viewer's account.
    `text` is in English; `localized` has its parts, for clients that show it in another language.
    """

    id: Id
    position: Id
    kind: ShownKind
    actors: list[UserSummaryResponse]
    count: int
    photo_id: Id | None
    comment: CommentExcerptResponse | None
    decision_id: Id | None
    webhook_id: Id | None
    security: SecurityNoticeResponse | None
    text: str
    localized: LocalizedTextResponse | None
    created_at: Time
    updated_at: Time
    seen: bool
    read: bool


class KindCountersResponse(ResponseModel):
    """The numbers of notifications of one kind that were not seen yet and not opened yet."""

    unseen: int
    unread: int


class NotificationCountersResponse(ResponseModel):
    """The numbers of notifications that were not seen yet (the badge) and not opened yet.

    `kinds` has both numbers of each kind that has any.
    """

    unseen: int
    unread: int
    kinds: dict[str, KindCountersResponse]

    @classmethod
    def from_model(cls, counters: notifications.NotificationCounters) -> NotificationCountersResponse:
        """Return the response for the counters."""
        return cls.model_validate(counters_fields(counters))


class NotificationListResponse(StreamListResponse[NotificationResponse]):
    """A page of the inbox; `counters` are those of the whole inbox, on the first page, and null on others."""

    counters: NotificationCountersResponse | None
