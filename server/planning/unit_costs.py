"""Costs of one unit of each kind of work, in microseconds of processor time, by component.

They come from the JSON of `python -m bench units`; the file `units.json` is one that is part of PicShare. The
groups of its figures are `GROUP` and a unit, and the names are components: roles and engines.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from server.errors import ServerError

SHIPPED = Path(__file__).with_name("units.json")
GROUP, ONE_PROCESS = "unit cost:", "unit cost in one process:"
_MEASURED_WITH = "python -m bench units"

# What `python -m bench units` does not measure, with the benchmark that does.
OTHERS: Mapping[str, tuple[Mapping[str, float], str]] = {
    "insertion": ({"fanout": 2.0, "redis": 5.5}, "python -m bench fanout, 2026-11-28"),
    "delivery": ({"live": 13.6}, "python -m bench.sockets fanout, 2026-11-28"),
    "ping": ({"live": 18.2}, "python -m bench pings, 2026-11-30"),
}


class UnitCostsError(ServerError):
    """A file of unit costs that cannot be read; the message says why."""


@dataclass(frozen=True, kw_only=True)
class UnitCosts:
    """Microseconds by unit and component, the moment and machine of the measurement, and the source of each unit.

    `one_process` are the same units measured with `picshare run`: the sum of all components.
    """

    costs: Mapping[str, Mapping[str, float]]
    sources: Mapping[str, str]
    measured_at: str
    machine: str
    one_process: Mapping[str, float]

    def of(self, unit: str) -> Mapping[str, float]:
        """Return the cost of a unit by component; nothing for one that was not measured."""
        return self.costs.get(unit, {})

    def measured_again(self, one_process: Mapping[str, float], *, measured_at: str, machine: str) -> UnitCosts:
        """Return the costs on another machine, by a measurement of `picshare run` there.

        Each unit is scaled by its own ratio. Units that were not measured, as those of nginx and RabbitMQ, are scaled
        by the median of the ratios.
        """
        factors = {
            unit: total / self.one_process[unit] for unit, total in one_process.items() if self.one_process.get(unit)
        }
        usual = statistics.median(factors.values())
        scaled = {
            unit: {name: cost * factors.get(unit, usual) for name, cost in components.items()}
            for unit, components in self.costs.items()
        }
        sources = {
            unit: f"picshare plan --measure, split as by {source}" if unit in factors else f"{source}, × {usual:.2f}"
            for unit, source in self.sources.items()
        }
        return replace(
            self,
            costs=scaled,
            sources=sources,
            measured_at=measured_at,
            machine=machine,
            one_process=dict(one_process),
        )


def read_unit_costs(path: Path = SHIPPED) -> UnitCosts:
    """Return the costs in the JSON of a benchmark; raise `UnitCostsError` if it has none."""
    try:
        document = json.loads(path.read_text())
        figures = [(item["group"], item["name"], float(item["median"])) for item in document["figures"]]
        measured_at, machine = document["measured_at"], document["machine"]["processor"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnitCostsError(f"{path} has no figures of `{_MEASURED_WITH}`: {error}.") from error
    costs: dict[str, dict[str, float]] = {unit: dict(components) for unit, (components, _) in OTHERS.items()}
    one_process: dict[str, float] = {}
    for group, name, median in figures:
        if group.startswith(GROUP):
            costs.setdefault(group.removeprefix(GROUP).strip(), {})[name] = median
        elif group.startswith(ONE_PROCESS):
            unit = group.removeprefix(ONE_PROCESS).strip()
            one_process[unit] = one_process.get(unit, 0.0) + median
    if not one_process:
        raise UnitCostsError(f"{path} has no figures of `{_MEASURED_WITH}`.")
    sources = {unit: OTHERS[unit][1] if unit in OTHERS else f"{_MEASURED_WITH}, {measured_at[:10]}" for unit in costs}
    return UnitCosts(costs=costs, sources=sources, measured_at=measured_at, machine=machine, one_process=one_process)
