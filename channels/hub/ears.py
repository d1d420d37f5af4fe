"""What makes a process hear of its people."""

from __future__ import annotations

from dataclasses import dataclass

from channels.bus.pubsub import PubSub
from channels.bus.registry import Registry
from channels.hub.hub import Hub


@dataclass(frozen=True, kw_only=True, slots=True)
class Ears:
    """What makes this process hear of its people: its connections, their registration, pub/sub."""

    hub: Hub
    registry: Registry
    pubsub: PubSub
