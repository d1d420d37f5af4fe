"""A private Prometheus, Debian's package, on a loopback port: scrapes a test's targets, evaluates shipped rules."""

from __future__ import annotations

import asyncio
import json
import math
import re
import shutil
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from storage.embedded.supervisor import log_tail, start, stop
from tests.engines.private import START_DEADLINE, free_port
from tests.support.eventually import eventually
from tests.support.prometheus_tools import RULES, SLO_RULES


class Prometheus:
    """The HTTP API of a running Prometheus."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def query(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """Return the series of an instant query with their values; fail with Prometheus' message."""
        answer = await self._get("/api/v1/query", query=expression)
        return [(series["metric"], float(series["value"][1])) for series in answer["result"]]

    async def has_data(self, expression: str) -> bool:
        """Return whether a query has a value that is a number."""
        return any(not math.isnan(value) for _, value in await self.query(expression))

    async def firing(self, alert: str) -> bool:
        """Return whether an alert fires."""
        answer = await self._get("/api/v1/alerts")
        return any(item["labels"]["alertname"] == alert and item["state"] == "firing" for item in answer["alerts"])

    async def until_firing(self, alert: str, *, within: float) -> None:
        """Wait until an alert fires."""

        async def fires() -> bool:
            await asyncio.sleep(0.25)  # between two questions; Prometheus evaluates its rules once a second at most
            return await self.firing(alert)

        await eventually(fires, within=within)

    async def _get(self, path: str, **parameters: str) -> Any:
        async with self._session.get(self.url + path, params=parameters) as response:
            document = await response.json()
        assert document["status"] == "success", document
        return document["data"]


@asynccontextmanager
async def running_prometheus(
    folder: Path, targets: Mapping[str, Sequence[int]], *, interval: str, tls: Mapping[str, Sequence[int]] | None = None
) -> AsyncIterator[Prometheus]:
    """Scrape the loopback ports of each role during the block, every `interval`, and evaluate the rules as often.

    Those of `tls` are scraped over TLS, whatever their certificates are.
    """
    binary = shutil.which("prometheus")
    if binary is None:
        raise RuntimeError("prometheus is missing: run `make test`, which installs it")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "prometheus.yml"
    config.write_text(json.dumps(_configuration(folder, targets, tls or {}, interval)))  # every JSON document is YAML
    port, log = free_port(), folder / "prometheus.log"
    command = [binary, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    process = await start(
        [*command, f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
        name="prometheus",
        log_file=log,
        unprivileged=False,
    )
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:

            async def is_ready() -> bool:
                if process.returncode is not None:
                    raise RuntimeError(f"prometheus did not start: {log_tail(log)}")
                try:
                    async with session.get(f"http://127.0.0.1:{port}/-/ready") as response:
                        return response.status == 200
                except aiohttp.ClientError:
                    return False

            await eventually(is_ready, within=START_DEADLINE)
            yield Prometheus(session, f"http://127.0.0.1:{port}")
    finally:
        await stop(process, signal.SIGTERM)


def _configuration(
    folder: Path, targets: Mapping[str, Sequence[int]], tls: Mapping[str, Sequence[int]], interval: str
) -> dict[str, object]:
    rules = []
    for file in (RULES, SLO_RULES):
        # Groups with an interval of their own are evaluated as often as the others.
        text = re.sub(r"^    interval: .*\n", "", file.read_text(), flags=re.MULTILINE)
        (folder / file.name).write_text(text)
        rules.append(file.name)
    over_tls = {"job_name": "tls", "scheme": "https", "tls_config": {"insecure_skip_verify": True}}
    job = [{"source_labels": ["job"], "target_label": "job", "replacement": "picshare"}]
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": rules,
        "scrape_configs": [
            {"job_name": "picshare", "static_configs": _static(targets)},
            {**over_tls, "static_configs": _static(tls), "relabel_configs": job},
        ],
    }


def _static(targets: Mapping[str, Sequence[int]]) -> list[dict[str, object]]:
    return [
        {"targets": [f"127.0.0.1:{port}" for port in ports], "labels": {"role": role}}
        for role, ports in targets.items()
    ]
