"""Events about webhooks themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from storage.event import Event


@dataclass(frozen=True, kw_only=True)
class WebhookNoticed(Event):
    """The owner of an endpoint is to be notified that it is failing, or was disabled (`disabled`)."""

    topic: ClassVar[str] = "webhook.noticed"
    endpoint_id: int
    owner_id: int
    disabled: bool
