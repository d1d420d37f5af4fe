"""What a check of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass

MAX_SKEW = 2.0  # seconds; offsets of feeds are Redis' clock, ids are ours


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one check saw; `remedy` is how to mend it, and empty when all is well."""

    name: str
    detail: str
    remedy: str = ""

    @property
    def well(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.remedy


def skewed(name: str, seconds: float) -> Finding:
    """Return the finding that a server's clock and ours are too far apart."""
    return Finding(
        name=name,
        detail=f"its clock and this machine's are {seconds:.1f} s apart",
        remedy="Run a time service (chrony, systemd-timesyncd) on both.",
    )
