"""Translation of the stores' errors for the live layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from channels.contract.errors import LiveUnavailableError
from storage.errors import UnavailableError


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise `LiveUnavailableError` in place of `UnavailableError`."""
    try:
        yield
    except UnavailableError as error:
        raise LiveUnavailableError(str(error)) from error
