"""No moment that is allowed is quiet, over a year in zones with all kinds of clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from storage.quiet_hours import (
    WEEK,
    QuietHours,
    UnknownZoneError,
    Weekday,
    find_zone,
    is_quiet,
    next_allowed,
    next_time,
)

STEP = timedelta(minutes=15)  # all offsets of zones, changes of clocks and windows here are multiples of it
YEAR = [datetime(2027, 1, 1, tzinfo=UTC) + number * STEP for number in range(366 * 96)]
ZONES = [
    "Europe/Berlin",
    "America/St_Johns",  # half an hour off the full ones
    "Australia/Lord_Howe",  # changes by half an hour, in the southern half of the year
    "Africa/Casablanca",  # an hour less in one month of the year
    "Asia/Kathmandu",  # no changes, +05:45
]
WINDOWS = [
    (22 * 60 + 15, 6 * 60 + 45, WEEK),
    (1 * 60 + 30, 2 * 60 + 15, WEEK),  # begins and ends in hours that are skipped and repeated
    (23 * 60, 2 * 60 + 30, (Weekday.SATURDAY, Weekday.SUNDAY)),
]


def berlin(text: str, fold: int = 0) -> datetime:
    """Return a moment by the clock of Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"), fold=fold).astimezone(UTC)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("window", WINDOWS, ids=["night", "changes", "weekend"])
def test_no_allowed_moment_of_a_year_is_quiet(zone: str, window: tuple[int, int, tuple[Weekday, ...]]) -> None:
    """The next allowed moment is the first one at which the clock on the wall shows no quiet time.

    Only where the clock is put back within a window, to a time before it, the whole window passes first. Which times
    are quiet is stated here as all minutes of a week, one by one.
    """
    begin, end, days = window
    week = 7 * 24 * 60
    times = {
        (WEEK.index(day) * 24 * 60 + begin + minute) % week
        for day in days
        for minute in range((end - begin) % (24 * 60))
    }
    walls = [moment.astimezone(ZoneInfo(zone)) for moment in YEAR]
    quiet = [wall.weekday() * 24 * 60 + wall.hour * 60 + wall.minute in times for wall in walls]
    expected = list(YEAR)
    for place in reversed(range(len(YEAR) - 1)):
        if quiet[place]:
            expected[place] = expected[place + 1]
    hours = QuietHours(zone=zone, begin=begin, end=end, days=frozenset(days))
    assert any(quiet)
    # Every boundary, the days around the changes of the clock, and a part of the other moments.

    def offset(place: int) -> timedelta:
        return walls[place].utcoffset() or timedelta()

    changes = {place for place in range(1, len(walls)) if walls[place].utcoffset() != walls[place - 1].utcoffset()}
    put_back = {YEAR[place] for place in changes if offset(place) < offset(place - 1)}
    near = {place + offset for place in changes for offset in range(-96, 96)}
    checked = [
        place
        for place in range(1, len(YEAR) - 200)
        if quiet[place] != quiet[place - 1] or place in near or place % 19 == 0
    ]
    for place in checked:
        allowed = next_allowed(YEAR[place], hours)
        assert not quiet[(allowed - YEAR[0]) // STEP]
        assert allowed == expected[place] or (allowed > expected[place] and expected[place] in put_back), walls[place]
        assert is_quiet(YEAR[place], hours) is quiet[place]


def test_a_night_across_midnight() -> None:
    """A window that ends before it begins ends on the following day; it belongs to the day on which it begins."""
    hours = QuietHours(zone="Europe/Berlin", begin=22 * 60, end=7 * 60, days=frozenset({Weekday.FRIDAY}))
    for moment, allowed in {
        "2027-01-08T21:59": "2027-01-08T21:59",  # a Friday
        "2027-01-08T22:00": "2027-01-09T07:00",
        "2027-01-09T06:59:59": "2027-01-09T07:00",
        "2027-01-09T22:00": "2027-01-09T22:00",
        "2027-01-08T03:00": "2027-01-08T03:00",
    }.items():
        assert next_allowed(berlin(moment), hours) == berlin(allowed)


def test_an_end_that_the_clock_skips() -> None:
    """A window that ends at half past two ends when the clock is put forward from two to three."""
    hours = QuietHours(zone="Europe/Berlin", begin=22 * 60, end=150)
    assert next_allowed(berlin("2027-03-28T01:00"), hours) == berlin("2027-03-28T03:00")


def test_an_end_that_the_clock_shows_twice() -> None:
    """A window may end, and go on when the clock is put back: so a moment is computed again when it has come."""
    hours = QuietHours(zone="Europe/Berlin", begin=22 * 60, end=150)
    assert next_allowed(berlin("2027-10-31T01:00"), hours) == berlin("2027-10-31T02:30")
    assert next_allowed(berlin("2027-10-31T02:10", fold=1), hours) == berlin("2027-10-31T02:30", fold=1)


def test_without_quiet_hours_every_moment_is_allowed() -> None:
    """A user who has set none is reached at once."""
    assert next_allowed(berlin("2027-01-08T03:00"), None) == berlin("2027-01-08T03:00")


@pytest.mark.parametrize(
    "name",
    [
        "Mars/Phobos", "", "europe/berlin ", "../../etc/passwd", "/etc/localtime", "America", "Europe/Berlin\0",
        "localtime", "right/UTC", "posix/UTC", "A" * 65, "Europe/Bérlin", "Europe\\Berlin",
    ],
)  # fmt: skip
def test_a_name_of_no_zone_is_refused_with_a_message(name: str) -> None:
    """Names of files and folders, and of zones that only some systems have, name none."""
    with pytest.raises(UnknownZoneError, match="Europe/Berlin or UTC"):
        find_zone(name)


def test_every_common_name_is_accepted() -> None:
    """Names that browsers give are zones."""
    for name in ("UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "America/Port-au-Prince"):
        assert find_zone(name).key == name


def test_eight_o_clock() -> None:
    """A digest is due at the next eight o'clock of the zone, or of the next Monday."""
    friday = berlin("2027-01-08T08:00")
    assert next_time(friday, "Europe/Berlin", minute=480) == berlin("2027-01-09T08:00")
    assert next_time(friday - STEP, "Europe/Berlin", minute=480) == friday
    assert next_time(friday, "Europe/Berlin", minute=480, days=[Weekday.MONDAY]) == berlin("2027-01-11T08:00")
    # Twenty-three hours later, on the day on which the clock is put forward.
    change = berlin("2027-03-27T08:00")
    assert next_time(change, "Europe/Berlin", minute=480) - change == timedelta(hours=23)


@pytest.mark.parametrize(("begin", "end", "days"), [(0, 0, WEEK), (1440, 60, WEEK), (60, -1, WEEK), (60, 120, ())])
def test_a_window_that_is_none_is_refused(begin: int, end: int, days: tuple[Weekday, ...]) -> None:
    """Begin and end differ and are times of a day, and there is a day."""
    with pytest.raises(ValueError, match="quiet hours"):
        QuietHours(zone="UTC", begin=begin, end=end, days=frozenset(days))
