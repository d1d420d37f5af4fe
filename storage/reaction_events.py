"""Events about likes, comments and the notifications about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from storage.event import Event


@dataclass(frozen=True, kw_only=True)
class LikeAdded(Event):
    """A user liked a photo."""

    topic: ClassVar[str] = "like.added"
    photo_id: int
    owner_id: int
    user_id: int


@dataclass(frozen=True, kw_only=True)
class LikeRemoved(Event):
    """A user removed a like."""

    topic: ClassVar[str] = "like.removed"
    photo_id: int
    owner_id: int
    user_id: int


@dataclass(frozen=True, kw_only=True)
class CommentAdded(Event):
    """A user commented on a photo, or replied to a comment."""

    topic: ClassVar[str] = "comment.added"
    comment_id: int
    photo_id: int
    owner_id: int
    user_id: int


@dataclass(frozen=True, kw_only=True)
class CommentDeleted(Event):
    """A comment or a reply was deleted by its author or the photo's owner, or with the comment above it."""

    topic: ClassVar[str] = "comment.deleted"
    comment_id: int
    photo_id: int
    owner_id: int
    user_id: int


@dataclass(frozen=True, kw_only=True)
class CommentEdited(Event):
    """The author changed a comment's text; `mentions` are the accounts whose mention was added or removed."""

    topic: ClassVar[str] = "comment.edited"
    comment_id: int
    photo_id: int
    owner_id: int
    user_id: int
    mentions: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class CommentLiked(Event):
    """A user liked a comment by `author_id`."""

    topic: ClassVar[str] = "comment.liked"
    comment_id: int
    photo_id: int
    author_id: int
    user_id: int


@dataclass(frozen=True, kw_only=True)
class CommentUnliked(Event):
    """A user removed a like of a comment by `author_id`."""

    topic: ClassVar[str] = "comment.unliked"
    comment_id: int
    photo_id: int
    author_id: int
    user_id: int


@dataclass(frozen=True, kw_only=True)
class CommentPinned(Event):
    """The photo's owner pinned a comment, or unpinned it."""

    topic: ClassVar[str] = "comment.pinned"
    comment_id: int
    photo_id: int
    owner_id: int


@dataclass(frozen=True, kw_only=True)
class RepliesOrphaned(Event):
    """A comment was deleted whose replies are to be deleted, too; each event covers a batch."""

    topic: ClassVar[str] = "replies.orphaned"
    comment_id: int


@dataclass(frozen=True, kw_only=True)
class NotificationsOutdated(Event):
    """A photo was deleted, and what is about it is to be removed from the inboxes of others than its author.

    Each event covers a batch of inboxes; its handler emits the next one until none is left.
    """

    topic: ClassVar[str] = "notifications.outdated"
    photo_id: int
