"""The age of the last backup, for the doctor and as a metric."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from server.administration.backup_check import MAX_AGE, inspect_backup
from server.operation.backup_metrics import expose_last_backup
from server.operation.data_dir import note_backup


def test_the_doctor_warns_of_old_backups(tmp_path: Path) -> None:
    """Without a backup, and a week after the last one, there is a warning, but no fault."""
    assert inspect_backup(tmp_path).warning
    note_backup(tmp_path, Path("/backup/monday"))
    now = datetime.now(UTC)
    fresh = inspect_backup(tmp_path, now=now + MAX_AGE - timedelta(minutes=1))
    assert (fresh.ok, fresh.warning) == (True, "")
    assert "/backup/monday" in fresh.detail
    old = inspect_backup(tmp_path, now=now + MAX_AGE + timedelta(minutes=1))
    assert old.ok
    assert old.warning.startswith("Run `picshare backup`")


def test_the_metric_is_the_time_of_the_last_backup(tmp_path: Path) -> None:
    """It is read at each scrape, since another process writes it."""
    registry = CollectorRegistry()
    expose_last_backup(registry, tmp_path)
    name = "picshare_last_backup_timestamp_seconds"
    assert registry.get_sample_value(name) == 0
    before = datetime.now(UTC).timestamp()
    note_backup(tmp_path, Path("/backup/monday"))
    found = registry.get_sample_value(name)
    assert found is not None
    assert abs(found - before) < 60


def test_the_note_belongs_to_the_service(tmp_path: Path) -> None:
    """After a backup by an administrator the service can read when it was."""
    if os.geteuid() == 0:
        os.chown(tmp_path, 1234, 1234)
    note_backup(tmp_path, Path("/backup/monday"))
    assert (tmp_path / "last_backup").stat().st_uid == tmp_path.stat().st_uid
