"""Errors that `storage` raises; every driver's exception becomes one of these at the adapter.

StorageError
├── NotFoundError        no such row, or one the viewer may not see; `what` names the kind
├── ConflictError        a unique value is taken, or the state forbids it; `code` is stable
├── InvalidValueError    a value that the database cannot hold: a NUL in a text, a number too large
├── UnavailableError     an engine does not answer; trying again later may help
└── SchemaError          the database's schema is older or newer than this code
"""

from __future__ import annotations


class StorageError(Exception):
    """Stand for anything that `storage` could not do."""


class NotFoundError(StorageError):
    """Say that there is no such thing, or none that the viewer may see; `what` is e.g. "photo"."""

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no such {what}")
        self.what = what


class ConflictError(StorageError):
    """Say that a unique value is taken or the state forbids it; `code` is stable, e.g. "username_taken"."""

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class InvalidValueError(StorageError, ValueError):
    """Say that a value cannot be kept: a NUL or half a surrogate pair in a text, a number beyond 64 bits."""


class UnavailableError(StorageError):
    """Say that an engine ("database", "redis", "blobs") does not answer; the cause is chained."""

    def __init__(self, engine: str, detail: str) -> None:
        super().__init__(f"{engine} is unavailable: {detail}")
        self.engine = engine


class SchemaError(StorageError):
    """Say that the schema's version does not fit the code, and which command mends it."""


class EngineError(StorageError):
    """Say why an embedded engine cannot run, and how to mend it."""

    def __init__(self, engine: str, detail: str) -> None:
        super().__init__(f"the embedded {engine} cannot run: {detail}")
        self.engine = engine
