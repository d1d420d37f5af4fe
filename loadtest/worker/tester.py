"""One process's part of a load test, step by step; the parent says when each step begins."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from loadtest.client.connection import LoadSocket
from loadtest.client.dialer import Door
from loadtest.client.frames import FrameReader
from loadtest.client.trust import trust
from loadtest.community.accounts import Community
from loadtest.community.layout import lay_out
from loadtest.community.pictures import DEFAULT, Pictures
from loadtest.community.rest import Rest
from loadtest.errors import LoadTestError
from loadtest.measures.measures import Measures
from loadtest.measures.self_monitor import Watch
from loadtest.plan import Share, owners_of
from loadtest.traffic.audience import Crowd
from loadtest.traffic.likes import Likes
from loadtest.traffic.pace import keep_acting, pace
from loadtest.traffic.reads import Reads
from loadtest.traffic.storm import moments, storms
from loadtest.traffic.uploads import Uploads
from loadtest.worker.maintenance import Care

CONNECT_PATIENCE = 30.0  # seconds after the last connect was begun
CLOSE_PATIENCE = 5.0  # seconds that sockets have to close
LEAVE_PATIENCE = 110.0  # seconds for deleting the accounts
_LOOK = 0.05  # seconds between two looks at whether something is over


class Tester:
    """Prepare, connect, act, leave; each once and in this order. `stop` ends connecting and acting early."""

    def __init__(self, share: Share, group: asyncio.TaskGroup) -> None:
        self.share = share
        self._group = group
        self.measures = Measures()
        self.stop = asyncio.Event()
        context = trust(share.ca, insecure=share.insecure)
        self.rest = Rest(share.url, context, self.measures)
        self._door = Door(share.live, share.sources, context)
        self._pictures = Pictures.of(Path(share.photo) if share.photo else DEFAULT, f"{share.run} {share.process}")
        self._layout = lay_out(
            share.people, followers=share.followers, uploads=share.uploads > 0, likes=share.likes > 0
        )
        self.community = Community(self.rest, self._layout, self._pictures, run=share.run, process=share.process)
        self.crowd = Crowd(self.measures, owners_of(share.sockets, share.people), patience=share.patience)
        self.watch = Watch(self.measures)
        self._keeping: list[asyncio.Task[None]] = []
        self._care: asyncio.Task[None] | None = None
        self.untidy = ""  # what is left behind, in a sentence
        self._uploads: Uploads | None = None
        self._traffic: list[tuple[float, Likes | Uploads | Reads]] = []

    async def prepare(self) -> None:
        """Make the people and what they need, and try the live endpoints; raise `LoadTestError` when refused."""
        try:
            await self._door.find()
        except OSError as error:
            raise LoadTestError(f"The host of the live endpoint is not known: {error.strerror or error}.") from error
        if self.share.tokens:
            await self.community.sign_in(self.share.tokens)
        else:
            await self.community.sign_up()
        await self.community.settle_down()
        reader, people = FrameReader(), self.community.people
        self.crowd.sockets = [
            LoadSocket(number, people[owner], self._door, reader, self.crowd)
            for number, owner in enumerate(owners_of(self.share.sockets, self.share.people))
        ]
        self._traffic = self._make_traffic()
        await self._try_endpoints()

    async def connect(self) -> None:
        """Connect the other sockets at the given rate, and wait for those that take their time."""
        self.watch.usage()
        self._care = self._group.create_task(Care(self.crowd, self.community.people, self._uploads).run())
        async for _ in pace(self.share.rate, self.stop):
            if len(self._keeping) == len(self.crowd.sockets):
                break
            self._keep(len(self._keeping))
        await self._until(lambda: not self.crowd.waiting or self.stop.is_set(), CONNECT_PATIENCE)

    async def act(self) -> None:
        """Act as the profile says for so many seconds, or until stopped; then wait for what is under way."""
        share, ending = self.share, asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for rate, traffic in self._traffic:
                group.create_task(keep_acting(rate, ending, traffic.act, traffic.hold_back))
            at = moments(share.storm_every, share.seconds)
            group.create_task(storms(self.crowd.sockets, at, share.storm_share, ending, self.measures))
            await self._until(self.stop.is_set, share.seconds)
            ending.set()
            # Also until everybody is back: what the last storm cost is part of the outcome.
            await self._until(lambda: not self.crowd.ledger.open and not self.crowd.away_now, share.patience + _LOOK)
        await self._close_the_ledger()

    async def leave(self) -> list[list[str]]:
        """Close the sockets and delete the accounts, or return their tokens where they are to be kept."""
        if self._care is not None:
            self._care.cancel()
        for socket in self.crowd.sockets:
            socket.end()
        if self._keeping:
            _, late = await asyncio.wait(self._keeping, timeout=CLOSE_PATIENCE)
            for task in late:
                task.cancel()
        people = [person for person in self.community.people if person.id]
        try:
            async with asyncio.timeout(LEAVE_PATIENCE):
                if not self.share.keep:
                    await self.community.leave()
        except TimeoutError:
            self.untidy = "Some test accounts could not be deleted; their names begin with lt_."
        finally:
            await self.rest.close()
        return [[person.token, person.refresh_token] for person in people] if self.share.keep else []

    def _make_traffic(self) -> list[tuple[float, Likes | Uploads | Reads]]:
        share, people = self.share, self.community.people
        kinds: list[tuple[float, Likes | Uploads | Reads]] = []
        if share.likes:
            later = asyncio.get_running_loop().call_later
            likes = Likes(people, self._layout.owners, self.crowd, self.measures, patience=share.patience, later=later)
            kinds.append((share.likes, likes))
        if share.uploads:
            name = f"{share.run} {share.process}"
            self._uploads = Uploads(people, self._layout, self._pictures, self.crowd, self.measures, name=name)
            kinds.append((share.uploads, self._uploads))
        if share.reads:
            kinds.append((share.reads, Reads(people, self.measures)))
        return kinds

    async def _try_endpoints(self) -> None:
        """Connect one socket to each endpoint; raise `LoadTestError` with what went wrong, if it does not succeed."""
        for number in range(min(len(self.share.live), self.share.sockets)):
            self._keep(number)
            connected = number + 1
            await self._until(partial(self._tried, connected), CONNECT_PATIENCE)
            if self.crowd.connected_now < connected:
                url, why = self.share.live[number], self.crowd.last_failure or "no answer"
                raise LoadTestError(f"The live endpoint {url} cannot be used: {why}.")
        self._check_tokens()

    def _tried(self, connected: int) -> bool:
        return self.crowd.connected_now >= connected or bool(self.crowd.last_failure)

    def _check_tokens(self) -> None:
        short = any(not person.refresh_token for person in self.community.people)
        needed = self.share.seconds + self.share.sockets / self.share.rate
        if short and 0 < self.crowd.ttl < needed:
            raise LoadTestError(
                f"The test takes {needed:.0f} s and the tokens end in {self.crowd.ttl:.0f} s; add refresh tokens to "
                "the file, or give fewer --seconds."
            )

    def _keep(self, number: int) -> None:
        self._keeping.append(self._group.create_task(self.crowd.sockets[number].keep()))

    async def _close_the_ledger(self) -> None:
        """Judge what is open; photos that the service still works on are not lost."""
        ledger, now = self.crowd.ledger, time.monotonic()
        self.crowd.close()
        for act in ledger.unheard(now):
            if act.photo_id and self._uploads is not None and await self._uploads.waits(act):
                ledger.unfinished(act, now)
        ledger.close(now)

    async def _until(self, over: Callable[[], object], seconds: float) -> None:
        """Wait until something is over, but `seconds` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not over():  # noqa: ASYNC110 - many small things make it true, none of which knows of this
                    await asyncio.sleep(_LOOK)
