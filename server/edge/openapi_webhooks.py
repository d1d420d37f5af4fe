"""The section `webhooks` of the OpenAPI document: the messages to receivers, from the models that build them."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import BaseModel

from workers.webhooks.payloads import PAYLOADS

_HEADERS = {
    "webhook-id": "The id of the message, the same in all attempts; skip one that you have handled.",
    "webhook-timestamp": "When this attempt was made, in seconds since 1970; refuse one of more than 5 minutes ago.",
    "webhook-signature": "Signatures of `id.timestamp.body`, divided by spaces; one of them has to be valid.",
}
_RESPONSES = {
    "2XX": "The message was accepted. Only then it is not sent again.",
    "410": "No more messages are wanted: the webhook is disabled.",
    "default": "The message is sent again later; see Retry-After.",
}
MODELS = tuple(PAYLOADS.values())


def webhook_operations(names: dict[type[BaseModel], dict[str, Any]]) -> dict[str, Any]:
    """Return the section; `names` has the reference to the schema of each model."""
    return {kind: {"post": _operation(kind, model, names[model])} for kind, model in PAYLOADS.items()}


def _operation(kind: str, model: type[BaseModel], schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": f"webhook_{kind.replace('.', '_')}",
        "summary": inspect.cleandoc(model.__doc__ or "").partition("\n")[0].removesuffix("."),
        "tags": ["webhooks"],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {status: {"description": text} for status, text in _RESPONSES.items()},
    }
