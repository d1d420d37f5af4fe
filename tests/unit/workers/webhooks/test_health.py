"""What failures of an endpoint lead to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.webhooks import CIRCUIT_FAILURES, EndpointHealth
from workers.webhooks.health import after_failure, after_success, room

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def failed(times: int, *, since: timedelta = timedelta(), warned: bool = False) -> EndpointHealth:
    """Return the health after so many failures in a row."""
    begun = NOW - since if times else None
    return EndpointHealth(failures=times, failing_since=begun, warned_at=begun if warned else None)


def test_the_tenth_failure_in_a_row_opens_the_circuit_for_a_minute() -> None:
    """And so does each one after it."""
    assert after_failure(failed(8), NOW).health.circuit_until is None
    for times in (9, 10, 30):
        assert after_failure(failed(times), NOW).health.circuit_until == NOW + timedelta(seconds=60)


def test_the_first_failure_begins_the_series_and_a_success_ends_it() -> None:
    """Nothing is held against an endpoint that works."""
    assert after_failure(EndpointHealth(), NOW).health == EndpointHealth(failures=1, failing_since=NOW)
    assert after_success().health == EndpointHealth()
    assert not after_success().disable


def test_one_attempt_at_a_time_is_made_until_a_success() -> None:
    """From the first pause of the circuit on."""
    assert [room(failed(times), 8) for times in (0, CIRCUIT_FAILURES - 1, CIRCUIT_FAILURES, 99)] == [8, 8, 1, 1]


@pytest.mark.parametrize(
    ("times", "since", "disable"),
    [
        (19, timedelta(days=5), True),
        (19, timedelta(days=5) - timedelta(seconds=1), False),
        (18, timedelta(days=9), False),
        (500, timedelta(days=4), False),
    ],
)
def test_disabling_needs_five_days_and_twenty_failures(times: int, since: timedelta, disable: bool) -> None:
    """Both of them."""
    assert after_failure(failed(times, since=since), NOW).disable is disable


@pytest.mark.parametrize(
    ("times", "since", "warned", "warn"),
    [
        (9, timedelta(hours=1), False, True),
        (9, timedelta(minutes=59), False, False),
        (8, timedelta(hours=5), False, False),
        (30, timedelta(hours=5), True, False),
    ],
)
def test_the_owner_is_warned_once_after_an_hour(times: int, since: timedelta, warned: bool, warn: bool) -> None:
    """Of an endpoint that fails again and again."""
    change = after_failure(failed(times, since=since, warned=warned), NOW)
    assert change.warn is warn
    assert (change.health.warned_at == NOW) is warn
