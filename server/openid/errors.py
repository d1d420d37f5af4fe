"""Errors of providers; `server.edge.problems` maps each to an HTTP response.

ProviderError
├── ProviderUnavailableError  the provider gives no response, or one of an error of its own
└── ProviderResponseError     what the provider has sent is not valid, or not for this sign-in
"""

from __future__ import annotations


class ProviderError(Exception):
    """Base of this package's errors; `reason` is a short word for logs, the text is for the operator."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class ProviderUnavailableError(ProviderError):
    """The provider cannot be reached, takes too long, or fails."""


class ProviderResponseError(ProviderError):
    """A document, a response or a token of the provider is not valid; the user that it names is not accepted."""
