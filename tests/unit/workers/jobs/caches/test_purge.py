"""What the queues "purge" and "forget" of one process share, and what each has for itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from storage.blobs.variants import VariantRegistry
from tests.engines.private import free_port
from workers.caches.opening import CacheSettings
from workers.caches.port import HiddenImages, NoPurgeMetrics
from workers.jobs.caches.purge import open_purgers
from workers.outbound.circuits import CircuitRegistry

SHA256 = "ab" * 32


@pytest.mark.parametrize(("failing", "asked"), [("forget", "purge"), ("purge", "forget")])
async def test_a_queue_that_fails_does_not_keep_the_other_from_a_cache(failing: str, asked: str) -> None:
    """Each queue has its circuits: a cache whose disk is full forgets nothing, and still has to hide what is new."""
    outcomes: list[tuple[str, str]] = []
    metrics = SimpleNamespace(
        circuit_added=lambda *_: None,
        outbound_request=lambda *, name, outcome: outcomes.append((name, outcome)),
    )
    address = f"127.0.0.1:{free_port()}"
    context = SimpleNamespace(
        caches=CacheSettings(urls=(f"http://{address}",), public_url="https://photos.example.com", purge_key="0" * 32),
        variants=VariantRegistry(),
        purge_metrics=NoPurgeMetrics(),
        circuits=CircuitRegistry(cast(Any, metrics)),
    )
    for queue in (failing, failing, asked):
        async with open_purgers(cast(Any, context), queue) as purgers:
            (purger,) = purgers.caches
            if queue == "forget":
                await purger.forget([HiddenImages(sha256=SHA256, signed=False)])
            else:
                await purger.hide([SHA256], hidden_at=0.0)
    assert outcomes == [
        (f"{failing}:{address}", "connect"),
        (f"{failing}:{address}", "circuit_open"),
        (f"{asked}:{address}", "connect"),
    ]
