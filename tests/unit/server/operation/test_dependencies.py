"""The sampler of dependencies."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.operation.dependencies import DependencyWatch
from server.operation.health import Health
from server.operation.metrics import Metrics


class Space:
    """The space of a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.full = True


async def succeed() -> None:
    """Return."""


async def fail() -> None:
    """Fail."""
    raise OSError("refused")


async def test_each_dependency_has_a_sample(tmp_path: Path) -> None:
    """One that does not answer is 0, those that answer are 1, and the disk is measured."""
    metrics = Metrics("1")
    health = Health({"database": succeed, "redis": fail}, degrading={"blobs": fail})
    await DependencyWatch(health, metrics, space=Space(tmp_path)).measure()
    read = metrics.registry.get_sample_value
    assert [read("picshare_dependency_up", {"dependency": name}) for name in ("database", "redis", "blobs")] == [
        1,
        0,
        0,
    ]
    assert (read("picshare_disk_free_bytes") or 0) > 0
    assert read("picshare_disk_full") == 1


async def test_a_directory_that_cannot_be_measured_is_logged(tmp_path: Path) -> None:
    """The measurement goes on at the next time."""
    with capture_logs() as logs:
        await DependencyWatch(Health({}), Metrics("1"), space=Space(tmp_path / "none")).measure()
    assert [entry["event"] for entry in logs] == ["disk_not_measured"]


@pytest.mark.parametrize("name", ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"])
def test_the_process_is_measured(name: str) -> None:
    """Processor time, memory and open files are among the metrics, where the system has /proc."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system has no /proc")
    assert (Metrics("1").registry.get_sample_value(name) or 0) > 0
