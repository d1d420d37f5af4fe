"""What the processing of photos asks of a service that scans files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

TIMEOUT = 30.0  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanSettings:
    """The address of the service, and the seconds after which a scan without a complete response has failed."""

    url: str
    timeout: float = TIMEOUT


class ScanUnavailableError(Exception):
    """Raised if there is no usable answer; `retry_after` is the number of seconds until the service may be asked."""

    def __init__(self, detail: str, *, retry_after: float = 0.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Scanner(Protocol):
    """Scans files."""

    async def matches(self, path: Path, *, sha256: str, content_type: str) -> bool:
        """Return whether a file must not be published; raise `ScanUnavailableError` without a usable answer."""
        ...


class ScanMetrics(Protocol):
    """Counts scans."""

    def file_scanned(self, *, result: str) -> None:
        """Record a scan: `pass`, `match`, or `unavailable`."""
        ...


class NoScanMetrics:
    """Records nothing."""

    def file_scanned(self, *, result: str) -> None:
        """Do nothing."""
