"""Errors of requests to supplied addresses, each with a short reason that is stable.

UrlRefusedError   a URL is not accepted, when it is stored; the text says how to mend it
OutboundError     a request has no usable response; `reason` is one of `Reason`
"""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "address_refused",  # the URL or the address behind its name is not allowed; nothing was sent
    "circuit_open",  # the peer has failed several times in a row; nothing was sent
    "dns",  # the name has no address, or no name server has answered in time
    "connect",  # no connection: refused, unreachable, or no answer
    "tls",  # the handshake failed, or the certificate is not valid for the name
    "timeout",  # no complete response in time
    "reset",  # the peer has closed the connection before the end of the response
    "bad_response",  # not HTTP, or beyond its limits
]


class UrlRefusedError(ValueError):
    """Raised for a URL that is not accepted; the text is a sentence for the user who has supplied it."""


class OutboundError(Exception):
    """Raised for a request without a usable response; `detail` is for logs and for the owner of the address."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail
