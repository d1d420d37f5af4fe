"""The people of a soak, who all follow each other, their devices, and what the database says they should see."""

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
from storage.stores import relations, users
from tests.soak.api import Api
from tests.soak.cluster import Cluster
from tests.soak.device import BACKOFF, Device
from tests.soak.tally import Tally

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Member:
    """One person."""

    id: int
    token: str
    devices: Sequence[Device]


@dataclass(frozen=True)
class Truth:
    """What everybody should see: photos, and each person's notifications with the time of their last act."""

    photos: frozenset[str]
    notes: dict[int, dict[str, str]]

    def still(self, now: Truth) -> Truth:
        """Return what of this is so `now`, too: who read anew after a removal never heard of what was removed."""
        notes = {
            user_id: {note: when for note, when in own.items() if note in now.notes.get(user_id, {})}
            for user_id, own in self.notes.items()
        }
        return Truth(self.photos & now.photos, notes)

    def missing(self, member: Member, device: Device) -> list[str]:
        """Return what a device has not heard of yet; what it saw go does not count."""
        view = device.view
        photos = self.photos - view.photos - view.removed
        notes = [
            note
            for note, updated_at in self.notes.get(member.id, {}).items()
            if note not in view.removed and (note not in view.notes or view.notes[note]["updated_at"] < updated_at)
        ]
        return [*(f"photo {photo}" for photo in sorted(photos)), *(f"notification {note}" for note in notes)]


class Crowd:
    """People and devices; every device connects to any of the cluster's live processes."""

    def __init__(self, cluster: Cluster, api: Api, members: Sequence[Member]) -> None:
        self.api = api
        self.members = members
        self._database = cluster.database

    @classmethod
    @asynccontextmanager
    async def gathered(
        cls,
        cluster: Cluster,
        tally: Tally,
        *,
        people: int,
        devices: int,
        urls: Callable[[], Sequence[str]] | None = None,
        backoff: tuple[float, float] = BACKOFF,
    ) -> AsyncIterator[Crowd]:
        """Make people, let all follow all, and turn their devices on for the time of the block.

        Devices connect to one of `urls`, by default of the cluster's live processes.
        """
        user_ids = [await _person(cluster.database) for _ in range(people)]
        async with cluster.database.transaction() as tx:
            for follower, followee in itertools.permutations(user_ids, 2):
                await relations.follow(tx, follower, followee)
        tokens = AccessTokens(cluster.secret, ttl=86400)
        async with AsyncExitStack() as stack:
            timeout = aiohttp.ClientTimeout(total=10)
            session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
            api, members = Api(session, cluster.api.url), []
            for user_id in user_ids:
                token = tokens.issue(user_id=user_id, session=uuid.uuid4().hex, role=Role.USER)
                own = [
                    Device(
                        f"{ids.encode(user_id)}/{number}",
                        token,
                        urls=urls or cluster.urls,
                        api=api,
                        tally=tally,
                        backoff=backoff,
                    )
                    for number in range(devices)
                ]
                members.append(Member(user_id, token, own))
                for device in own:
                    await stack.enter_async_context(device.running())
            yield cls(cluster, api, members)

    @property
    def devices(self) -> list[Device]:
        """Return all devices."""
        return [device for member in self.members for device in member.devices]

    async def truth(self) -> Truth:
        """Return what the database says at this moment."""
        user_ids = [member.id for member in self.members]
        photos = await self._database.fetch(
            "SELECT id FROM photos WHERE state = 'ready' AND deleted_at IS NULL AND author_id = ANY($1::bigint[])",
            user_ids,
        )
        notes = await self._database.fetch(
            "SELECT id, user_id, updated_at FROM notifications "
            "WHERE deleted_at IS NULL AND user_id = ANY($1::bigint[])",
            user_ids,
        )
        by_person: dict[int, dict[str, str]] = {}
        for row in notes:
            by_person.setdefault(row["user_id"], {})[ids.encode(row["id"])] = timestamp(row["updated_at"])
        return Truth(frozenset(ids.encode(row["id"]) for row in photos), by_person)

    def behind(self, truth: Truth, since: float) -> dict[str, tuple[float, list[str]]]:
        """Return who lacks something: for how long since `since`, or since its last suffering, and what."""
        now = time.monotonic()
        lacking = {}
        for member in self.members:
            for device in member.devices:
                missing = truth.missing(member, device)
                if missing or not device.connected or device.view.stale:
                    begun = max(since, now if device.stalled else device.disturbed_at)
                    lacking[device.name] = (now - begun, missing)
        return lacking


async def _person(database: Database) -> int:
    name = f"soak{next(_numbers)}x{uuid.uuid4().hex[:8]}"
    async with database.transaction() as tx:
        user = await users.create(
            tx, username=name, email=f"{name}@picshare.example", password_hash="-", display_name=name
        )
    return user.id
