"""The broker's port: how events reach the handlers of a queue, and what happens when one fails.

Adapters stand beside this file (`broker_local`, `broker_rabbitmq`) and pass one contract suite.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One event as it travels: `body` is msgpack (see `storage.events`), `headers` carry the request id.

    `attempt` counts deliveries to this queue from 1; `event_id` is the same for every copy and repeat.
    """

    event_id: str
    topic: str
    key: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """A message that was given up on; `id` is the adapter's own handle for replay and delete."""

    id: str
    queue: str
    message: Message
    error: str
    died_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How a queue is worked: messages at once, deliveries before dead-lettering, and the backoff in seconds.

    The n-th retry waits `backoff[min(n, len) - 1]`; fixed steps, because RabbitMQ keeps a queue for each.
    """

    concurrency: int = 16
    delivery_limit: int = 10
    backoff: Sequence[float] = (1.0, 5.0, 30.0, 120.0, 600.0)


Handler = Callable[[Message], Awaitable[None]]


class Broker(Protocol):
    """Deliver every event to every queue that wants its topic, at least once.

    Guarantees: a message is gone only after its handler returned or raised `Discard`, or after it stands
    among the dead letters; a consumer killed at any moment leaves its messages to others; `Retry` and
    failures are redelivered no sooner than the delay; order is kept only roughly. Bodies come back
    byte for byte, with `event_id` and headers. Methods raise `BrokerError` when the broker is away;
    `consume` instead reconnects by itself for as long as it runs.
    """

    async def consume(self, queue: str, handler: Handler, policy: Policy) -> None:
        """Work a queue until cancelled; then finish nothing new, and leave unfinished messages to others."""
        ...

    async def dead_letters(self, queue: str | None = None, *, limit: int = 100) -> Sequence[DeadLetter]:
        """List what was given up on, oldest first."""
        ...

    async def replay(self, letter_id: str) -> bool:
        """Deliver a dead letter to its queue again, as a first attempt; False if there is none such."""
        ...

    async def delete(self, letter_id: str) -> bool:
        """Forget a dead letter for good; False if there is none such."""
        ...

    async def depths(self) -> Mapping[str, int]:
        """Return how many messages wait in each queue, dead letters under `<queue>.dead`."""
        ...

    async def close(self) -> None:
        """Give back connections; consumers are cancelled before."""
        ...
