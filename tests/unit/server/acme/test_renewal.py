"""When a certificate is renewed, and how a failed order is repeated."""

from __future__ import annotations

import asyncio
import fcntl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.acme import renewal
from server.acme.challenges import Challenges
from server.acme.order import Issued, OrderError
from server.acme.renewal import Renewal, renewal_time, retry_delay
from server.operation import certificates
from server.operation.certificates import ServerCertificate, Validity
from server.operation.metrics import Metrics
from tests.support.certificates import Pair, pair
from tests.support.eventually import eventually

PATIENCE = 30.0  # seconds
LATER = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(("days", "jitter", "left"), [(90, 0.0, 30.0), (90, 1.0, 33.0), (45, 0.0, 15.0), (6, 0.0, 2.0)])
def test_a_third_of_the_lifetime_is_left_at_a_renewal(days: int, jitter: float, left: float) -> None:
    """The jitter makes it earlier, by up to a tenth of that third."""
    validity = Validity(names=("a",), begins=LATER - timedelta(days=days), ends=LATER)
    assert LATER - renewal_time(validity, jitter) == timedelta(days=left)


def test_failed_orders_are_repeated_more_and_more_seldom() -> None:
    """Five orders fail within an hour at most, and one in six hours at last."""
    delays = [retry_delay(failures, 0.0) for failures in range(1, 12)]
    assert delays[:5] == [120, 240, 480, 960, 1920]
    assert sum(delays[:5]) > 3600
    assert delays[-1] == 6 * 3600
    assert retry_delay(1, 1.0) == 132


def test_a_token_is_no_path(tmp_path: Path) -> None:
    """Only what has the form of a token is looked up."""
    (tmp_path / "secret").write_text("key")
    challenges = Challenges(tmp_path / "challenges")
    challenges.put("a-token_1", "text")
    assert challenges.get("a-token_1") == "text"
    assert challenges.get("../secret") is None
    assert challenges.get("unknown") is None
    with pytest.raises(ValueError, match="no token"):
        challenges.put("../secret", "text")


class Authority:
    """Issues self-signed certificates; the first `failures` orders fail."""

    def __init__(self, folder: Path, failures: int = 0) -> None:
        self.orders = 0
        self._folder = folder
        self._failures = failures

    def order(self) -> Issued:
        """Return a certificate."""
        self.orders += 1
        if self.orders <= self._failures:
            raise OrderError("the authority is away")
        issued = pair(self._folder, "localhost")
        return Issued(chain=issued.certificate.read_bytes(), key=issued.key.read_bytes())


def renewal_in(folder: Path, authority: Authority, metrics: Metrics) -> tuple[ServerCertificate, Renewal]:
    """Return a certificate whose files are in a directory, and its renewal."""
    files = Pair(folder / "certificate.pem", folder / "key.pem")
    certificate = ServerCertificate(files.certificate, files.key, metrics, optional=True)
    return certificate, Renewal(certificate, (files.certificate, files.key), ("localhost",), authority.order, metrics)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A directory for the storage and one for the authority; all intervals are short."""
    for module, name in ((certificates, "INTERVAL"), (renewal, "INTERVAL"), (renewal, "FIRST_RETRY")):
        monkeypatch.setattr(module, name, 0.01)
    storage, authority = tmp_path / "storage", tmp_path / "authority"
    authority.mkdir()
    return storage, authority


async def test_an_order_is_repeated_until_there_is_a_certificate(folders: tuple[Path, Path]) -> None:
    """Failures are counted, and after a success no further order follows."""
    storage, place = folders
    metrics, authority = Metrics(), Authority(place, failures=2)
    certificate, service = renewal_in(storage, authority, metrics)
    running = asyncio.create_task(service.run())
    await eventually(lambda: certificate.context is not None, within=PATIENCE)
    for _ in range(20):
        await asyncio.sleep(0)
    assert authority.orders == 3
    assert metrics.registry.get_sample_value("picshare_acme_orders_total", {"result": "failed"}) == 2
    assert (storage / "key.pem").stat().st_mode & 0o777 == 0o600
    running.cancel()


async def test_one_of_two_processes_orders(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process has the lock none is ordered; then its certificate is found."""
    storage, place = folders
    authority = Authority(place)
    certificate, service = renewal_in(storage, authority, Metrics())
    looks, reload = [0], certificate.reload

    def counted() -> None:
        looks[0] += 1
        reload()

    monkeypatch.setattr(certificate, "reload", counted)
    storage.mkdir()
    with (storage / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = asyncio.create_task(service.run())
        # Each look finds the lock taken.
        await eventually(lambda: looks[0] > 3, within=PATIENCE)
        # What the other process has ordered.
        pair(storage, "localhost")
        await eventually(lambda: certificate.context is not None, within=PATIENCE)
    assert authority.orders == 0
    running.cancel()
