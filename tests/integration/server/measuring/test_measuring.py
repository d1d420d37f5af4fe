"""A measurement with an installation of its own, as `picshare plan --measure` does it, with few repetitions."""

from __future__ import annotations

import pytest

from server.measuring.installation import measure_here
from server.planning.load import Load
from server.planning.plan import make_plan
from server.planning.unit_costs import read_unit_costs

pytestmark = pytest.mark.engines


async def test_an_installation_is_measured() -> None:
    """Every unit of the shipped figures is measured, and the plan follows from it."""
    found = await measure_here(scale=0.02)
    shipped = read_unit_costs()
    totals = {unit: sum(components.values()) for unit, components in found.items()}
    assert set(totals) == set(shipped.one_process)
    assert found["megapixel"]["picshare"] > 0
    assert found["like"]["postgres"] > 0
    measured = shipped.measured_again(totals, measured_at="now", machine="here")
    assert make_plan(Load(), measured).milliseconds > 0
