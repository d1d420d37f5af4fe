"""The doctor's line about the certificate."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from server.administration.certificate_check import inspect_certificate
from server.config.settings import Settings
from tests.support.certificates import Pair, pair


def settings_of(files: Pair) -> Settings:
    """Return settings with a certificate."""
    return Settings().with_values("server", tls_certificate=files.certificate, tls_key=files.key)


@pytest.mark.parametrize(
    ("begins", "ends", "problem"),
    [(-1, 89, ""), (-80, 10, "which is soon"), (-91, -1, "which is over"), (1, 90, "but not yet")],
    ids=["valid", "soon", "over", "future"],
)
def test_a_certificate_that_ends_is_a_problem(begins: int, ends: int, problem: str, tmp_path: Path) -> None:
    """One that is not valid, or soon will not be, has a remedy."""
    files = pair(tmp_path, "a.example", begins=timedelta(days=begins), ends=timedelta(days=ends, minutes=1))
    finding = inspect_certificate(settings_of(files))
    assert finding is not None
    assert finding.detail.startswith("a.example, localhost, valid until ")
    assert problem in finding.detail
    assert finding.ok is (not problem)


def test_a_key_that_does_not_match_is_a_problem(tmp_path: Path) -> None:
    """The line says what is wrong with which files."""
    other = tmp_path / "other"
    other.mkdir()
    files = pair(tmp_path, "a.example")
    shutil.copy(pair(other, "b.example").key, files.key)
    finding = inspect_certificate(settings_of(files))
    assert finding is not None
    assert (
        finding.detail == f"{files.certificate} and {files.key} cannot be used: the key is not that of the certificate"
    )
    assert not finding.ok


def test_without_tls_there_is_no_line(tmp_path: Path) -> None:
    """Another program ends TLS, or none; with ACME, a certificate that was not issued is a problem."""
    assert inspect_certificate(Settings()) is None
    ordered = Settings().with_values("acme", domains="a.example", storage=tmp_path)
    finding = inspect_certificate(ordered)
    assert finding is not None
    assert not finding.ok
