"""Events: what has happened, in the past tense, as frozen values that pass through the outbox and the broker.

Bodies carry ids, never blobs. A body is a msgpack map of the fields plus `v`, the schema version. A reader ignores
unknown fields, so that fields can be added while old workers run.

The families of events are in modules of their own; this one has all of them, and their form in a message.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import msgpack

from storage.account_events import (
    CloseFriendChanged,
    PresenceHidden,
    ProfileImageRemoved,
    ProfileImageUploaded,
    SessionEnded,
    SuggestionsWanted,
    UserBlocked,
    UserChanged,
    UserFollowed,
    UserMuted,
    UserUnblocked,
    UserUnfollowed,
)
from storage.batch_events import (
    AccountDeleted,
    AccountOpened,
    ActivitiesWithdrawn,
    ActorRemoved,
    ActorVisibilityChanged,
    BellChunk,
    CachePurge,
    CopiesOutdated,
    FanoutChunk,
    MediaForget,
    MediaPurge,
    StarChunk,
)
from storage.event import Event
from storage.export_events import ExportRequested
from storage.import_events import ImportRequested, PhotoImported
from storage.mail_events import MailRequested, PasswordResetRequested
from storage.moderation_events import AppealAnswered, CaseDecided
from storage.notification_events import NotificationChanged, SecurityNoticed
from storage.photo_events import (
    CollectionsOutdated,
    PhotoAudienceChanged,
    PhotoDeferred,
    PhotoDeleted,
    PhotoEdited,
    PhotoHeld,
    PhotoHidden,
    PhotoItemRemoved,
    PhotoMarked,
    PhotoReady,
    PhotoRejected,
    PhotoRestored,
    PhotoTrending,
    PhotoUnscanned,
    PhotoUploaded,
    VariantWanted,
    VideoUnscanned,
    VideoUploaded,
    VideoWanted,
)
from storage.reaction_events import (
    CommentAdded,
    CommentDeleted,
    CommentEdited,
    CommentLiked,
    CommentPinned,
    CommentUnliked,
    LikeAdded,
    LikeRemoved,
    NotificationsOutdated,
    RepliesOrphaned,
)
from storage.webhook_events import WebhookNoticed

__all__ = [
    "SCHEMA_VERSION",
    "TOPICS",
    "AccountDeleted",
    "AccountOpened",
    "ActivitiesWithdrawn",
    "ActorRemoved",
    "ActorVisibilityChanged",
    "AppealAnswered",
    "BadEventError",
    "BellChunk",
    "CachePurge",
    "CaseDecided",
    "CloseFriendChanged",
    "CollectionsOutdated",
    "CommentAdded",
    "CommentDeleted",
    "CommentEdited",
    "CommentLiked",
    "CommentPinned",
    "CommentUnliked",
    "CopiesOutdated",
    "E",
    "Event",
    "ExportRequested",
    "FanoutChunk",
    "ImportRequested",
    "LikeAdded",
    "LikeRemoved",
    "MailRequested",
    "MediaForget",
    "MediaPurge",
    "NotificationChanged",
    "NotificationsOutdated",
    "PasswordResetRequested",
    "PhotoAudienceChanged",
    "PhotoDeferred",
    "PhotoDeleted",
    "PhotoEdited",
    "PhotoHeld",
    "PhotoHidden",
    "PhotoImported",
    "PhotoItemRemoved",
    "PhotoMarked",
    "PhotoReady",
    "PhotoRejected",
    "PhotoRestored",
    "PhotoTrending",
    "PhotoUnscanned",
    "PhotoUploaded",
    "PresenceHidden",
    "ProfileImageRemoved",
    "ProfileImageUploaded",
    "RepliesOrphaned",
    "SecurityNoticed",
    "SessionEnded",
    "StarChunk",
    "SuggestionsWanted",
    "UserBlocked",
    "UserChanged",
    "UserFollowed",
    "UserMuted",
    "UserUnblocked",
    "UserUnfollowed",
    "VariantWanted",
    "VideoUnscanned",
    "VideoUploaded",
    "VideoWanted",
    "WebhookNoticed",
    "decode",
    "encode",
]

SCHEMA_VERSION = 1


class BadEventError(ValueError):
    """Raised for an unknown topic, or a body that is not the msgpack map of its topic."""


_TYPES: dict[str, type[Event]] = {kind.topic: kind for kind in Event.__subclasses__()}
TOPICS = tuple(sorted(_TYPES))

E = TypeVar("E", bound=Event)


def encode(event: Event) -> bytes:
    """Return the msgpack body of an event."""
    fields: dict[str, Any] = {item.name: getattr(event, item.name) for item in dataclasses.fields(event)}
    return bytes(msgpack.packb({"v": SCHEMA_VERSION, **fields}))


def decode(topic: str, body: bytes) -> Event:
    """Return the event of a topic and its body; raise `BadEventError` if they do not match."""
    kind = _TYPES.get(topic)
    if kind is None:
        raise BadEventError(f"unknown topic {topic!r}")
    try:
        fields = msgpack.unpackb(body)
        names = {item.name for item in dataclasses.fields(kind)}
        return kind(**{name: value for name, value in fields.items() if name in names})
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
        raise BadEventError(f"the body of {topic} is not readable: {error}") from error
