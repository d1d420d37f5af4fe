"""Who uploads, who hears of it, and whose photos are liked: a plan of numbers, made before anybody exists."""

from __future__ import annotations

from dataclasses import dataclass

MOST_AUTHORS = 10  # people who upload, in each process
MOST_OWNERS = 100  # people whose photos are liked, in each process


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The community of one process by the people's numbers.

    `followers` has each author's; an upload is told to them and to the author. `owners` have a photo to be liked.
    """

    people: int
    followers: dict[int, tuple[int, ...]]
    owners: tuple[int, ...]

    def audience(self, author: int) -> tuple[int, ...]:
        """Return whose sockets hear of an author's upload."""
        return (author, *self.followers[author])


def lay_out(people: int, *, followers: int, uploads: bool, likes: bool) -> Layout:
    """Spread authors evenly over a ring of `people`, each followed by the next `followers` people of the ring."""
    authors = _spread(people, MOST_AUTHORS) if uploads else ()
    reach = min(followers, people - 1)
    return Layout(
        people=people,
        followers={author: tuple((author + step) % people for step in range(1, reach + 1)) for author in authors},
        owners=_spread(people, MOST_OWNERS) if likes else (),
    )


def _spread(people: int, most: int) -> tuple[int, ...]:
    number = min(people, most)
    return tuple(place * people // number for place in range(number))
