"""The sampler of the backlog, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from structlog.testing import capture_logs

from server.operation.backlog import Backlog
from server.operation.metrics import Metrics
from storage.postgres.database import Database
from tests.support.virtual_loop import run_virtually
from workers.broker.port import Broker
from workers.errors import BrokerError


class ScriptedBroker:
    """A broker whose queues without consumers follow a script; None is an outage."""

    def __init__(self, *samples: Sequence[str] | None) -> None:
        self._samples = iter(samples)

    async def depths(self) -> Mapping[str, int]:
        """Return one depth."""
        return {"bulk": 3}

    async def queues_without_consumers(self) -> Sequence[str]:
        """Return the next of the script, then none."""
        sample = next(self._samples, ())
        if sample is None:
            raise BrokerError("away")
        return sample


class EmptyOutbox:
    """A database whose outbox has no row."""

    async def fetchval(self, *_: object) -> float:
        """Return the age."""
        return 0.0


def sampled(*samples: Sequence[str] | None) -> tuple[list[Any], Metrics]:
    """Return the queues of each warning while the samples are taken, and the metrics."""
    metrics = Metrics("1")
    backlog = Backlog(cast(Database, EmptyOutbox()), cast(Broker, ScriptedBroker(*samples)), metrics)

    async def main() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(backlog.run(), 10.0 * len(samples) - 5)

    with capture_logs() as logs:
        run_virtually(main())
    return [entry["queues"] for entry in logs if entry["event"] == "queues_without_consumers"], metrics


def test_a_queue_that_stays_without_a_consumer_is_logged_once() -> None:
    """Two samples in a row are a reason to warn, and further ones no reason to repeat it."""
    warnings, metrics = sampled(["bulk"], ["bulk", "media"], ["bulk", "media"], ["bulk"], ["bulk"])
    assert warnings == [["bulk"], ["media"]]
    assert b'picshare_queue_depth{queue="bulk"} 3.0' in metrics.render()
    assert b'picshare_queue_without_consumer{queue="bulk"} 1.0' in metrics.render()
    assert (metrics.registry.get_sample_value("picshare_backlog_measured_timestamp_seconds") or 0) > 0


def test_a_worker_that_is_replaced_is_not_logged() -> None:
    """One sample without a consumer is normal."""
    warnings, metrics = sampled(["bulk"], [], ["bulk"], [])
    assert warnings == []
    assert b'picshare_queue_without_consumer{queue="bulk"} 0.0' in metrics.render()


def test_a_queue_that_was_consumed_again_is_logged_again() -> None:
    """A worker that stops later is warned of, too; an outage of the broker in between changes nothing."""
    assert sampled(["bulk"], ["bulk"], None, ["bulk"], [], ["bulk"], ["bulk"])[0] == [["bulk"], ["bulk"]]
