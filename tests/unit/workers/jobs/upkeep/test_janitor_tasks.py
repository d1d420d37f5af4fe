"""How often the janitor's tasks run."""

from __future__ import annotations

from typing import Any, cast

from workers.jobs.upkeep.counter_repair import CounterRepair
from workers.jobs.upkeep.janitor import Janitor

DAY, HOUR = 86_400, 3600


def test_the_periods_keep_what_the_documentation_promises() -> None:
    """Lost revocations are restored within a second, tags counted soon, three tasks run daily, the others hourly."""
    unused = cast(Any, None)
    counters = CounterRepair(unused, unused)
    periods = {task.name: task.period for task in Janitor(unused, unused, cast(Any, Unused()), counters).tasks()}
    assert (periods.pop("revocations"), periods.pop("tag_counts")) == (1, 5)
    assert [periods.pop(name) for name in ("notification_actors", "counters", "unclaimed_uploads")] == [DAY] * 3
    assert all(60 <= period <= HOUR for period in periods.values())


class Unused:
    """Revocations that are not restored here."""

    async def restore(self) -> int:
        """Return 0."""
        return 0
