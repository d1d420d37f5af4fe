"""Translation of the driver's errors into those of `storage.errors`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from storage.errors import ConflictError, ConnectionLostError, FullError, InvalidValueError, UnavailableError

# The connection has ended while it was used: the server was stopped or crashed, a proxy was restarted.
_LOST = (
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    asyncpg.InternalClientError,  # raised when a connection ends between two messages of one command
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.exceptions.CrashShutdownError,
    asyncpg.exceptions.IdleSessionTimeoutError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.TransactionTimeoutError,
)
_UNREACHABLE = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.TargetServerAttributeNotMatched,  # no server of the URL accepts writes now
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.InvalidAuthorizationSpecificationError,
    asyncpg.exceptions.InvalidCatalogNameError,
    asyncpg.exceptions.InvalidCachedStatementError,  # a migration changed a prepared statement: a retry succeeds
    asyncpg.exceptions.OutdatedSchemaCacheError,
    asyncpg.exceptions.TransactionRollbackError,  # a deadlock or a serialisation failure: a retry succeeds
    asyncpg.exceptions.ReadOnlySQLTransactionError,
)
# A prepared statement that is unknown to the session, or belongs to another client of it.
_OTHER_SESSION = (asyncpg.exceptions.InvalidSQLStatementNameError, asyncpg.exceptions.DuplicatePreparedStatementError)


@contextmanager
def driver_errors() -> Iterator[None]:
    """Translate asyncpg's errors into those of `storage.errors`."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise ConflictError("conflict", "This already exists.") from error
    except asyncpg.IntegrityConstraintViolationError as error:
        raise ConflictError(
            "conflict", "The change conflicts with existing data. Load the current state and try again."
        ) from error
    except (asyncpg.DataError, asyncpg.ProgramLimitExceededError) as error:
        raise InvalidValueError(
            "A value cannot be stored: a text contains a NUL or a lone surrogate, or a number is too large."
        ) from error
    except asyncpg.DiskFullError as error:
        raise FullError("database", str(error)) from error
    except _OTHER_SESSION as error:
        text = 'the session is another one; behind a pooler in transaction mode, set database.pooler to "transaction"'
        raise UnavailableError("database", text) from error
    except (*_LOST, *_UNREACHABLE) as error:
        lost = isinstance(error, _LOST) and not isinstance(error, asyncpg.TargetServerAttributeNotMatched)
        kind = ConnectionLostError if lost else UnavailableError
        raise kind("database", str(error) or type(error).__name__) from error
