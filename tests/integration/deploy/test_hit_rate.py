"""The hit rate of nginx's cache in Prometheus: mtail reads the log of a real nginx, and rules make alerts."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from server.operation.event_loop import GarbageCollector, LoopWatch
from server.operation.metrics import Metrics
from tests.engines.mtail import SHIPPED, running_mtail
from tests.integration.deploy.conftest import Edge
from tests.integration.deploy.test_nginx import PURGE_KEY
from tests.support.documents import codes_in, table_rows
from tests.support.eventually import eventually
from tests.support.scripted_origin import Answer

pytestmark = pytest.mark.engines

RULES = Path(__file__).parents[3] / "deploy" / "prometheus" / "picshare.rules.yml"
IMAGE = f"/media/r1/{hashlib.sha256(b'a photo').hexdigest()}/320.webp"
_REQUESTS = "picshare_cache_requests_total"

# Each case: series of one sample a minute, the time to look, an alert, and the labels with which it fires, if it does.
_CASES = {
    "a low ratio for a quarter of an hour": (
        {
            f'{_REQUESTS}{{instance="a",status="HIT"}}': "0+800x30",
            f'{_REQUESTS}{{instance="a",status="MISS"}}': "0+200x30",
        },
        "25m",
        "PicshareCacheHitRatioLow",
        {"instance": "a"},
    ),
    "a low ratio for less": (
        {
            f'{_REQUESTS}{{instance="a",status="HIT"}}': "0+800x30",
            f'{_REQUESTS}{{instance="a",status="MISS"}}': "0+200x30",
        },
        "15m",
        "PicshareCacheHitRatioLow",
        None,
    ),
    "no hit at all": (
        {f'{_REQUESTS}{{instance="a",status="MISS"}}': "0+100x30"},
        "25m",
        "PicshareCacheHitRatioLow",
        {"instance": "a"},
    ),
    "a good ratio, with purges": (
        {
            f'{_REQUESTS}{{instance="a",status="HIT"}}': "0+850x30",
            f'{_REQUESTS}{{instance="a",status="STALE"}}': "0+60x30",
            f'{_REQUESTS}{{instance="a",status="MISS"}}': "0+90x30",
            f'{_REQUESTS}{{instance="a",status="BYPASS"}}': "0+900x30",
        },
        "25m",
        "PicshareCacheHitRatioLow",
        None,
    ),
    "hardly any traffic": (
        {f'{_REQUESTS}{{instance="a",status="MISS"}}': "0+50x30"},
        "25m",
        "PicshareCacheHitRatioLow",
        None,
    ),
    "a purge that still fails after a minute": (
        {'picshare_purge_overdue_total{cache="a",instance="w"}': "0 0 0 1 2 3 4"},
        "5m",
        "PicsharePurgeOverdue",
        {"cache": "a"},
    ),
    "a purge that has failed and was carried out": (
        {'picshare_purge_overdue_total{cache="a",instance="w"}': "0 1 2 2 2 2 2 2"},
        "7m",
        "PicsharePurgeOverdue",
        None,
    ),
    "purges without a worker": (
        {'picshare_queue_depth{queue="purge"}': "0 3x10", 'picshare_jobs_total{queue="purge",outcome="done"}': "9x10"},
        "8m",
        "PicsharePurgesWait",
        {},
    ),
    "purges with a worker that was never started": (
        {'picshare_queue_depth{queue="purge"}': "0 3x10"},
        "8m",
        "PicsharePurgesWait",
        {},
    ),
    "a promotion that does not end": (
        {'picshare_stars{state="star"}': "2x50", 'picshare_stars{state="promoting"}': "0x5 1x45"},
        "40m",
        "PicshareStarChangeStopped",
        {"state": "promoting"},
    ),
    "a promotion that has ended": (
        {'picshare_stars{state="star"}': "2x50", 'picshare_stars{state="promoting"}': "0x5 1x20 0x25"},
        "40m",
        "PicshareStarChangeStopped",
        None,
    ),
    "a circuit that stays open": (
        {
            'picshare_circuit_state{instance="w",name="blobs"}': "0 2 1 2 1 2 2 2 2 2 2",
            'picshare_outbound_requests_total{instance="w",name="blobs",outcome="circuit_open"}': "0+9x11",
            'picshare_outbound_requests_total{instance="w",name="blobs",outcome="ok"}': "5x11",
        },
        "8m",
        "PicshareCircuitOpen",
        {"instance": "w", "name": "blobs"},
    ),
    "a circuit that closes soon": (
        {
            'picshare_circuit_state{instance="w",name="blobs"}': "0 2 2 2 0 2 2 2 2 2 2",
            'picshare_outbound_requests_total{instance="w",name="blobs",outcome="timeout"}': "0+9x11",
        },
        "9m",
        "PicshareCircuitOpen",
        None,
    ),
    "a circuit whose peer nobody calls any more": (
        {
            'picshare_circuit_state{instance="w",name="purge:a"}': "0 2 2 2 1 1 1 1 1 1 1 1 1 1 1 1 1",
            'picshare_outbound_requests_total{instance="w",name="purge:a",outcome="timeout"}': "0 9x16",
            'picshare_outbound_requests_total{instance="w",name="purge:a",outcome="ok"}': "0+1x16",
            'picshare_outbound_requests_total{instance="w",name="blobs",outcome="unavailable"}': "0+1x16",
        },
        "14m",
        "PicshareCircuitOpen",
        None,
    ),
    "purges that are carried out": (
        {
            'picshare_queue_depth{queue="purge"}': "0 3x10",
            'picshare_jobs_total{queue="purge",outcome="done"}': "9+1x10",
        },
        "8m",
        "PicsharePurgesWait",
        None,
    ),
    "webhooks that no worker looks at": (
        {
            'picshare_webhook_due_age_seconds{instance="api"}': "0x10",
            'picshare_webhook_due_age_seconds{instance="w"}': "0 30 90x8",
        },
        "4m",
        "PicshareWebhooksLate",
        {},
    ),
    "webhooks that are sent": (
        {'picshare_webhook_due_age_seconds{instance="w"}': "0 30 5x8"},
        "4m",
        "PicshareWebhooksLate",
        None,
    ),
    "webhooks that all fail": (
        {
            'picshare_webhook_attempt_seconds_count{outcome="failed"}': "0+60x90",
            'picshare_webhook_attempt_seconds_count{outcome="delivered"}': "0+30x90",
        },
        "80m",
        "PicshareWebhooksFail",
        {},
    ),
    "webhooks of which some fail": (
        {
            'picshare_webhook_attempt_seconds_count{outcome="failed"}': "0+30x90",
            'picshare_webhook_attempt_seconds_count{outcome="delivered"}': "0+60x90",
        },
        "80m",
        "PicshareWebhooksFail",
        None,
    ),
}


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


@pytest.mark.parametrize("case", _CASES)
def test_alerts_fire_when_they_should(case: str, tmp_path: Path) -> None:
    """Prometheus' own tool evaluates the shipped rules over the samples of each case."""
    series, at, alert, labels = _CASES[case]
    named = "".join(f',{name}="{value}"' for name, value in (labels or {}).items())
    firing = f'ALERTS{{alertname="{alert}",alertstate="firing"'
    samples = [] if labels is None else [{"labels": f"{firing}{named}}}", "value": 1}]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": f"{firing}}}", "eval_time": at, "exp_samples": samples}],
    }
    # Every JSON document is YAML.
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": [test]}))
    checked = promtool("test", "rules", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_rules_name_metrics_that_exist() -> None:
    """Each metric in the rules is one of PicShare's processes, of the program for mtail, or of a rule."""
    checked = promtool("check", "rules", str(RULES))
    assert checked.returncode == 0, checked.stderr
    metrics = Metrics("1")
    LoopWatch(metrics.registry)
    GarbageCollector(metrics.registry)
    known = {name for family in metrics.registry.collect() for name in samples_of(family)}
    known |= set(re.findall(r"^counter (\w+)", (SHIPPED / "picshare-cache.mtail").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bpicshare_\w+", RULES.read_text())) - {"picshare_caches"} <= known


def test_the_operator_s_guide_lists_every_alert() -> None:
    """The tables have each alert, and each metric of mtail, and no other."""
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    assert [codes_in(row[0])[0] for row in table_rows("docs/operation.md", "Alerts")] == alerts
    counters = re.findall(r"^counter (\w+)", (SHIPPED / "picshare-cache.mtail").read_text(), re.MULTILINE)
    assert [codes_in(row[0])[0] for row in table_rows("docs/operation.md", "The hit rate of the cache")] == counters


def samples_of(family: Metric) -> set[str]:
    """Return the names under which a metric is queried."""
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
    return {family.name + suffix for suffix in suffixes}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Prometheus' tool."""
    binary = shutil.which("promtool")
    assert binary is not None, "promtool is missing: run `make test`, which installs it"
    return subprocess.run([binary, *arguments], capture_output=True, text=True, check=False)
