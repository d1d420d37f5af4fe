"""What failures of an endpoint lead to: a pause of the circuit, a warning to its owner, and in the end disabling."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from storage.webhooks import CIRCUIT_FAILURES, EndpointHealth

CIRCUIT_PAUSE = timedelta(seconds=60)
WARN_AFTER = timedelta(hours=1)
DISABLE_AFTER = timedelta(days=5)
DISABLE_FAILURES = 20


class Consequence(NamedTuple):
    """The health of an endpoint after an attempt, and whether its owner is warned or it is disabled."""

    health: EndpointHealth
    warn: bool = False
    disable: bool = False


def after_success() -> Consequence:
    """Return the consequence of a delivery: nothing is held against the endpoint any more."""
    return Consequence(EndpointHealth())


def after_failure(health: EndpointHealth, now: datetime) -> Consequence:
    """Return the consequence of a failed attempt."""
    since, failures = health.failing_since or now, health.failures + 1
    circuit_until = now + CIRCUIT_PAUSE if failures >= CIRCUIT_FAILURES else health.circuit_until
    warn = health.warned_at is None and failures >= CIRCUIT_FAILURES and now - since >= WARN_AFTER
    return Consequence(
        replace(
            health,
            failures=failures,
            failing_since=since,
            circuit_until=circuit_until,
            warned_at=now if warn else health.warned_at,
        ),
        warn=warn,
        disable=failures >= DISABLE_FAILURES and now - since >= DISABLE_AFTER,
    )


def room(health: EndpointHealth, cap: int) -> int:
    """Return how many attempts may be under way at once: one, from the first pause of the circuit to a success."""
    return 1 if health.failures >= CIRCUIT_FAILURES else cap
