"""Renewal of the certificate: order the first one, and another when a third of its lifetime is left.

One process of those that share the storage orders; the others load what it has written.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog

from server.acme.order import Issued, OrderError, write_private
from server.operation.certificates import ServerCertificate, Validity
from storage.file_locks import try_lock

log = structlog.get_logger(__name__)

INTERVAL = 60.0  # seconds between two looks at the certificate
# Seconds after a failed order, then twice as long each time: at most five in an hour, as Let's Encrypt allows.
FIRST_RETRY, LONGEST_RETRY = 120.0, 6 * 3600.0


class OrderMetrics(Protocol):
    """Metrics of orders."""

    def certificate_ordered(self, *, issued: bool) -> None:
        """Record an order, and whether a certificate was issued."""
        ...


def renewal_time(validity: Validity, jitter: float) -> datetime:
    """Return when a certificate is renewed: with a third of its lifetime left, and up to a tenth of that earlier.

    `jitter`, from 0 to 1, spreads installations that were set up together.
    """
    third = validity.lifetime / 3
    return validity.ends - third - third / 10 * jitter


def retry_delay(failures: int, jitter: float) -> float:
    """Return the seconds until the next order after so many failed ones, lengthened by up to a tenth."""
    doubled = FIRST_RETRY * 2 ** min(failures - 1, 16)
    return float(min(doubled, LONGEST_RETRY) * (1 + jitter / 10))


class Renewal:
    """Keeps the pair of files of `certificate` valid; `order` returns a new certificate and blocks.

    A certificate that lacks one of `domains` is replaced at once, as after a change of the settings.
    """

    def __init__(
        self,
        certificate: ServerCertificate,
        files: tuple[Path, Path],
        domains: Sequence[str],
        order: Callable[[], Issued],
        metrics: OrderMetrics,
    ) -> None:
        self._certificate = certificate
        self._files = files
        self._domains = frozenset(domains)
        self._order = order
        self._metrics = metrics
        self._jitter = random.random()

    async def run(self) -> None:
        """Order certificates when they are due, until cancelled."""
        failures = 0
        while True:
            if not self._is_due():
                await asyncio.sleep(INTERVAL)
                continue
            with _locked(self._files[0].parent / "lock") as ours:
                # Another process may have written a certificate since the last look.
                self._certificate.reload()
                if not ours or not self._is_due():
                    await asyncio.sleep(INTERVAL if not ours else 0)
                    continue
                issued = await self._ordered()
            # One that is due at once, as by a wrong clock, must not be ordered in a loop.
            failures = 0 if issued and not self._is_due() else failures + 1
            if failures:
                await asyncio.sleep(retry_delay(failures, random.random()))

    def _is_due(self) -> bool:
        validity = self._certificate.validity
        if validity is None or not self._domains.issubset(validity.names):
            return True
        return datetime.now(UTC) >= renewal_time(validity, self._jitter)

    async def _ordered(self) -> bool:
        try:
            issued = await in_thread(self._order)
            # The key first: a pair that does not match is refused, and looked at again when the other file is there.
            certificate, key = self._files
            await asyncio.to_thread(write_private, key, issued.key)
            await asyncio.to_thread(write_private, certificate, issued.chain)
        except (OrderError, OSError) as error:
            log.error("certificate_not_issued", domains=sorted(self._domains), error=str(error))  # noqa: TRY400 - no defect here
            self._metrics.certificate_ordered(issued=False)
            return False
        self._metrics.certificate_ordered(issued=True)
        log.info("certificate_issued", domains=sorted(self._domains))
        self._certificate.reload()
        return True


@contextmanager
def _locked(file: Path) -> Iterator[bool]:
    """Lock a file until the end of the block, and yield whether it was free."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        yield try_lock(handle.fileno())


async def in_thread(work: Callable[[], Issued]) -> Issued:
    """Return what `work` returns in a thread of its own, which does not delay the end of the process."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Issued] = loop.create_future()

    def finish(issued: Issued | None, error: Exception | None) -> None:
        if result.done():
            return
        if issued is not None:
            result.set_result(issued)
        else:
            result.set_exception(error or OrderError("nothing was issued"))

    def run() -> None:
        issued, failed = None, None
        try:
            issued = work()
        except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, issued, failed)

    # The default executor's threads are waited for at the end, and an order may take two minutes.
    threading.Thread(target=run, daemon=True, name="acme").start()
    return await result
