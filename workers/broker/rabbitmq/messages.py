"""The AMQP form of messages: the event id is `message_id`, the topic is `type`, everything else is in headers.

Headers with names in "x-" belong to the broker: the ones below, and RabbitMQ's `x-death`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from workers.broker.port import DeadLetter, Message

ATTEMPT = "x-attempt"
KEY = "x-key"
REMAINING = "x-remaining-ms"
ERROR = "x-error"
_RESERVED = "x-"


def to_amqp(message: Message, *, remaining: float = 0.0, error: str = "") -> aio_pika.Message:
    """Return the AMQP form of a message; `remaining` is what is left of its delay (seconds) after the next queue."""
    # A reserved name from outside must not pass for one of ours.
    headers: dict[str, Any] = {name: value for name, value in message.headers.items() if not _reserved(name)}
    headers[KEY] = message.key
    headers[ATTEMPT] = message.attempt
    if remaining:
        headers[REMAINING] = round(remaining * 1000)
    if error:
        headers[ERROR] = error
    return aio_pika.Message(
        message.body,
        message_id=message.event_id,
        type=message.topic,
        headers=headers,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        timestamp=datetime.now(UTC),
    )


def from_amqp(raw: AbstractIncomingMessage) -> Message:
    """Return the message of a delivery."""
    # Another program may have published it: what is missing or malformed gets a default, and the handler decides.
    headers = raw.headers or {}
    attempt = headers.get(ATTEMPT)
    return Message(
        event_id=raw.message_id or "",
        topic=raw.type or raw.routing_key or "",
        key=str(headers.get(KEY, "")),
        body=raw.body,
        headers={name: str(value) for name, value in headers.items() if not _reserved(name)},
        attempt=attempt if isinstance(attempt, int) and attempt > 0 else 1,
    )


def remaining_delay(raw: AbstractIncomingMessage) -> float:
    """Return the seconds that a message must still wait before it may be handled."""
    value = (raw.headers or {}).get(REMAINING)
    return value / 1000 if isinstance(value, int) and value > 0 else 0.0


def dead_letter(queue: str, raw: AbstractIncomingMessage) -> DeadLetter:
    """Return the dead letter of a delivery from `<queue>.dead`."""
    # A consumer's dead letter carries its error, and was published when it died. One without comes from RabbitMQ
    # itself, which notes the reason and the time in `x-death`.
    death = _death(raw)
    error = (raw.headers or {}).get(ERROR)
    # The delivery limit counts only deliveries that ended with their connection, see `topology.CRASH_LIMIT`.
    if not error and death.get("reason") == "delivery_limit":
        error = "its consumer's connection was lost at every delivery"
    died_at = raw.timestamp if ERROR in (raw.headers or {}) else death.get("time")
    if isinstance(died_at, datetime) and died_at.tzinfo is None:
        died_at = died_at.replace(tzinfo=UTC)
    return DeadLetter(
        id=dead_letter_id(queue, raw),
        queue=queue,
        message=from_amqp(raw),
        error=str(error or death.get("reason") or "unknown"),
        died_at=died_at if isinstance(died_at, datetime) else None,
    )


def dead_letter_id(queue: str, raw: AbstractIncomingMessage) -> str:
    """Return the id of a dead letter, "<queue>:<event id>"; copies of one event in one queue share it."""
    return f"{queue}:{raw.message_id or ''}"


def _death(raw: AbstractIncomingMessage) -> dict[str, Any]:
    deaths = (raw.headers or {}).get("x-death")
    newest = deaths[0] if isinstance(deaths, list) and deaths else None
    return newest if isinstance(newest, dict) else {}


def _reserved(name: str) -> bool:
    return name.startswith(_RESERVED)
