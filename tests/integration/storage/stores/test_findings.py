"""The log of findings, and the periodic tasks of the detection of abuse."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from storage.abuse import AbuseAction, Finding, FindingKind, HashEntries
from storage.models import User
from storage.postgres.database import Database
from storage.reports import Category, SubjectKind
from storage.stores.accounts import users
from storage.stores.moderation import findings, hash_lists
from tests.support.community import new_user, new_users
from workers.jobs.metrics import NoFindingMetrics
from workers.jobs.moderation.findings import FindingRecorder
from workers.jobs.upkeep.abuse_tasks import AbuseTasks

pytestmark = pytest.mark.engines

DAY = 86_400.0


class Sizes:
    """The sizes of lists that were recorded last."""

    def __init__(self) -> None:
        self.last: dict[str, dict[str, int]] = {}

    def hash_lists_counted(self, sizes: dict[str, dict[str, int]]) -> None:
        """Keep the sizes."""
        self.last = sizes


def about(user: User, key: str = "links") -> Finding:
    """Return a finding about an account."""
    return Finding(
        kind=FindingKind.LINK_SPAM,
        account_id=user.id,
        subject=SubjectKind.USER,
        subject_id=user.id,
        action=AbuseAction.CASE,
        category=Category.SPAM,
        rule="links",
        key=key,
        facts={"links": 7},
    )


async def record(database: Database, finding: Finding) -> bool:
    """Record a finding with its consequences."""
    async with database.transaction() as tx:
        return await FindingRecorder(NoFindingMetrics()).record(tx, finding)


async def test_a_finding_is_kept_as_it_is(database: Database) -> None:
    """It is read as it was recorded, the newest first, by account and of all."""
    ann, ben = await new_users(database, "ann", "ben")
    for finding in (about(ann), about(ben), about(ann, "more")):
        assert await record(database, finding)
    assert [one.finding for one in await findings.of_account(database, ann.id, limit=9)] == [
        about(ann, "more"),
        about(ann),
    ]
    assert {one.finding.account_id for one in await findings.newest(database, limit=9)} == {ann.id, ben.id}
    assert len(await findings.newest(database, limit=2)) == 2


async def test_a_key_is_recorded_once(database: Database) -> None:
    """Of deliveries at the same moment one records the finding; the case counts it once."""
    ann = await new_user(database, "ann")
    recorded = await asyncio.gather(*(record(database, about(ann)) for _ in range(5)))
    assert sorted(recorded) == [False, False, False, False, True]
    assert await database.fetchval("SELECT trust FROM moderation_cases") == 1.0
    async with database.transaction() as tx:
        assert not await findings.record(tx, about(ann))


async def test_nothing_about_a_deleted_account(database: Database) -> None:
    """Nothing is recorded that its erasure would not meet."""
    ann = await new_user(database, "ann")
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    assert not await record(database, about(ann))
    async with database.transaction() as tx:
        assert not await findings.record(tx, about(ann))


async def test_old_findings_are_deleted(database: Database) -> None:
    """They go after the days of the setting, in batches; later ones stay."""
    users_ = await new_users(database, "ann", "ben", "cal")
    for user in users_:
        await record(database, about(user))
        await record(database, replace(about(user), key="more"))
    late = time.time() + 30 * DAY
    assert await AbuseTasks(database, Sizes(), findings_days=31, clock=lambda: late).delete_findings() == 0
    assert await AbuseTasks(database, Sizes(), findings_days=29, clock=lambda: late, batch=4).delete_findings() == 6
    assert await findings.newest(database, limit=9) == []


async def test_the_sizes_of_lists_are_measured(database: Database) -> None:
    """Each list has the numbers of its entries by their hash; a removed one has none any more."""
    async with database.transaction() as tx:
        list_id = await hash_lists.create(tx, "known", AbuseAction.HOLD, Category.SPAM)
        await hash_lists.add(tx, list_id, HashEntries(originals=["a" * 64], images=["b" * 64, "c" * 64]))
    sizes = Sizes()
    await AbuseTasks(database, sizes).measure()
    assert sizes.last == {"known": {"sha256": 1, "pdq": 2}}
    for _ in range(2):
        async with database.transaction() as tx:
            await hash_lists.remove_some(tx, list_id)
    await AbuseTasks(database, sizes).measure()
    assert sizes.last == {}
