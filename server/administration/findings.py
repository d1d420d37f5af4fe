"""Findings of the doctor; a module of its own, so that the command line can name the type without loading drivers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The result of one check; `remedy` is the way to fix the problem, empty if there is none.

    `warning` is a sentence about what an operator should mend although everything works.
    """

    name: str
    detail: str
    remedy: str = ""
    warning: str = ""

    @property
    def ok(self) -> bool:
        """Return whether there is no problem."""
        return not self.remedy
