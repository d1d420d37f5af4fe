"""The counters of a soak and their text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Report:
    """Counters, and for each fault the recovery time of the slowest device in seconds."""

    seed: int
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    publications: Counter[str] = field(default_factory=Counter)
    connects: Counter[str] = field(default_factory=Counter)
    closes: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)

    def record_recovery(self, fault: str, seconds: float) -> None:
        """Record the recovery time of a fault; the longest is kept."""
        self.longest[fault] = max(self.longest.get(fault, 0.0), seconds)

    def text(self) -> str:
        """Return the report as lines of text."""
        slowest = {fault: f"{seconds:.1f} s" for fault, seconds in sorted(self.longest.items())}
        lines: dict[str, Mapping[str, object]] = {
            "faults": self.faults,
            "acknowledged": self.requests,
            "publications": self.publications,
            "connects": self.connects,
            "closes": self.closes,
            "recovered after": slowest,
        }
        body = "\n".join(
            f"  {name:<18} {', '.join(f'{key} {value}' for key, value in sorted(values.items()))}"
            for name, values in lines.items()
            if values
        )
        return f"soak, seed {self.seed}, {self.seconds:.0f} s\n{body}"
