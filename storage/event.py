"""The base class of the events (`storage.events`)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from storage.ids import shard_of


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base class of the events; `topic` is the routing key, `key` groups related events in logs."""

    topic: ClassVar[str]

    @property
    def key(self) -> str:
        """Return the first field, the id of the event's subject, as decimal text."""
        return str(getattr(self, dataclasses.fields(self)[0].name))

    @property
    def shard(self) -> int:
        """Return the shard of the event's subject, where its rows of the outbox are."""
        return shard_of(getattr(self, dataclasses.fields(self)[0].name))
