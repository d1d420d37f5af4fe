"""Which queues want which topics; the one table both brokers are set up from."""

from __future__ import annotations

from collections.abc import Sequence

RELAY = "relay"

BINDINGS: dict[str, tuple[str, ...]] = {
    "media": ("photo.uploaded", "photo.deleted"),
    "fanout": (
        "photo.ready",
        "photo.deleted",
        "fanout.chunk",
        "user.followed",
        "user.unfollowed",
        "user.blocked",
        "user.muted",
        "user.changed",
        "presence.hidden",
    ),
    "notify": (
        "photo.rejected",
        "photo.deleted",
        "like.added",
        "like.removed",
        "comment.added",
        "comment.deleted",
        "user.followed",
        "user.unfollowed",
    ),
}
QUEUES = tuple(BINDINGS)


def queues_of(topic: str) -> Sequence[str]:
    """Return the worker queues that want a topic."""
    return tuple(queue for queue, topics in BINDINGS.items() if topic in topics)


def relay_of(topic: str) -> Sequence[str]:
    """Return the relay's queue: with RabbitMQ the exchange does the routing."""
    return (RELAY,) if queues_of(topic) else ()
