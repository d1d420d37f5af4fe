"""Routing of topics to queues, derived from the registry of workers; both brokers are set up from it."""

from __future__ import annotations

from collections.abc import Sequence

from workers.registry import WORKERS

RELAY = "relay"
BINDINGS: dict[str, tuple[str, ...]] = {spec.name: spec.topics for spec in WORKERS}
FORMER_BINDINGS: dict[str, tuple[str, ...]] = {spec.name: spec.former_topics for spec in WORKERS}
QUEUES = tuple(BINDINGS)
ROLES: dict[str, str] = {spec.name: spec.role for spec in WORKERS}
"""Queue → the role whose processes consume it, as in `picshare worker <role>`."""


def queues_of(topic: str) -> Sequence[str]:
    """Return the worker queues that a topic is bound to."""
    return tuple(queue for queue, topics in BINDINGS.items() if topic in topics)


def relay_of(topic: str) -> Sequence[str]:
    """Return the relay's queue, or nothing for an unbound topic; RabbitMQ's exchange then routes the event."""
    return (RELAY,) if queues_of(topic) else ()
