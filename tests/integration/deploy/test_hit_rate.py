"""The hit rate of nginx's cache in Prometheus: mtail reads the log of a real nginx, and rules make alerts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.engines.mtail import running_mtail
from tests.integration.deploy.conftest import Edge
from tests.integration.deploy.test_nginx import PURGE_KEY
from tests.support.eventually import eventually
from tests.support.scripted_origin import Answer

pytestmark = pytest.mark.engines

RULES = Path(__file__).parents[3] / "deploy" / "prometheus" / "picshare.rules.yml"
IMAGE = f"/media/r1/{hashlib.sha256(b'a photo').hexdigest()}/320.webp"
_REQUESTS = "picshare_cache_requests_total"


async def test_requests_to_the_cache_are_counted_by_their_result(edge: Edge, tmp_path: Path) -> None:
    """Whatever nginx writes into the log becomes a counter; what did not reach the cache is left out."""
    edge.origin.answers[IMAGE] = Answer(body=b"image")
    async with running_mtail(edge.nginx.log, tmp_path) as metrics:
        for _ in range(3):
            assert (await edge.get(IMAGE)).status == 200
        await edge.get(IMAGE.replace("320", "640"))
        await edge.get(IMAGE, X_Picshare_Purge=PURGE_KEY)

        async def counted() -> dict[str, float]:
            async with edge.session.get(metrics) as response:
                families = text_string_to_metric_families(await response.text())
            return {
                sample.labels["status"]: sample.value
                for family in families
                for sample in family.samples
                if sample.name == _REQUESTS
            }

        expected = {"MISS": 2, "HIT": 2, "BYPASS": 1}

        async def all_are_counted() -> bool:
            return await counted() == expected

        await eventually(all_are_counted)
