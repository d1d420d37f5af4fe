"""The people of one tester process: signing up or in by token, following, their photos, and going away again."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from loadtest.client.frames import MARK
from loadtest.community.layout import Layout
from loadtest.community.pictures import Pictures
from loadtest.community.rest import Answer, Rest
from loadtest.community.token_file import Token
from loadtest.errors import LoadTestError, first_of

T = TypeVar("T")

SIGNING_UP = 4  # at once; passwords are hashed on purpose slowly, and few at a time
DELETE_DEADLINE = 15.0  # seconds for one account
AT_ONCE = 8  # other requests of the preparation
_RENEW_AFTER = 0.6  # of a token's life; each person a little different
_READY_POLL = 0.1  # seconds between two looks at a photo that is being processed


@dataclass(slots=True, eq=False)
class Person:
    """An account with a session; `renew_at` is on the clock of `time.monotonic`, None where it cannot be renewed."""

    number: int
    rest: Rest
    id: str = ""
    username: str = ""
    token: str = ""
    refresh_token: str = ""
    renew_at: float | None = None
    photo_id: str = ""
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def renew(self) -> None:
        """Get a newer access token, once for all who ask at the same time; without a refresh token do nothing."""
        before = self.token
        async with self._renewing:
            if self.token != before or not self.refresh_token:
                return
            answer = await self.rest.insist("POST", "/tokens/refresh", json={"refresh_token": self.refresh_token})
            if answer.status == 201:
                self.take(answer)
            else:
                self.renew_at = None

    def take(self, answer: Answer) -> None:
        """Take the tokens out of an answer."""
        document = answer.json
        self.token, self.refresh_token = document["access_token"], document["refresh_token"]
        life = float(document["expires_in"])
        self.renew_at = time.monotonic() + life * (_RENEW_AFTER + 0.2 * (self.number % 20) / 20)


class Community:
    """The people of this process, and how far their preparation is."""

    def __init__(self, rest: Rest, layout: Layout, pictures: Pictures, *, run: str, process: int) -> None:
        self._rest = rest
        self._layout = layout
        self._pictures = pictures
        self._process = process
        self._prefix = f"lt_{run}_{process}"
        self.people = [Person(number, rest) for number in range(layout.people)]
        self.done = 0  # steps of the preparation
        self.steps = layout.people + sum(map(len, layout.followers.values())) + len(layout.owners)

    async def sign_up(self) -> None:
        """Make an account for everybody; raise `LoadTestError` when the server refuses."""
        await self._all(self.people, self._sign_up, SIGNING_UP)

    async def sign_in(self, tokens: Sequence[Token]) -> None:
        """Take people's tokens in their order; raise `LoadTestError` for one that is not good."""
        for person, (token, refresh_token) in zip(self.people, tokens, strict=True):
            person.token, person.refresh_token = token, refresh_token
        await self._all(self.people, self._recognise, AT_ONCE)

    async def settle_down(self) -> None:
        """Let people follow each other, and give the owners a photo that can be liked."""
        follows = [
            (self.people[follower], self.people[author])
            for author, followers in self._layout.followers.items()
            for follower in followers
        ]
        await self._all(follows, self._follow, AT_ONCE)
        await self._all([self.people[owner] for owner in self._layout.owners], self._own, AT_ONCE)

    async def leave(self) -> None:
        """Delete the accounts that this load test made; raise `TimeoutError` when the service does not do it."""
        await self._all([person for person in self.people if person.id], self._delete, AT_ONCE)

    async def _sign_up(self, person: Person) -> None:
        person.username = f"{self._prefix}_{person.number}"
        account = {
            "username": person.username,
            "email": f"{person.username}@loadtest.example",
            "password": secrets.token_urlsafe(12),
        }
        answer = await self._rest.insist("POST", "/users", json=account)
        if answer.status != 201:
            raise LoadTestError(f"The server refused to sign a test person up ({answer.complaint}).")
        person.take(answer)
        person.id = answer.json["user"]["id"]

    async def _recognise(self, person: Person) -> None:
        answer = await self._rest.insist("GET", "/users/me", token=person.token)
        if answer.status == 401 and person.refresh_token:
            await person.renew()
            answer = await self._rest.insist("GET", "/users/me", token=person.token)
        if answer.status != 200:
            raise LoadTestError(
                f"The server refused token {person.number + 1} of process {self._process} ({answer.complaint})."
            )
        person.id, person.username = answer.json["id"], answer.json["username"]

    async def _follow(self, pair: tuple[Person, Person]) -> None:
        follower, author = pair
        answer = await self._rest.insist("PUT", f"/users/{author.id}/follow", token=follower.token)
        if answer.status != 204:
            raise LoadTestError(f"The server refused a follow ({answer.complaint}).")

    async def _own(self, person: Person) -> None:
        form = {"file": self._pictures.next(), "caption": f"{MARK}: to be liked"}
        answer = await self._rest.insist("POST", "/photos", token=person.token, form=form)
        if answer.status != 201:
            raise LoadTestError(f"The server refused a photo ({answer.complaint}).")
        person.photo_id = answer.json["id"]
        while (state := await photo_state(person, person.photo_id)) != "ready":
            if state in {"rejected", "hidden", ""}:
                raise LoadTestError(f"A photo of the preparation was not shown (its state: {state or 'gone'}).")
            await asyncio.sleep(_READY_POLL)

    async def _delete(self, person: Person) -> None:
        # A service that is gone is not waited for: the outcome of the test is.
        async with asyncio.timeout(DELETE_DEADLINE):
            await self._rest.insist("DELETE", "/users/me", token=person.token)

    async def _all(self, items: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
        gate = asyncio.Semaphore(at_once)

        async def one(item: T) -> None:
            async with gate:
                await work(item)
            self.done += 1

        try:
            async with asyncio.TaskGroup() as group:
                for item in items:
                    group.create_task(one(item))
        except BaseExceptionGroup as group:
            raise first_of(group) from group


async def photo_state(author: Person, photo_id: str) -> str:
    """Return the state of one's own photo; "" when it is gone."""
    answer = await author.rest.insist("GET", f"/photos/{photo_id}", token=author.token)
    return str(answer.json["state"]) if answer.status == 200 else ""
