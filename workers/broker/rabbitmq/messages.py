"""Messages as AMQP carries them: the event id as `message_id`, the topic as `type`, the rest as headers.

Headers whose names begin with "x-" are the broker's: ours below, and RabbitMQ's `x-death`.
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


def outgoing(message: Message, *, remaining: float = 0.0, error: str = "") -> aio_pika.Message:
    """Return the AMQP form of a message; `remaining` seconds are to be waited after the next hop."""
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


def incoming(raw: AbstractIncomingMessage) -> Message:
    """Return the message of a delivery; one that a stranger published is read as far as it goes."""
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


def remaining_of(raw: AbstractIncomingMessage) -> float:
    """Return how many seconds a message has yet to wait before it may be handled."""
    value = (raw.headers or {}).get(REMAINING)
    return value / 1000 if isinstance(value, int) and value > 0 else 0.0


def letter(queue: str, raw: AbstractIncomingMessage) -> DeadLetter:
    """Return the dead letter of a delivery from `<queue>.dead`; its id names the queue and the event."""
    death = _death(raw)
    error = (raw.headers or {}).get(ERROR)
    if not error and death.get("reason") == "delivery_limit":
        error = "its consumer's connection was lost at every delivery"
    died_at = raw.timestamp if ERROR in (raw.headers or {}) else death.get("time")
    if isinstance(died_at, datetime) and died_at.tzinfo is None:
        died_at = died_at.replace(tzinfo=UTC)
    return DeadLetter(
        id=letter_id(queue, raw),
        queue=queue,
        message=incoming(raw),
        error=str(error or death.get("reason") or "unknown"),
        died_at=died_at if isinstance(died_at, datetime) else None,
    )


def letter_id(queue: str, raw: AbstractIncomingMessage) -> str:
    """Return the handle of a dead letter: copies of one event in one queue share it."""
    return f"{queue}:{raw.message_id or ''}"


def _death(raw: AbstractIncomingMessage) -> dict[str, Any]:
    deaths = (raw.headers or {}).get("x-death")
    newest = deaths[0] if isinstance(deaths, list) and deaths else None
    return newest if isinstance(newest, dict) else {}


def _reserved(name: str) -> bool:
    return name.startswith(_RESERVED)
