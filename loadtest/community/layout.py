"""Which users upload, follow, and own liked photos: a plan of numbers, made before the accounts exist."""

from __future__ import annotations

from dataclasses import dataclass

MAX_AUTHORS = 10  # users who upload, in each process
MAX_OWNERS = 100  # users whose photos are liked, in each process


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The community of one process, by the numbers of its users.

    `followers` maps each author to its followers; an upload is delivered to them and to the author. Each of `owners`
    has a photo that is liked.
    """

    users: int
    followers: dict[int, tuple[int, ...]]
    owners: tuple[int, ...]

    def recipients(self, author: int) -> tuple[int, ...]:
        """Return the users whose sockets receive an author's upload."""
        return (author, *self.followers[author])


def make_layout(users: int, *, followers: int, uploads: bool, likes: bool) -> Layout:
    """Spread authors evenly over a ring of `users`, each followed by the next `followers` users of the ring."""
    authors = _spread(users, MAX_AUTHORS) if uploads else ()
    reach = min(followers, users - 1)
    return Layout(
        users=users,
        followers={author: tuple((author + step) % users for step in range(1, reach + 1)) for author in authors},
        owners=_spread(users, MAX_OWNERS) if likes else (),
    )


def _spread(users: int, most: int) -> tuple[int, ...]:
    number = min(users, most)
    return tuple(place * users // number for place in range(number))
