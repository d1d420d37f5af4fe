"""Error codes of replies, close codes of connections, and codes of unsubscribe pushes.

The numbers and their meanings are those of the Centrifuge client protocol, version 2. The range of a close code
determines whether a client reconnects: 3000–3499 it does, 3500–3999 it does not. The browser client parses the reason
as JSON before it checks the code, so every reason is short, non-empty text that is not valid JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from channels.contract.errors import (
    ChannelsError,
    NotOfferedError,
    PermissionDeniedError,
    TokenExpiredError,
    UnknownChannelError,
    UnknownOperationError,
)


class ErrorCode(IntEnum):
    """Error codes of replies; clients retry only temporary ones and 109."""

    INTERNAL = 100
    UNAUTHORIZED = 101
    UNKNOWN_CHANNEL = 102
    PERMISSION_DENIED = 103
    METHOD_NOT_FOUND = 104
    ALREADY_SUBSCRIBED = 105
    LIMIT_EXCEEDED = 106
    BAD_REQUEST = 107
    NOT_AVAILABLE = 108
    TOKEN_EXPIRED = 109
    TOO_MANY_REQUESTS = 111
    UNRECOVERABLE_POSITION = 112

    @property
    def message(self) -> str:
        """Return the message that accompanies the code."""
        return "internal server error" if self is ErrorCode.INTERNAL else self.name.lower().replace("_", " ")

    @property
    def temporary(self) -> bool:
        """Return whether the same command may succeed later."""
        return self in (ErrorCode.INTERNAL, ErrorCode.TOO_MANY_REQUESTS)


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A close code and its short, non-JSON reason."""

    code: int
    reason: str


NORMAL = Disconnect(1000, "bye")
PROTOCOL_ERROR = Disconnect(1002, "protocol error")
INVALID_TEXT = Disconnect(1007, "invalid text")
SHUTDOWN = Disconnect(3001, "shutdown")
SERVER_ERROR = Disconnect(3004, "internal server error")
EXPIRED = Disconnect(3005, "connection expired")
SLOW = Disconnect(3008, "slow")
INSUFFICIENT_STATE = Disconnect(3010, "insufficient state")
FORCED_RECONNECT = Disconnect(3011, "force reconnect")
NO_PONG = Disconnect(3012, "no pong")
TOO_MANY_REQUESTS = Disconnect(3013, "too many requests")
INVALID_TOKEN = Disconnect(3500, "invalid token")
BAD_REQUEST = Disconnect(3501, "bad request")
TOO_BIG = Disconnect(3501, "message too big")
STALE = Disconnect(3502, "stale")
FORCED = Disconnect(3503, "force disconnect")
CONNECTION_LIMIT = Disconnect(3504, "connection limit")


class Unsubscribed(IntEnum):
    """Codes of unsubscribe pushes; from 2500 on, the client subscribes again."""

    SERVER = 2000
    INSUFFICIENT = 2500

    @property
    def reason(self) -> str:
        """Return the message that accompanies the code."""
        return "server unsubscribe" if self is Unsubscribed.SERVER else "insufficient state"


def error_code_of(error: ChannelsError) -> ErrorCode:
    """Return the error code for an error of this package; one that is not listed becomes the temporary 100."""
    match error:
        case TokenExpiredError():
            return ErrorCode.TOKEN_EXPIRED
        case UnknownChannelError():
            return ErrorCode.UNKNOWN_CHANNEL
        case PermissionDeniedError():
            return ErrorCode.PERMISSION_DENIED
        case UnknownOperationError():
            return ErrorCode.METHOD_NOT_FOUND
        case NotOfferedError():
            return ErrorCode.NOT_AVAILABLE
        case _:
            return ErrorCode.INTERNAL
