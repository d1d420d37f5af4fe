"""Result of a media check; a module of its own, so that the command line can name the types without loading drivers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """Kinds of differences."""

    NO_OBJECT = "row without object"
    NO_ROW = "object without row"
    NO_ORIGINAL = "variants without original"
    WRONG_SIZE = "wrong size"
    WRONG_HASH = "wrong hash"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One difference, by the hash of the content; `outcome` is what was done, or what an operator can do."""

    sha256: str
    fault: Fault
    outcome: str
    mended: bool = False


@dataclass(kw_only=True, slots=True)
class Report:
    """The numbers of rows, originals and contents with variants that were compared, and of originals that were read."""

    rows: int = 0
    originals: int = 0
    with_variants: int = 0
    read: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether there is no difference, or each one was mended."""
        return all(difference.mended for difference in self.differences)
