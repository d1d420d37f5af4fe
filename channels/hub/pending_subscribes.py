"""Subscribes in progress, and what changes meanwhile: messages on their topics, and orders about permissions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from channels.connection.connection import Connection


@dataclass(slots=True, eq=False)  # each is another one, even if both are set
class ChangeFlag:
    """Set when a message arrives on the topic while a subscribe is in progress."""

    changed: bool = False


@dataclass(slots=True)
class PermissionChanges:
    """Orders that arrived while a subscribe was being authorized.

    `owners` are those whose topics were revoked. `all` is set if everything that was read before is in doubt.
    """

    owners: set[int] = field(default_factory=set)
    all: bool = False

    def concern(self, owner_id: int) -> bool:
        """Return whether a grant for the owner's topics may no longer be used."""
        return self.all or owner_id in self.owners


class PendingSubscribes:
    """Watches of the subscribes in progress; an answer that was read before a change must not be used."""

    def __init__(self) -> None:
        self._flags: dict[bytes, list[ChangeFlag]] = {}
        self._permissions: dict[Connection, PermissionChanges] = {}

    @contextmanager
    def watch_topic(self, topic: bytes) -> Iterator[ChangeFlag]:
        """Set the flag when a message arrives on the topic inside the block, with or without subscribers."""
        flag = ChangeFlag()
        self._flags.setdefault(topic, []).append(flag)
        try:
            yield flag
        finally:
            self._flags[topic].remove(flag)
            if not self._flags[topic]:
                del self._flags[topic]

    @contextmanager
    def watch_permissions(self, connection: Connection) -> Iterator[PermissionChanges]:
        """Collect the orders about a connection's permissions that arrive inside the block."""
        changes = self._permissions[connection] = PermissionChanges()
        try:
            yield changes
        finally:
            del self._permissions[connection]

    def mark_changed(self, topic: bytes) -> None:
        """Record that a message has arrived on a topic."""
        for flag in self._flags.get(topic, ()):
            flag.changed = True

    def mark_revoked(self, owner_id: int, connection: Connection | None = None) -> None:
        """Record that grants for an owner's topics may not be used, on one connection or on all."""
        if connection is None:
            for changes in self._permissions.values():
                changes.owners.add(owner_id)
        elif connection in self._permissions:
            self._permissions[connection].owners.add(owner_id)

    def mark_in_doubt(self, connection: Connection) -> None:
        """Have the subscribes of a connection read all permissions again."""
        if connection in self._permissions:
            self._permissions[connection].all = True

    def mark_all_in_doubt(self) -> None:
        """Have all subscribes read all permissions again."""
        for changes in self._permissions.values():
            changes.all = True
