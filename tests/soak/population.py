"""The users of a soak with their devices, and the state that these should show according to the database."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from server.identity.tokens import AccessTokens
from storage import ids
from storage.models import Role
from storage.postgres.database import Database
from storage.render.timestamps import timestamp
from storage.stores.accounts import users
from storage.stores.social import follows
from tests.soak.api import Api
from tests.soak.cluster import Cluster
from tests.soak.device import BACKOFF, Device
from tests.soak.report import Report

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Member:
    """One user with their devices."""

    id: int
    token: str
    devices: Sequence[Device]


@dataclass(frozen=True)
class ExpectedState:
    """What devices should show: the photos, and each user's notifications with the time of their last change."""

    photos: frozenset[str]
    notifications: dict[int, dict[str, str]]

    def still_valid(self, now: ExpectedState) -> ExpectedState:
        """Return the part that is still valid `now`: after a refetch, a device never sees what was removed before."""
        notifications = {
            user_id: {key: when for key, when in own.items() if key in now.notifications.get(user_id, {})}
            for user_id, own in self.notifications.items()
        }
        return ExpectedState(self.photos & now.photos, notifications)

    def missing(self, member: Member, device: Device) -> list[str]:
        """Return what a device does not show yet, except what it has seen removed."""
        view = device.view
        photos = self.photos - view.photos - view.removed
        notifications = [
            key
            for key, updated_at in self.notifications.get(member.id, {}).items()
            if key not in view.removed
            and (key not in view.notifications or view.notifications[key]["updated_at"] < updated_at)
        ]
        return [*(f"photo {photo}" for photo in sorted(photos)), *(f"notification {key}" for key in notifications)]


class Population:
    """Users and devices; a device connects to any of the cluster's live processes."""

    def __init__(self, cluster: Cluster, api: Api, members: Sequence[Member]) -> None:
        self.api = api
        self.members = members
        self._database = cluster.database

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        cluster: Cluster,
        report: Report,
        *,
        user_count: int,
        devices: int,
        urls: Callable[[], Sequence[str]] | None = None,
        backoff: tuple[float, float] = BACKOFF,
    ) -> AsyncIterator[Population]:
        """Create users who follow each other, and run their devices until the end of the block.

        Devices connect to one of `urls`, by default of the cluster's live processes.
        """
        user_ids = [await _create_user(cluster.database) for _ in range(user_count)]
        async with cluster.database.transaction() as tx:
            for follower, followee in itertools.permutations(user_ids, 2):
                await follows.follow(tx, follower, followee)
        tokens = AccessTokens(cluster.secret, ttl=86400)
        async with AsyncExitStack() as stack:
            timeout = aiohttp.ClientTimeout(total=10)
            session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
            api, members = Api(session, cluster.api.url), []
            for user_id in user_ids:
                token = tokens.issue(user_id=user_id, session=uuid.uuid4().hex, role=Role.USER)
                user_devices = [
                    Device(
                        f"{ids.encode(user_id)}/{number}",
                        token,
                        urls=urls or cluster.urls,
                        api=api,
                        report=report,
                        backoff=backoff,
                    )
                    for number in range(devices)
                ]
                members.append(Member(user_id, token, user_devices))
                for device in user_devices:
                    await stack.enter_async_context(device.running())
            yield cls(cluster, api, members)

    @property
    def devices(self) -> list[Device]:
        """Return all devices."""
        return [device for member in self.members for device in member.devices]

    async def expected_state(self) -> ExpectedState:
        """Return the expected state by the database now."""
        user_ids = [member.id for member in self.members]
        photos = await self._database.fetch(
            "SELECT id FROM photos WHERE state = 'ready' AND deleted_at IS NULL AND author_id = ANY($1::bigint[])",
            user_ids,
        )
        notifications = await self._database.fetch(
            "SELECT id, user_id, updated_at FROM notifications "
            "WHERE deleted_at IS NULL AND user_id = ANY($1::bigint[])",
            user_ids,
        )
        by_user: dict[int, dict[str, str]] = {}
        for row in notifications:
            by_user.setdefault(row["user_id"], {})[ids.encode(row["id"])] = timestamp(row["updated_at"])
        return ExpectedState(frozenset(ids.encode(row["id"]) for row in photos), by_user)

    def lagging(self, expected: ExpectedState, since: float) -> dict[str, tuple[float, list[str]]]:
        """Return the devices that lack something: for how long since `since` or their last disturbance, and what."""
        now = time.monotonic()
        lagging = {}
        for member in self.members:
            for device in member.devices:
                missing = expected.missing(member, device)
                if missing or not device.connected or device.view.stale:
                    start = max(since, now if device.stalled else device.disturbed_at)
                    lagging[device.name] = (now - start, missing)
        return lagging


async def _create_user(database: Database) -> int:
    name = f"soak{next(_numbers)}x{uuid.uuid4().hex[:8]}"
    async with database.transaction() as tx:
        user = await users.create(
            tx, username=name, email=f"{name}@picshare.example", password_hash="-", display_name=name
        )
    return user.id
