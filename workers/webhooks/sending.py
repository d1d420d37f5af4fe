"""The adapter of the port to the client for addresses of users."""

from __future__ import annotations

from collections.abc import Mapping

from workers.outbound.client import OutboundClient
from workers.outbound.errors import OutboundError
from workers.webhooks.port import MAX_RESPONSE, TIMEOUT, Response, SendError

_SENTENCES = {
    "address_refused": "The address is not allowed",
    "dns": "The name of the host is not found",
    "connect": "No connection",
    "tls": "No secure connection",
    "timeout": "The response took too long",
    "reset": "The connection was closed before the end of the response",
    "bad_response": "The response is not HTTP, or beyond its limits",
}


class OutboundSender:
    """Sends messages by an open client; `timeout` in seconds."""

    def __init__(self, client: OutboundClient, *, timeout: float = TIMEOUT) -> None:
        self._client = client
        self._timeout = timeout

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Response:
        """Send a message and return the response; raise `SendError` if there is none in time."""
        try:
            response = await self._client.send(
                "POST", url, body=body, headers=headers, timeout=self._timeout, max_response=MAX_RESPONSE
            )
        except OutboundError as error:
            raise SendError(f"{_SENTENCES[error.reason]}: {error.detail}.") from error
        names = {name.lower(): value for name, value in response.headers.items()}
        return Response(status=response.status, headers=names, body=response.body, truncated=response.truncated)
