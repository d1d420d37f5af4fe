"""Likes, given and taken back in turn: each photo has one of them under way at most.

So whoever hears of a photo's like knows which act it was: what the owner is told names the newest liker, and
what is told of the end names the notification that the like made. A like is taken back only once every socket
that should hear of it has, since a recovery tells how things stand and not how they came to be so.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtest import names
from loadtest.client.frames import liked, unliked
from loadtest.community.accounts import Person
from loadtest.community.rest import Answer, NoAnswerError
from loadtest.measures.measures import Measures
from loadtest.traffic.audience import Crowd
from loadtest.traffic.ledger import Act, Outcome

STREAM = "notifications"
Later = Callable[[float, Callable[[], None]], object]


@dataclass(slots=True, eq=False)
class LikedPhoto:
    """A photo and who likes it now; `entry` is the notification of that, `turn` the person who likes it next.

    `unclear` after a request that nobody answered: whether it is liked is not known.
    """

    owner: int
    id: str
    turn: int
    liker: int | None = None
    entry: str = ""
    unclear: bool = False


class Likes:
    """Give and take back likes; `act` does the next one. `later` calls something after some seconds."""

    def __init__(
        self,
        people: Sequence[Person],
        owners: Sequence[int],
        crowd: Crowd,
        measures: Measures,
        *,
        patience: float,
        later: Later,
    ) -> None:
        self._people = people
        self._crowd = crowd
        self._measures = measures
        self._patience = patience
        self._later = later
        photos = [
            LikedPhoto(owner, people[owner].photo_id, (owner + 1) % len(people))
            for owner in owners
            if crowd.sockets_of(owner)
        ]
        self._ready = deque(photos)

    async def act(self) -> None:
        """Give or take back one like, on the photo that has been at rest for longest."""
        if not self._ready:
            self.hold_back()
            return
        photo = self._ready.popleft()
        if photo.unclear:
            await self._clear(photo)
        elif photo.liker is None:
            liker, photo.turn = photo.turn, self._after(photo)
            await self._do("PUT", photo, liker, liked(photo.id, self._people[liker].id), liker)
        else:
            # Nobody was told of the like: of its end nobody can be owed anything either.
            key = unliked(photo.entry) if photo.entry else ""
            await self._do("DELETE", photo, photo.liker, key, None)

    def hold_back(self) -> None:
        """Count an act that was due and could not be begun."""
        self._measures.count(f"{names.HELD_BACK} {names.LIKE}")

    async def _do(self, method: str, photo: LikedPhoto, actor: int, key: str, liker: int | None) -> None:
        """Send one request as an act of the ledger; afterwards the photo is liked by `liker`."""

        def settled(act: Act) -> None:
            if act.outcome is Outcome.DONE:
                photo.liker, photo.entry = liker, act.entry
                self._ready.append(photo)
            elif act.outcome is Outcome.UNKNOWN:
                photo.liker, photo.unclear = actor, True
                self._rest(photo, self._patience)

        audience = self._crowd.audience((photo.owner,)) if key else frozenset()
        act = self._crowd.ledger.begin(
            names.LIKE, key or f"unknown {photo.id}", STREAM, audience, time.monotonic(), settled
        )
        outcome, pause = await self._request(method, photo, self._people[actor])
        self._crowd.ledger.answered(act, outcome, time.monotonic())
        if outcome is Outcome.NOTHING:
            self._rest(photo, pause)

    async def _request(self, method: str, photo: LikedPhoto, person: Person) -> tuple[Outcome, float]:
        """Return what became of a request, and for how many seconds to leave the photo alone if nothing did."""
        try:
            answer = await person.rest.ask(
                method, f"/photos/{photo.id}/like", token=person.token, name=names.REQUEST_LIKE
            )
        except NoAnswerError as error:
            self._measures.failed(f"like: {error}")
            return Outcome.UNKNOWN, 0.0
        return outcome_of(answer, "like", self._measures), answer.retry_after

    async def _clear(self, photo: LikedPhoto) -> None:
        """Take back what may have been given, and let the news of it pass."""
        if photo.liker is not None:
            outcome, _ = await self._request("DELETE", photo, self._people[photo.liker])
            if outcome is Outcome.DONE:
                photo.liker, photo.entry, photo.unclear = None, "", False
        self._rest(photo, self._patience)

    def _rest(self, photo: LikedPhoto, seconds: float) -> None:
        self._later(seconds, lambda: self._ready.append(photo))

    def _after(self, photo: LikedPhoto) -> int:
        following = (photo.turn + 1) % len(self._people)
        return following if following != photo.owner else (following + 1) % len(self._people)


def outcome_of(answer: Answer, what: str, measures: Measures) -> Outcome:
    """Return what an answer says of its request; count those that are errors."""
    if answer.status < 300:
        return Outcome.DONE
    if not answer.limit:
        measures.failed(f"{what}: {answer.complaint}")
    return Outcome.UNKNOWN if answer.status >= 500 else Outcome.NOTHING
