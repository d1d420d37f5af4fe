"""The payload of a push message: the JSON of Declarative Web Push, or to an app, that of Mastodon.

Browsers show the former without a script: Safari and Firefox by themselves, and others pass it on to the service
worker, which reads the same fields
(https://w3c.github.io/push-api/#declarative-push-message).
"""

from __future__ import annotations

from typing import Any

import orjson

from workers.web_push.encryption import MAX_PAYLOAD
from workers.web_push.port import AppMessage, PushMessage

SHORT_PAYLOAD = 1024  # bytes of a second attempt, after a push service has found the first one too large
_MARK = 8030  # the number by which a browser recognises the form
_ELLIPSIS = "…"


def payload_of(message: PushMessage | AppMessage, *, limit: int = MAX_PAYLOAD) -> bytes:
    """Return the payload of a message in at most `limit` bytes, with a shortened body, and then a shortened title.

    Raises `ValueError` if it does not fit without them.
    """
    title, body = message.title, message.body
    while len(payload := _json(message, title, body)) > limit:
        excess = len(payload) - limit
        if body:
            body = _shortened(body, excess)
        elif title:
            title = _shortened(title, excess)
        else:
            raise ValueError(f"the message does not fit into {limit} bytes")
    return payload


def _json(message: PushMessage | AppMessage, title: str, body: str) -> bytes:
    if isinstance(message, AppMessage):
        return _json_of_app(message, title, body)
    notification: dict[str, Any] = {
        "title": title,
        "body": body,
        "navigate": message.navigate,
        "tag": message.tag,
        "lang": message.language,
        # Names and comments may be written from right to left.
        "dir": "auto",
    }
    if message.icon is not None:
        notification["icon"] = message.icon
    if message.actions:
        notification["actions"] = [
            {"action": action.action, "title": action.title, "navigate": action.navigate} for action in message.actions
        ]
    document: dict[str, Any] = {"web_push": _MARK, "notification": notification}
    if message.app_badge is not None:
        document["app_badge"] = message.app_badge
    return orjson.dumps(document)


def _json_of_app(message: AppMessage, title: str, body: str) -> bytes:
    document = {
        "access_token": message.token,
        "preferred_locale": "en",
        "notification_id": message.notification_id,
        "notification_type": message.kind,
        "icon": message.icon,
        "title": title,
        "body": body,
    }
    return orjson.dumps(document)


def _shortened(text: str, excess: int) -> str:
    """Return a text without its last `excess` bytes or some more, with an ellipsis; "" if nothing is left.

    A character may need more bytes in JSON than in UTF-8, but never fewer: so too much is never removed at once.
    """
    kept = text.removesuffix(_ELLIPSIS).encode()[: -(excess + len(_ELLIPSIS.encode()))]
    left = kept.decode(errors="ignore").rstrip()
    return left + _ELLIPSIS if left else ""
