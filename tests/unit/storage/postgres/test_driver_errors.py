"""Errors of the PostgreSQL driver, as those of `storage.errors`."""

from __future__ import annotations

import asyncpg
import pytest

from storage.errors import ConnectionLostError, FullError, InvalidValueError, StorageError, UnavailableError
from storage.postgres.driver_errors import driver_errors


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (asyncpg.DiskFullError("could not extend file"), FullError),
        (asyncpg.TooManyConnectionsError("sorry"), UnavailableError),
        (OSError(24, "Too many open files"), UnavailableError),
        (ConnectionRefusedError(111, "Connection refused"), UnavailableError),
        (ConnectionResetError(104, "Connection reset by peer"), ConnectionLostError),
        (asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"), ConnectionLostError),
        (asyncpg.exceptions.AdminShutdownError("terminating connection"), ConnectionLostError),
        (asyncpg.exceptions.CrashShutdownError("terminating connection"), ConnectionLostError),
        (asyncpg.exceptions.IdleInTransactionSessionTimeoutError("terminating connection"), ConnectionLostError),
        (asyncpg.CannotConnectNowError("the database system is starting up"), UnavailableError),
        (asyncpg.QueryCanceledError("canceling statement"), UnavailableError),
        (asyncpg.TargetServerAttributeNotMatched("no host matches"), UnavailableError),
        (asyncpg.exceptions.ReadOnlySQLTransactionError("cannot execute INSERT"), UnavailableError),
        (TimeoutError(), UnavailableError),
        (asyncpg.exceptions.InvalidSQLStatementNameError("__asyncpg_1__ does not exist"), UnavailableError),
        (asyncpg.exceptions.DuplicatePreparedStatementError("__asyncpg_1__ already exists"), UnavailableError),
        (asyncpg.DataError("value out of int64 range"), InvalidValueError),
    ],
)
def test_errors_of_the_driver_are_translated(raised: Exception, kind: type[StorageError]) -> None:
    """A full disk differs from an unreachable server, and the cause is chained."""
    with pytest.raises(kind) as caught, driver_errors():
        raise raised
    assert type(caught.value) is kind
    assert caught.value.__cause__ is raised


def test_the_driver_s_words_are_not_repeated() -> None:
    """A value that does not fit is explained in our words, because the message reaches the client."""
    with pytest.raises(InvalidValueError) as caught, driver_errors():
        raise asyncpg.DataError("invalid input for query argument $1: 99 (value out of int64 range)")
    assert "$1" not in str(caught.value)
    assert "int64" not in str(caught.value)
