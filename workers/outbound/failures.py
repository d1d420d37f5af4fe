"""The reason of a failed request, from the exceptions of aiohttp.

The texts of aiohttp's exceptions are not used: they contain what the peer has sent.
"""

from __future__ import annotations

import os

import aiohttp

from workers.outbound.errors import OutboundError, Reason

# The first that fits counts.
_REASONS: tuple[tuple[type[Exception], Reason], ...] = (
    (aiohttp.ConnectionTimeoutError, "connect"),
    (TimeoutError, "timeout"),
    (aiohttp.ClientSSLError, "tls"),
    (aiohttp.ClientConnectorDNSError, "dns"),
    (aiohttp.ClientConnectorError, "connect"),
    (aiohttp.ClientConnectionError, "reset"),
    (aiohttp.ClientPayloadError, "reset"),
)
_DETAILS: dict[Reason, str] = {
    "connect": "the host does not accept a connection",
    "dns": "the name of the host has no address",
    "tls": "the handshake failed",
    "timeout": "there was no response in time",
    "reset": "the connection was closed before the end of the response",
    "bad_response": "the response is not HTTP, or its headers are too large",
}


def reason_of(error: aiohttp.ClientError | TimeoutError) -> Reason:
    """Return the reason of a failure."""
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "bad_response")


def outbound_error(error: aiohttp.ClientError | TimeoutError) -> OutboundError:
    """Return the error for a failure, whose detail names the cause that the system has found."""
    reason = reason_of(error)
    cause = _cause(error)
    return OutboundError(reason, f"{_DETAILS[reason]}: {cause}" if cause else _DETAILS[reason])


def _cause(error: Exception) -> str | None:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        # OpenSSL's own words, as "self-signed certificate" or "certificate has expired".
        return getattr(error.certificate_error, "verify_message", None) or "the certificate is not valid"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return getattr(error.os_error, "reason", None)
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        return os.strerror(error.os_error.errno).lower()
    return None
