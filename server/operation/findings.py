"""What a check of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass


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
