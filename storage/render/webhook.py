"""The JSON of an attempt at a webhook."""

from __future__ import annotations

from typing import Any

import orjson

from storage.ids import encode
from storage.render.timestamps import timestamp
from storage.webhooks import Attempt, message_id


def attempt_json(attempt: Attempt) -> bytes:
    """Return an attempt as the API represents it."""
    return orjson.dumps(attempt_fields(attempt))


def attempt_fields(attempt: Attempt) -> dict[str, Any]:
    """Return the fields of an attempt, ready for JSON."""
    return {
        "id": encode(attempt.id),
        "message_id": message_id(attempt.event_id),
        "type": attempt.type,
        "number": attempt.number,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "error": attempt.error,
        "duration_ms": attempt.milliseconds,
        "request_headers": dict(attempt.request_headers),
        "response": attempt.response,
        "created_at": timestamp(attempt.created_at),
    }
