"""Errors of the live layer; the protocol turns each into an error reply or a close code.

ChannelsError
├── TokenExpiredError        error 109: the client fetches a new token and tries again
├── TokenInvalidError        close 3500
├── UnknownChannelError      error 102
├── PermissionDeniedError    error 103
├── NotOfferedError          error 108: the channel has no history or no presence list
├── UnknownOperationError    error 104: an rpc to a method that does not exist
├── OperationError           an error code of the rpc method's own (400–1999) and its message
├── OperationRefusedError    a GraphQL operation that is not executed, with the entries of its `errors`
└── LiveUnavailableError     error 100 (temporary): a store behind the streams is unavailable
"""

from __future__ import annotations


class ChannelsError(Exception):
    """Base class of all errors of the live layer."""


class TokenExpiredError(ChannelsError):
    """The token was valid and has expired."""


class TokenInvalidError(ChannelsError):
    """The token is malformed, forged, revoked or already used."""


class UnknownChannelError(ChannelsError):
    """No channel has this name."""


class PermissionDeniedError(ChannelsError):
    """The user may not subscribe to this channel."""


class NotOfferedError(ChannelsError):
    """The channel has no history, or no list of present members."""


class UnknownOperationError(ChannelsError):
    """No operation has this name."""


class OperationError(ChannelsError):
    """An operation failed: `code` is 400–1999, `temporary` is whether the same call may succeed later."""

    def __init__(self, code: int, message: str, *, temporary: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.temporary = temporary


class OperationRefusedError(ChannelsError):
    """A GraphQL operation is not executed; `entries` are its errors, a JSON list."""

    def __init__(self, entries: bytes) -> None:
        super().__init__("the operation was refused")
        self.entries = entries


class LiveUnavailableError(ChannelsError):
    """Redis, or a store behind a port, is unavailable; the cause is chained."""
