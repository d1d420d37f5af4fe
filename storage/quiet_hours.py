"""Quiet hours: the time in which a user gets no push and no mail, by the clock on the user's wall.

A window begins on each chosen day at `begin` and ends at `end`, on the following day if that is not later. A moment is
quiet if the clock on the wall shows a time in such a window. So a clock that is put forward may shorten a window, and
one that is put back may repeat a part of it. `next_allowed` is computed again when something is due.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MINUTES = 24 * 60  # of a day
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_MAX_ZONE = 64  # letters
# Names that some systems have in addition to those of IANA: of their own clock, and of clocks with leap seconds.
_NO_ZONES = ("localtime", "posixrules", "Factory", "posix/", "right/")
_DAY = timedelta(days=1)
_STEP = timedelta(seconds=1)


class Weekday(StrEnum):
    """A day of the week, Monday first as in ISO 8601."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


WEEK = tuple(Weekday)


class UnknownZoneError(ValueError):
    """Raised for a text that names no time zone; the message is for the user."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuietHours:
    """Windows of the days on which they begin; `begin` and `end` in minutes since midnight, and not equal."""

    zone: str
    begin: int
    end: int
    days: frozenset[Weekday] = frozenset(WEEK)

    def __post_init__(self) -> None:
        """Raise `ValueError` for a window that is no part of a day, or without days."""
        if not (0 <= self.begin < MINUTES and 0 <= self.end < MINUTES) or self.begin == self.end or not self.days:
            raise ValueError("quiet hours begin and end at different times of a day, on one day or more")


@lru_cache(maxsize=600)
def find_zone(name: str) -> ZoneInfo:
    """Return the time zone with an IANA name; raise `UnknownZoneError`."""
    # A name becomes part of a path, and the names of folders raise errors of the file system.
    if len(name) <= _MAX_ZONE and _ZONE.fullmatch(name) and not name.startswith(_NO_ZONES):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise UnknownZoneError(f"There is no time zone {name[:_MAX_ZONE]!r}. Use a name such as Europe/Berlin or UTC.")


def is_quiet(moment: datetime, quiet: QuietHours) -> bool:
    """Return whether the user's clock shows a quiet time at an aware `moment`."""
    return _window_end(_wall(moment, find_zone(quiet.zone)), quiet) is not None


def next_allowed(moment: datetime, quiet: QuietHours | None) -> datetime:
    """Return the first moment from an aware `moment` on that is in no window, in UTC.

    If the clock is put back within a window, to a time before it, that is the end of the window.
    """
    moment = moment.astimezone(UTC)
    if quiet is None:
        return moment
    zone = find_zone(quiet.zone)
    # Two windows never touch, but a clock that is put back may lead into the same one again.
    while (end := _window_end(_wall(moment, zone), quiet)) is not None:
        moment = min(instant for instant in _instants(end, zone) if instant > moment)
    return moment


def next_time(moment: datetime, zone: str, *, minute: int, days: Iterable[Weekday] = WEEK) -> datetime:
    """Return the first moment after `moment` at which the clock shows a minute of one of the days, in UTC."""
    found, wanted = find_zone(zone), set(days)
    day = _wall(moment, found).replace(hour=0, minute=0, second=0, microsecond=0)
    while True:
        if WEEK[day.weekday()] in wanted:
            first = _instants(day + timedelta(minutes=minute), found)[0]
            if first > moment:
                return first
        day += _DAY


def _window_end(wall: datetime, quiet: QuietHours) -> datetime | None:
    """Return the end of the window that contains a time on the wall, None outside of all."""
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    length = timedelta(minutes=(quiet.end - quiet.begin) % MINUTES)
    for day in (midnight, midnight - _DAY):
        begin = day + timedelta(minutes=quiet.begin)
        if WEEK[day.weekday()] in quiet.days and begin <= wall < begin + length:
            return begin + length
    return None


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _instants(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the moments at which the clock shows a time or passes it, ascending: two if it is put back over it."""
    earlier, later = sorted(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if _wall(earlier, zone) == wall:
        return [earlier, later]
    # The clock is put forward over this time, at a moment between the two that both sides of the change would give.
    while later - earlier > _STEP:
        middle = earlier + (later - earlier) / 2
        earlier, later = (middle, later) if _wall(middle, zone) < wall else (earlier, middle)
    return [later.replace(microsecond=0)]
