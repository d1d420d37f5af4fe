"""The broker's port: how events reach the handlers of a queue, and what happens when a handler fails.

The adapters are `workers.broker.local` and `workers.broker.rabbitmq`; both pass tests/contract/test_broker.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One event in transit: `body` is msgpack (see `storage.events`), `headers` carry the request id and `due_at`.

    `due_at` is when the event was due, in milliseconds since 1970. `attempt` counts the deliveries from this queue,
    from 1. `event_id` is the same for all copies and redeliveries.
    """

    event_id: str
    topic: str
    key: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """A message whose last attempt failed; `id` is the adapter's own, for replay and delete."""

    id: str
    queue: str
    message: Message
    error: str
    died_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How to consume a queue: messages at once, deliveries before dead-lettering, and the backoff in seconds.

    The n-th retry waits `backoff[min(n, len) - 1]`. The steps are fixed because RabbitMQ needs a queue for each.
    """

    concurrency: int = 16
    delivery_limit: int = 10
    backoff: Sequence[float] = (1.0, 5.0, 30.0, 120.0, 600.0)


Handler = Callable[[Message], Awaitable[None]]


class Broker(Protocol):
    """Delivers every event to every queue that is bound to its topic, at least once.

    Guarantees: a message is removed only after its handler has returned or raised `Discard`, or once it is a dead
    letter; a consumer that is killed at any moment leaves its messages to others; retries are redelivered no sooner
    than their delay; order is kept only roughly; bodies arrive byte for byte, with `event_id` and headers. Methods
    raise `BrokerError` when the broker is unavailable; `consume` reconnects instead, for as long as it runs.
    """

    async def consume(self, queue: str, handler: Handler, policy: Policy) -> None:
        """Consume a queue until cancelled; messages in progress are then left to other consumers."""
        ...

    async def dead_letters(self, queue: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        """Return the dead letters of one queue, or of all, oldest first."""
        ...

    async def replay(self, dead_letter_id: str) -> bool:
        """Move a dead letter back to its queue as a first attempt; return False if it does not exist."""
        ...

    async def delete(self, dead_letter_id: str) -> bool:
        """Delete a dead letter; return False if it does not exist."""
        ...

    async def depths(self) -> Mapping[str, int]:
        """Return the number of messages that wait in each queue, with dead letters under `<queue>.dead`."""
        ...

    async def queues_without_consumers(self) -> Sequence[str]:
        """Return the worker queues that no process consumes; nothing if the broker does not know its consumers."""
        ...

    async def close(self) -> None:
        """Close the connections; consumers must be cancelled first."""
        ...
