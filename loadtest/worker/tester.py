"""One process's part of a load test, step by step; the parent decides when each step begins."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from loadtest.client.connection import LoadSocket
from loadtest.client.dialer import Dialer
from loadtest.client.frames import FrameParser
from loadtest.community.accounts import Community
from loadtest.community.layout import make_layout
from loadtest.community.pictures import DEFAULT, Pictures
from loadtest.community.rest import RestClient
from loadtest.errors import LoadTestError
from loadtest.measures.measures import Measures
from loadtest.measures.self_monitor import SelfMonitor
from loadtest.plan import Share, assign_owners
from loadtest.target import tls_context
from loadtest.traffic.audience import Audience
from loadtest.traffic.likes import LikeTraffic
from loadtest.traffic.pace import act_at_rate, pace
from loadtest.traffic.reads import ReadTraffic
from loadtest.traffic.storm import moments, storms
from loadtest.traffic.uploads import UploadTraffic
from loadtest.worker.maintenance import Maintenance

CONNECT_TIMEOUT = 30.0  # seconds after the last connect began
CLOSE_TIMEOUT = 5.0  # seconds for closing the sockets
DELETE_TIMEOUT = 110.0  # seconds for deleting the accounts
_POLL = 0.05  # seconds between two checks whether a wait is over


class Tester:
    """Prepare, connect, act, leave; each once and in this order. `stop` ends connecting and acting early."""

    def __init__(self, share: Share, group: asyncio.TaskGroup) -> None:
        self.share = share
        self._group = group
        self.measures = Measures()
        self.stop = asyncio.Event()
        context = tls_context(share.ca, insecure=share.insecure)
        self.rest = RestClient(share.url, context, self.measures)
        self._dialer = Dialer(share.live, share.sources, context)
        self._pictures = Pictures.read(Path(share.photo) if share.photo else DEFAULT, f"{share.run} {share.process}")
        self._layout = make_layout(
            share.users, followers=share.followers, uploads=share.uploads > 0, likes=share.likes > 0
        )
        self.community = Community(self.rest, self._layout, self._pictures, run=share.run, process=share.process)
        self.audience = Audience(self.measures, assign_owners(share.sockets, share.users), patience=share.patience)
        self.monitor = SelfMonitor(self.measures)
        self._running: list[asyncio.Task[None]] = []  # one for each socket that was started
        self._maintenance: asyncio.Task[None] | None = None
        self.cleanup_notice = ""  # what could not be cleaned up, in a sentence
        self._uploads: UploadTraffic | None = None
        self._traffic: list[tuple[float, LikeTraffic | UploadTraffic | ReadTraffic]] = []

    async def prepare(self) -> None:
        """Create the accounts and what they need, and try the live endpoints; raise `LoadTestError` on failure."""
        try:
            await self._dialer.resolve()
        except OSError as error:
            raise LoadTestError(f"The host of the live endpoint is unknown: {error.strerror or error}.") from error
        if self.share.tokens:
            await self.community.sign_in(self.share.tokens)
        else:
            await self.community.sign_up()
        await self.community.follow_and_post()
        reader, accounts = FrameParser(), self.community.accounts
        self.audience.sockets = [
            LoadSocket(number, accounts[owner], self._dialer, reader, self.audience)
            for number, owner in enumerate(assign_owners(self.share.sockets, self.share.users))
        ]
        self._traffic = self._make_traffic()
        await self._try_endpoints()

    async def connect(self) -> None:
        """Connect the other sockets at the given rate, and wait for the slow ones."""
        self.monitor.usage()
        maintenance = Maintenance(self.audience, self.community.accounts, self._uploads)
        self._maintenance = self._group.create_task(maintenance.run())
        async for _ in pace(self.share.rate, self.stop):
            if len(self._running) == len(self.audience.sockets):
                break
            self._start_socket(len(self._running))
        await self._wait(lambda: not self.audience.waiting or self.stop.is_set(), CONNECT_TIMEOUT)

    async def act(self) -> None:
        """Act according to the profile until the time is over or `stop` is set, and wait for open deliveries."""
        share, ending = self.share, asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for rate, traffic in self._traffic:
                group.create_task(act_at_rate(rate, ending, traffic.act, traffic.hold_back))
            at = moments(share.storm_every, share.seconds)
            group.create_task(storms(self.audience.sockets, at, share.storm_share, ending, self.measures))
            await self._wait(self.stop.is_set, share.seconds)
            ending.set()
            # Sockets of the last storm are waited for as well, since its cost is part of the result.
            await self._wait(self._nothing_open, share.patience + _POLL)
        await self._close_ledger()

    async def leave(self) -> list[list[str]]:
        """Close the sockets and delete the accounts; if the accounts are kept, return their tokens instead."""
        if self._maintenance is not None:
            self._maintenance.cancel()
        for socket in self.audience.sockets:
            socket.end()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=CLOSE_TIMEOUT)
            for task in late:
                task.cancel()
        accounts = [account for account in self.community.accounts if account.id]
        try:
            async with asyncio.timeout(DELETE_TIMEOUT):
                if not self.share.keep:
                    await self.community.delete()
        except TimeoutError:
            self.cleanup_notice = "Some test accounts could not be deleted; their names begin with lt_."
        finally:
            await self.rest.close()
        return [[account.token, account.refresh_token] for account in accounts] if self.share.keep else []

    def _make_traffic(self) -> list[tuple[float, LikeTraffic | UploadTraffic | ReadTraffic]]:
        share, accounts = self.share, self.community.accounts
        kinds: list[tuple[float, LikeTraffic | UploadTraffic | ReadTraffic]] = []
        if share.likes:
            later = asyncio.get_running_loop().call_later
            owners, patience = self._layout.owners, share.patience
            likes = LikeTraffic(accounts, owners, self.audience, self.measures, patience=patience, later=later)
            kinds.append((share.likes, likes))
        if share.uploads:
            name = f"{share.run} {share.process}"
            self._uploads = UploadTraffic(
                accounts, self._layout, self._pictures, self.audience, self.measures, name=name
            )
            kinds.append((share.uploads, self._uploads))
        if share.reads:
            kinds.append((share.reads, ReadTraffic(accounts, self.measures)))
        return kinds

    async def _try_endpoints(self) -> None:
        """Connect one socket to each endpoint; raise `LoadTestError` with the reason if one cannot connect."""
        for number in range(min(len(self.share.live), self.share.sockets)):
            self._start_socket(number)
            connected = number + 1
            await self._wait(partial(self._tried, connected), CONNECT_TIMEOUT)
            if self.audience.connected_now < connected:
                url, why = self.share.live[number], self.audience.last_failure or "timed out"
                raise LoadTestError(f"The live endpoint {url} cannot be used: {why}.")
        self._check_tokens()

    def _tried(self, connected: int) -> bool:
        return self.audience.connected_now >= connected or bool(self.audience.last_failure)

    def _nothing_open(self) -> bool:
        return not self.audience.ledger.open and not self.audience.disconnected_now

    def _check_tokens(self) -> None:
        short = any(not account.refresh_token for account in self.community.accounts)
        needed = self.share.seconds + self.share.sockets / self.share.rate
        if short and 0 < self.audience.ttl < needed:
            raise LoadTestError(
                f"The test takes {needed:.0f} s, but the tokens expire in {self.audience.ttl:.0f} s; add refresh "
                "tokens to the file, or use fewer --seconds."
            )

    def _start_socket(self, number: int) -> None:
        self._running.append(self._group.create_task(self.audience.sockets[number].run()))

    async def _close_ledger(self) -> None:
        """Decide about all open deliveries; those of photos that are still being processed are not lost."""
        ledger, now = self.audience.ledger, time.monotonic()
        self.audience.close()
        for act in ledger.undelivered(now):
            if act.photo_id and self._uploads is not None and await self._uploads.is_processing(act):
                ledger.unfinished(act, now)
        ledger.close(now)

    async def _wait(self, over: Callable[[], object], seconds: float) -> None:
        """Wait until `over` returns true, but at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not over():  # noqa: ASYNC110 - many callbacks contribute to the condition
                    await asyncio.sleep(_POLL)
