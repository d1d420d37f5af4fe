"""The output of `picshare media verify`."""

from __future__ import annotations

import pytest

from server.administration.media_report import Difference, Fault, Report
from server.cli.media import show


def test_each_difference_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A line has the content, the fault and its outcome; the last one has the numbers."""
    found = [
        Difference(sha256="aa" * 32, fault=Fault.NO_ROW, outcome="deleted", mended=True),
        Difference(sha256="bb" * 32, fault=Fault.WRONG_HASH, outcome="restore it"),
    ]
    report = Report(rows=1200, originals=1201, with_variants=1199, read=10, differences=found)
    assert not report.ok
    show(report)
    assert capsys.readouterr().out.splitlines() == [
        f"mended {'aa' * 32} object without row: deleted",
        f"WRONG {'bb' * 32} wrong hash: restore it",
        "1,200 rows, 1,201 originals (10 read), 1,199 contents with variants: 1 wrong, 1 mended.",
    ]
