"""`picshare` with a clock that is `CLOCK_OFFSET` seconds ahead, for tests with machines whose clocks differ.

Only the time of day differs: monotonic clocks and the engines' are as they are.
"""

from __future__ import annotations

import datetime
import os
import time
from typing import Any


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _REAL)


def _skew(offset: float, real_time: Any, real: type[datetime.datetime]) -> None:
    class Skewed(real, metaclass=_AnyDatetime):  # type: ignore[valid-type, misc]
        """The class `datetime`, whose present is later; what it returns is of the real class."""

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            """Return the present of the skewed clock."""
            return real.now(tz) + datetime.timedelta(seconds=offset)

        def __new__(cls, *args: Any, **fields: Any) -> Any:
            """Return a datetime of the real class."""
            return real(*args, **fields)

    time.time = lambda: real_time() + offset
    # Modules that are imported from now on find it under this name.
    datetime.datetime = Skewed  # type: ignore[misc]


_REAL = datetime.datetime

if __name__ == "__main__":
    _skew(float(os.environ["CLOCK_OFFSET"]), time.time, _REAL)

    from server.cli import main

    main()
