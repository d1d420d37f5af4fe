"""What a soak did and saw, and the words in which it says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts, and for each kind of trouble how long the slowest device took to have everything again, in seconds."""

    seed: int
    seconds: float = 0.0
    acts: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    publications: Counter[str] = field(default_factory=Counter)
    connects: Counter[str] = field(default_factory=Counter)
    closes: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)

    def took(self, act: str, seconds: float) -> None:
        """Keep the longest time of an act."""
        self.longest[act] = max(self.longest.get(act, 0.0), seconds)

    def text(self) -> str:
        """Return it all as lines."""
        slowest = {act: f"{seconds:.1f} s" for act, seconds in sorted(self.longest.items())}
        lines: dict[str, Mapping[str, object]] = {
            "acts": self.acts,
            "acknowledged": self.requests,
            "publications": self.publications,
            "connects": self.connects,
            "closes": self.closes,
            "whole again after": slowest,
        }
        body = "\n".join(
            f"  {name:<18} {', '.join(f'{key} {value}' for key, value in sorted(values.items()))}"
            for name, values in lines.items()
            if values
        )
        return f"soak, seed {self.seed}, {self.seconds:.0f} s\n{body}"
