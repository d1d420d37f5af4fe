"""Notices of decisions to the account concerned and to the reporters, and what strangers hear of limited accounts."""

from __future__ import annotations

import pytest

from server.actions.appeals import AppealActions
from server.actions.cases import CaseActions
from server.actions.enforcement import Enforcement
from server.actions.reports import ReportActions
from storage.events import AppealAnswered, CaseDecided
from storage.limits.tickets import Tickets
from storage.models import Role, User
from storage.reports import CaseAction, Category, SubjectKind
from storage.stores.accounts import account_restrictions, erasure, users
from storage.stores.comments import comments
from storage.stores.moderation import cases, reports
from storage.stores.notifications import notifications
from tests.support.community import follow, new_user, new_users, ready_photo
from tests.support.stage import Stage, inbox, kinds, start_clean
from workers.jobs.live.permissions import LivePermissions
from workers.jobs.live.sessions import SessionRevoker
from workers.jobs.moderation.photo_decisions import PhotoDecisions

pytestmark = pytest.mark.engines


def case_actions(stage: Stage) -> CaseActions:
    """Return the use cases of moderators on the stage's stores."""
    permissions = LivePermissions(stage.database, stage.publisher)
    enforcement = Enforcement(
        stage.database,
        stage.cards,
        stage.counter_cache,
        PhotoDecisions(stage.database, stage.cards, permissions),
        revoker=SessionRevoker(Tickets(stage.redis), stage.publisher, access_ttl=900),
        permissions=permissions,
    )
    return CaseActions(stage.database, enforcement)


async def moderator(stage: Stage, name: str) -> User:
    """Create a moderator."""
    user = await new_user(stage.database, name)
    async with stage.database.transaction() as tx:
        return await users.set_role(tx, user.username, Role.MODERATOR)


async def report(stage: Stage, kind: SubjectKind, subject_id: int, *reporters: User) -> int:
    """Report something and return the case."""
    actions = ReportActions(stage.database)
    for reporter in reporters:
        filed = await actions.add(reporter.id, kind, subject_id, category=Category.SPAM, text="look")
    return filed.report.case_id


async def test_reporters_are_told_the_outcome(stage: Stage) -> None:
    """Each reporter is notified once, in batches, and their next reports count by what came of this one."""
    ann, judge = await new_user(stage.database, "ann"), await moderator(stage, "judge")
    reporters = await new_users(stage.database, "bob", "cal", "dan", "eva", "fay")
    case_id = await report(stage, SubjectKind.USER, ann.id, *reporters)
    await start_clean(stage, *reporters, ann)
    stage.notices._limit = 2
    await case_actions(stage).decide(judge.id, case_id, action=CaseAction.NONE, rule=None, reason="")
    handled = await stage.pump()
    assert handled.count("notify case.decided") == 3
    delivered = await stage.deliveries()
    for reporter in reporters:
        assert kinds([each for each in delivered if each.user_id == reporter.id]) == ["notification"]
        assert await inbox(stage, reporter) == [
            "We have looked at the user that you reported, and found that it may stay"
        ]
    assert await inbox(stage, ann) == []
    second = await report(stage, SubjectKind.PHOTO, (await ready_photo(stage.database, ann)).id, reporters[0])
    assert (await cases.get(stage.database, second)).trust == pytest.approx(0.125)


async def test_notices_are_repeated_without_effect(stage: Stage) -> None:
    """An event that is handled again, in any order, leaves one entry for each decision."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    judge, other = await moderator(stage, "judge"), await moderator(stage, "other")
    case_id = await report(stage, SubjectKind.USER, ann.id, bob)
    actions = case_actions(stage)
    decision = await actions.decide(judge.id, case_id, action=CaseAction.LIMIT, rule=None, reason="Too many links.")
    appeals = AppealActions(stage.database, actions)
    await appeals.add(ann.id, decision.id, "They are mine.")
    await appeals.answer(other.id, decision.id, reverted=True, answer="Right.")
    await stage.pump()
    handlers = stage.notices.handlers()
    for event in (CaseDecided(case_id=case_id, decision_id=decision.id), AppealAnswered(decision_id=decision.id)):
        for _ in range(2):
            await handlers[event.topic](event)
    assert await inbox(stage, bob) == ["Thank you: we have acted on the user that you reported"]
    entries = await notifications.inbox(stage.database, ann.id, before=None, limit=20)
    assert [(entry.kind.value, entry.text) for entry in sorted(entries, key=lambda each: each.id)] == [
        ("moderation", "Your account was limited: only your followers find it and what you post. Too many links."),
        ("moderation", "A decision about your account was reverted. Right."),
        ("moderation", "Your appeal was answered: the decision was reverted"),
    ]
    assert {entry.decision_id for entry in entries if entry.text.startswith("Your appeal")} == {decision.id}


async def test_one_notice_about_a_photo(stage: Stage) -> None:
    """The author of a hidden photo has one entry, about the photo, and that of a comment one about the decision."""
    ann, bob, judge = *(await new_users(stage.database, "ann", "bob")), await moderator(stage, "judge")
    photo = await ready_photo(stage.database, ann)
    async with stage.database.transaction() as tx:
        comment, _ = await comments.add(tx, photo_id=photo.id, author_id=bob.id, text="buy")
    await stage.pump()
    actions = case_actions(stage)
    for kind, subject_id, reporter in ((SubjectKind.COMMENT, comment.id, ann), (SubjectKind.PHOTO, photo.id, bob)):
        case_id = await report(stage, kind, subject_id, reporter)
        await actions.decide(judge.id, case_id, action=CaseAction.REMOVE, rule=None, reason="No.")
    await stage.pump()
    assert [text for text in await inbox(stage, ann) if text.startswith("Your photo")] == [
        "Your photo was hidden from others: No."
    ]
    assert [text for text in await inbox(stage, bob) if text.startswith("Your comment")] == [
        "Your comment was removed. No."
    ]


async def test_a_limited_account_notifies_followers_alone(stage: Stage) -> None:
    """A like by a limited account is news for an owner who follows it, and not for a stranger."""
    ann, bob, cal = await new_users(stage.database, "ann", "bob", "cal")
    await follow(stage.database, bob, ann)
    async with stage.database.transaction() as tx:
        await account_restrictions.set_limited(tx, ann.id, limited=True)
    for owner in (bob, cal):
        await stage.like(ann, await ready_photo(stage.database, owner))
    await stage.pump()
    assert await inbox(stage, bob) == ["ann liked your photo"]
    assert await inbox(stage, cal) == []


async def test_erasure_of_a_reporter(stage: Stage) -> None:
    """What a deleted account has reported stays in its case without the reporter and the text."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    case_id = await report(stage, SubjectKind.USER, ann.id, bob)
    async with stage.database.transaction() as tx:
        await users.remove(tx, bob.id)
    await stage.pump()
    await stage.database.fetch(
        "UPDATE users SET deleted_at = now() - interval '1 hour' WHERE id = $1 RETURNING id", bob.id
    )
    async with stage.database.transaction() as tx:
        await erasure.queue_due(tx)
    await stage.pump()
    (left,) = await reports.of_case(stage.database, case_id, limit=10)
    assert (left.reporter_id, left.text, left.category) == (None, "", Category.SPAM)
    assert (await cases.get(stage.database, case_id)).reports == 1
