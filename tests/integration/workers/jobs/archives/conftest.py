"""Exports of accounts, on real stores."""

from __future__ import annotations

import pytest

from tests.support.exports import Exporter
from tests.support.stage import Stage


@pytest.fixture
def exporter(stage: Stage) -> Exporter:
    """The worker on real stores."""
    return Exporter(stage)
