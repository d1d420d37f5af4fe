"""The doctor's check of the service that scans originals: a harmless image is sent, and has to pass."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from pathlib import Path

from server.administration.findings import Finding
from server.composition.outbound import scan_settings
from server.config.settings import Settings
from storage.circuit import Circuit
from workers.outbound.client import OutboundClient
from workers.outbound.policy import TRUSTED
from workers.scanning.http_scanner import HttpScanner
from workers.scanning.port import ScanSettings, ScanUnavailableError

_TIMEOUT = 10.0  # seconds
_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)


async def inspect_scan(settings: Settings) -> Finding:
    """Check that the service of `media.scan` lets a white pixel pass."""
    section = scan_settings(settings)
    if section is None:
        return Finding(name="scan", detail="off")
    asked = ScanSettings(url=section.url, timeout=min(section.timeout, _TIMEOUT))
    with tempfile.TemporaryDirectory(prefix="picshare-") as folder:
        path = Path(folder) / "pixel.png"
        path.write_bytes(_PIXEL)
        async with OutboundClient(TRUSTED, name="scan") as client:
            scanner = HttpScanner(asked, client, Circuit("scan"))
            try:
                matches = await scanner.matches(
                    path, sha256=hashlib.sha256(_PIXEL).hexdigest(), content_type="image/png"
                )
            except ScanUnavailableError as error:
                return Finding(
                    name="scan",
                    detail=str(error),
                    remedy="Check media.scan, and that the service runs. Until it answers, no image is published.",
                )
    if matches:
        remedy = "Check that media.scan is the URL of a service that answers with 451 for matches alone."
        return Finding(name="scan", detail="it answers with 451 for a white pixel", remedy=remedy)
    return Finding(name="scan", detail="it lets a white pixel pass")
