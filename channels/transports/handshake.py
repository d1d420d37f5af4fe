"""The WebSocket handshake (RFC 6455, section 4.2): validation of the request, and the response."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from aiohttp import web

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION = "13"


def require_upgrade(request: web.Request) -> str:
    """Return the client's key; raise `web.HTTPException` 400 or 426 if the request is no WebSocket handshake."""
    headers = request.headers
    if "websocket" not in _tokens(headers, "Upgrade") or "upgrade" not in _tokens(headers, "Connection"):
        raise _upgrade_required("this is a WebSocket endpoint; send Upgrade: websocket")
    if headers.get("Sec-WebSocket-Version") != _VERSION:
        raise _upgrade_required(f"the supported WebSocket version is {_VERSION}")
    key = headers.get("Sec-WebSocket-Key", "")
    try:
        proper = len(base64.b64decode(key, validate=True)) == 16
    except ValueError:  # characters outside ASCII, or (binascii.Error) outside the alphabet
        proper = False
    if not proper:
        raise web.HTTPBadRequest(text="Sec-WebSocket-Key must be 16 bytes in base64")
    return key


def switching_protocols(key: str, subprotocol: str | None) -> web.Response:
    """Return the response that opens the connection; `subprotocol` is one of those that the client offered."""
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept_of(key),
    }
    if subprotocol is not None:
        headers["Sec-WebSocket-Protocol"] = subprotocol
    return web.Response(status=101, headers=headers)


def accept_of(key: str) -> str:
    """Return the value of Sec-WebSocket-Accept for a key (section 4.2.2, step 5.4)."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def _tokens(headers: Mapping[str, str], name: str) -> list[str]:
    return [token.strip().lower() for token in headers.get(name, "").split(",")]


def _upgrade_required(text: str) -> web.HTTPUpgradeRequired:
    return web.HTTPUpgradeRequired(
        text=text, headers={"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": _VERSION}
    )
