"""Turn what the Redis driver raises into the one error that the live layer knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from channels.contract.errors import LiveUnavailableError


@contextmanager
def live_errors() -> Iterator[None]:
    """Raise `LiveUnavailableError` from whatever the driver or the network raises inside."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise LiveUnavailableError(f"redis does not answer: {error}") from error
