"""The form of a case: samples with which an alert fires, or does not."""

from __future__ import annotations

from collections.abc import Mapping

# Series of one sample a minute, the time to look, an alert, and the labels with which it fires (without its severity),
# or None if it does not.
Case = tuple[Mapping[str, str], str, str, Mapping[str, str] | None]
