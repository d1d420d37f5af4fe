"""Blocks of this process's users: which subscribers of a topic a publication must not reach, by its authors.

A user's list holds the users that they block and those that block them. It is loaded with the first subscription of
the user and kept up to date by the orders that follow each block.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from channels.connection.connection import Connection

_NONE: frozenset[Connection] = frozenset()
_NO_ONE: frozenset[int] = frozenset()


class BlockLists:
    """The lists of the users who are subscribed to topics here."""

    def __init__(self) -> None:
        self._lists: dict[int, set[int]] = {}
        # Topic → its subscribers whose user's list is not empty, perhaps some more. Most topics have none, so that a
        # delivery costs one look-up instead of one for each subscriber.
        self._guarded: dict[bytes, set[Connection]] = {}

    def is_loaded(self, user_id: int) -> bool:
        """Return whether the list of a user is known."""
        return user_id in self._lists

    def load(self, user_id: int, others: Iterable[int]) -> None:
        """Set the list of a user, as it is in the database."""
        self._lists[user_id] = set(others)

    def forget(self, user_id: int) -> None:
        """Drop the list of a user who has left."""
        self._lists.pop(user_id, None)

    def clear(self) -> None:
        """Drop all lists and guards: orders may have been missed."""
        self._lists.clear()
        self._guarded.clear()

    def add(self, user_id: int, other_id: int) -> None:
        """Add a user to a list; do nothing if the list is not loaded."""
        if user_id in self._lists:
            self._lists[user_id].add(other_id)

    def remove(self, user_id: int, other_id: int) -> None:
        """Remove a user from a list; do nothing if the list is not loaded."""
        if user_id in self._lists:
            self._lists[user_id].discard(other_id)

    def guard(self, connection: Connection, topic: bytes) -> None:
        """Check a subscriber of a topic at each publication, if its user's list is not empty."""
        if connection.identity is not None and self._lists.get(connection.identity.user_id):
            self._guarded.setdefault(topic, set()).add(connection)

    def release(self, connection: Connection, topic: bytes) -> None:
        """Undo `guard`."""
        guarded = self._guarded.get(topic)
        if guarded is not None:
            guarded.discard(connection)
            if not guarded:
                del self._guarded[topic]

    def excluded(self, topic: bytes, author_ids: Collection[int]) -> Collection[Connection]:
        """Return the subscribers whose user blocks one of the authors of a publication, or is blocked by one."""
        guarded = self._guarded.get(topic)
        if guarded is None or not author_ids:
            return _NONE
        lists = self._lists
        return {
            connection
            for connection in guarded
            if connection.identity is not None
            and not lists.get(connection.identity.user_id, _NO_ONE).isdisjoint(author_ids)
        }
