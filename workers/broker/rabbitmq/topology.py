"""The topology on RabbitMQ, derived from the routing table: exchange, queues, retry queues and dead letters.

    picshare.events ──topic──▶ <queue> ──limit reached──▶ <queue>.dead
                                 ▲ │
                        TTL over │ ▼ failed
                              <queue>.retry.<ms>

All queues are quorum queues.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workers.broker.routing import BINDINGS, FORMER_BINDINGS

EXCHANGE = "picshare.events"
# Deliveries that end with the consumer's connection. Failures are counted in the message's own header instead,
# because RabbitMQ counts what it redelivers, and a retry is a new message to it.
CRASH_LIMIT = 10
# RabbitMQ 4 limits every quorum queue to 20 returns by default; reading dead letters returns them.
_NO_LIMIT = 2**31 - 1

Argument = str | int


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueSpec:
    """A queue to declare: its name, its arguments, and the topics that are bound to it.

    `former_topics` are no longer bound to it, but were in an earlier version.
    """

    name: str
    arguments: Mapping[str, Argument]
    topics: Sequence[str] = ()
    former_topics: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Topology:
    """Names and arguments of the exchange and the queues; `prefix` separates systems in one virtual host."""

    prefix: str = ""

    @property
    def exchange(self) -> str:
        """Return the name of the exchange that events are published to."""
        return self.prefix + EXCHANGE

    def queue(self, queue: str) -> str:
        """Return the name of a worker queue."""
        return self.prefix + queue

    def dead(self, queue: str) -> str:
        """Return the name of a queue's dead letters."""
        return f"{self.prefix}{queue}.dead"

    def retry(self, queue: str, step: float) -> str:
        """Return the name of the queue in which retries wait `step` seconds."""
        return f"{self.prefix}{queue}.retry.{milliseconds(step)}"

    def queues(self, steps: Sequence[float]) -> list[QueueSpec]:
        """Return every queue to declare, with retry queues for `steps` (seconds)."""
        # A queue comes after the queues that its messages go on to.
        return [
            spec
            for queue, topics in BINDINGS.items()
            for spec in (
                self.dead_spec(queue),
                self.work_spec(queue, topics, FORMER_BINDINGS[queue]),
                *self.retries(queue, steps),
            )
        ]

    def retries(self, queue: str, steps: Sequence[float]) -> list[QueueSpec]:
        """Return the retry queues of one worker queue."""
        # One queue for each step, with the TTL on the queue: RabbitMQ expires messages only at the head, so a long
        # delay before a short one would hold it up.
        return [
            QueueSpec(
                name=self.retry(queue, step),
                arguments={**_dead_lettered_to(self.queue(queue)), "x-message-ttl": milliseconds(step)},
            )
            for step in sorted(set(steps))
        ]

    def work_spec(self, queue: str, topics: Sequence[str] = (), former_topics: Sequence[str] = ()) -> QueueSpec:
        """Return the declaration of a worker queue."""
        arguments = {**_dead_lettered_to(self.dead(queue)), "x-delivery-limit": CRASH_LIMIT}
        return QueueSpec(name=self.queue(queue), arguments=arguments, topics=topics, former_topics=former_topics)

    def dead_spec(self, queue: str) -> QueueSpec:
        """Return the declaration of a worker queue's dead letters."""
        return QueueSpec(name=self.dead(queue), arguments={**_QUORUM, "x-delivery-limit": _NO_LIMIT})


_QUORUM: Mapping[str, Argument] = {"x-queue-type": "quorum"}


def _dead_lettered_to(target: str) -> dict[str, Argument]:
    """Return the arguments of a queue whose dead-lettered messages go to the queue `target`."""
    # At-least-once dead-lettering needs `reject-publish`, see
    # https://www.rabbitmq.com/docs/quorum-queues#activating-at-least-once-dead-lettering
    return {
        **_QUORUM,
        "x-overflow": "reject-publish",
        "x-dead-letter-strategy": "at-least-once",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": target,
    }


def milliseconds(step: float) -> int:
    """Return a retry step in whole milliseconds, rounded up, at least one."""
    return max(1, math.ceil(step * 1000 - 0.001))
