"""One run of Lighthouse: a page in a new Chromium, and what is of interest in the report."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright._impl._api_structures import SetCookieParam
from playwright.async_api import async_playwright

from tests.engines.private import free_port
from tests.support.chromium import find_chromium

_PROGRAM = Path(__file__).parent / "node_modules" / "lighthouse" / "cli" / "index.js"
_CATEGORIES = ("performance", "accessibility", "best-practices")
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update")


class LighthouseError(Exception):
    """Lighthouse is not installed, or could not load a page; the message says what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The scores (0 to 100), the times in milliseconds, the shift of the layout, the bytes, and what costs points."""

    scores: Mapping[str, float]
    first_paint: float
    largest_paint: float
    blocked: float
    shift: float
    bytes: float
    requests: float
    faults: tuple[str, ...]


def _installed() -> bool:
    return _PROGRAM.exists()


async def audit(url: str, profile: str, cookies: Sequence[SetCookieParam], kept: Path | None = None) -> Run:
    """Load a page once in a new Chromium with these cookies; `profile` is `phone` or `desktop`.

    `kept` is the file to keep the report in, which says what costs how much, and None keeps none.
    Raises `LighthouseError` if Lighthouse is missing or fails, as on a machine that is too busy to record the page.
    """
    chromium = find_chromium()
    if chromium is None or not _installed():
        raise LighthouseError("Install Chromium by tests/install-engines, and Lighthouse by bench/lighthouse/install.")
    with tempfile.TemporaryDirectory(prefix="pslh-") as folder:
        report, port = Path(folder, "report.json"), free_port()
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                f"{folder}/profile", executable_path=chromium, args=[*_FLAGS, f"--remote-debugging-port={port}"]
            )
            try:
                await context.add_cookies(cookies)
                await _lighthouse(url, profile, port, report)
            finally:
                await context.close()
        return _read(report, kept)


async def _lighthouse(url: str, profile: str, port: int, report: Path) -> None:
    """Run Lighthouse in the browser at a port; raise `LighthouseError` if it fails."""
    process = await asyncio.create_subprocess_exec(
        "node",
        str(_PROGRAM),
        url,
        f"--port={port}",
        "--output=json",
        f"--output-path={report}",
        f"--only-categories={','.join(_CATEGORIES)}",
        *(["--preset=desktop"] if profile == "desktop" else []),
        "--quiet",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    if process.returncode != 0:
        raise LighthouseError(f"{url}: {output[-1000:]}")


def _read(report: Path, kept: Path | None) -> Run:
    text = report.read_text()
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(text)
    return _run_of(json.loads(text))


def _run_of(report: dict[str, object]) -> Run:
    categories, audits = report["categories"], report["audits"]
    assert isinstance(categories, dict)
    assert isinstance(audits, dict)

    def number(name: str) -> float:
        return float(audits[name].get("numericValue") or 0)

    weighed = {item["id"] for name in _CATEGORIES for item in categories[name]["auditRefs"] if item["weight"]}
    faults = tuple(sorted(name for name in weighed if (audits[name]["score"] or 0) < 0.9 and _counts(audits[name])))
    requests = audits["network-requests"]["details"]["items"]
    return Run(
        scores={name: 100 * (categories[name]["score"] or 0) for name in _CATEGORIES},
        first_paint=number("first-contentful-paint"),
        largest_paint=number("largest-contentful-paint"),
        blocked=number("total-blocking-time"),
        shift=number("cumulative-layout-shift"),
        bytes=sum(item.get("transferSize", 0) for item in requests),
        requests=len(requests),
        faults=faults,
    )


def _counts(audit: dict[str, object]) -> bool:
    return audit["scoreDisplayMode"] not in {"notApplicable", "informative", "manual"}
