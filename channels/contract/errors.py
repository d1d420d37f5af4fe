"""Errors that `channels` raises; the protocol turns each into an error reply or a close code.

ChannelsError
├── TokenExpiredError        error 109: the client fetches a new token and tries again
├── TokenInvalidError        close 3500
├── UnknownChannelError      error 102
├── PermissionDeniedError    error 103
├── NotOfferedError          error 108: this channel has no such thing
├── UnknownOperationError    error 104: an rpc of a method that does not exist
├── OperationError           an rpc's own code (400–1999) and words
└── LiveUnavailableError     error 100 (temporary): a store behind the streams does not answer
"""

from __future__ import annotations


class ChannelsError(Exception):
    """Stand for anything that `channels` could not do."""


class TokenExpiredError(ChannelsError):
    """Say that a token was good and is over."""


class TokenInvalidError(ChannelsError):
    """Say that a token is not one of ours, was revoked, or was used up."""


class UnknownChannelError(ChannelsError):
    """Say that a channel's name is not one that exists."""


class PermissionDeniedError(ChannelsError):
    """Say that this person may not hear this channel."""


class NotOfferedError(ChannelsError):
    """Say that a channel has no history, or nobody present, that could be told."""


class UnknownOperationError(ChannelsError):
    """Say that there is no operation of this name."""


class OperationError(ChannelsError):
    """Say why an operation was not carried out: `code` 400–1999, and whether it may succeed later."""

    def __init__(self, code: int, message: str, *, temporary: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.temporary = temporary


class LiveUnavailableError(ChannelsError):
    """Say that what the streams are read from does not answer; the cause is chained."""
