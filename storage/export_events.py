"""Events about exports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from storage.event import Event


@dataclass(frozen=True, kw_only=True)
class ExportRequested(Event):
    """A user requested an export of the account."""

    topic: ClassVar[str] = "export.requested"
    export_id: int
    user_id: int
