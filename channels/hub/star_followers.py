"""Which connected users follow which stars: the recipients of what a star publishes.

A star is an author with so many followers that a publication does not name its recipients. One message for each slot
group reaches every process, and each process delivers it to those of its users who follow the star.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True, eq=False)  # each is another one, even if both are set
class OrderFlag:
    """Set when an order about a user arrives while the user's stars are being read."""

    arrived: bool = False


class StarFollowers:
    """Index of this process's users by the stars that they follow; `group_of` maps a user id to its slot group."""

    def __init__(self, group_of: Callable[[int], int]) -> None:
        self._group_of = group_of
        # By slot group and star. Users are dict keys, not a set, so that a delivery is in the order of connecting.
        self._users: dict[tuple[int, int], dict[int, None]] = {}
        self._stars: dict[int, set[int]] = {}
        self._watches: dict[int, list[OrderFlag]] = {}

    def of(self, group: int, star: int) -> Collection[int]:
        """Return the users of a slot group who follow a star."""
        return self._users.get((group, star), ())

    def replace(self, user_id: int, stars: Iterable[int]) -> None:
        """Set the stars that a user follows."""
        self.forget(user_id)
        for star in stars:
            self._add(user_id, star)

    def change(self, user_id: int, star: int, *, following: bool) -> None:
        """Carry out an order: the user follows a star from now on, or does not any more."""
        for flag in self._watches.get(user_id, ()):
            flag.arrived = True
        (self._add if following else self._remove)(user_id, star)

    def forget(self, user_id: int) -> None:
        """Remove a user, for instance one whose last connection has ended."""
        for star in list(self._stars.get(user_id, ())):
            self._remove(user_id, star)

    def clear(self) -> None:
        """Remove all users, after a loss of orders; the stars of each are to be read again."""
        self._users.clear()
        self._stars.clear()
        for flags in self._watches.values():
            for flag in flags:
                flag.arrived = True

    @contextmanager
    def watch(self, user_id: int) -> Iterator[OrderFlag]:
        """Set the flag when an order about a user arrives inside the block: what is read in it may be older."""
        flag = OrderFlag()
        self._watches.setdefault(user_id, []).append(flag)
        try:
            yield flag
        finally:
            self._watches[user_id].remove(flag)
            if not self._watches[user_id]:
                del self._watches[user_id]

    def _add(self, user_id: int, star: int) -> None:
        self._users.setdefault((self._group_of(user_id), star), {})[user_id] = None
        self._stars.setdefault(user_id, set()).add(star)

    def _remove(self, user_id: int, star: int) -> None:
        if star not in self._stars.get(user_id, ()):
            return
        # Empty entries must go: stars and users come and go for as long as the process runs.
        key = (self._group_of(user_id), star)
        self._users[key].pop(user_id)
        if not self._users[key]:
            del self._users[key]
        self._stars[user_id].remove(star)
        if not self._stars[user_id]:
            del self._stars[user_id]
