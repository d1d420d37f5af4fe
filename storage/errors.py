"""Errors that `storage` raises; every driver's exception becomes one of these at the adapter.

StorageError
├── NotFoundError        no such row, or one that is hidden from the viewer; `what` names the kind
├── ConflictError        a unique value is taken, or the state does not allow the change; `code` is stable
├── InvalidValueError    a value that the database cannot hold: a NUL in a text, a number too large
├── ListExpiredError     a list that was kept for one reader is not kept any more
├── UnavailableError     an engine does not answer; trying again later may help
│   ├── ConnectionLostError  the connection to an engine ended during a command
│   └── FullError        an engine has no space left for what should be written
├── SchemaError          the database's schema is older or newer than this code
├── EngineError          an embedded engine cannot run
└── EngineLostError      an embedded engine ended again and again, and is not restarted any more
"""

from __future__ import annotations


class StorageError(Exception):
    """Base class of the errors of `storage`."""


class NotFoundError(StorageError):
    """Raised for a row that does not exist or is hidden from the viewer; `what` is e.g. "photo"."""

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no such {what}.")
        self.what = what


class ConflictError(StorageError):
    """Raised when a unique value is taken or the state does not allow a change; `code` is e.g. "username_taken"."""

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class InvalidValueError(StorageError, ValueError):
    """Raised for a value that cannot be stored: a NUL or a lone surrogate in a text, a number beyond 64 bits."""


class ListExpiredError(StorageError):
    """Raised for the next page of a list that was kept for a while and is gone: its reader has to begin again."""


class UnavailableError(StorageError):
    """Raised when an engine ("database", "redis", "blobs") does not answer; the cause is chained."""

    def __init__(self, engine: str, detail: str) -> None:
        super().__init__(f"{engine} is unavailable: {detail}")
        self.engine = engine


class ConnectionLostError(UnavailableError):
    """Raised when a connection ended while it was used: a command may have been carried out, or not."""


class FullError(UnavailableError):
    """Raised when an engine has no space left for a write; reading and deleting may still work."""


class SchemaError(StorageError):
    """Raised when the schema's version does not fit the code; the message names the command that solves it."""


class EngineError(StorageError):
    """Raised when an embedded engine cannot run; the message names the cause and the solution."""

    def __init__(self, engine: str, detail: str) -> None:
        super().__init__(f"the embedded {engine} cannot run: {detail}")
        self.engine = engine
        self.detail = detail


class EngineLostError(StorageError):
    """Raised when an embedded engine ends again and again; the message has the reason of the last failure."""

    def __init__(self, engine: str, detail: str, *, failures: int) -> None:
        super().__init__(
            f"the embedded {engine} has failed {failures} times in a row and is not restarted any more: {detail}"
        )
        self.engine = engine
