"""Cases that automatic rules open, and the photos that they withhold until a moderator decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from storage import ids
from storage.abuse import AbuseAction, Finding, FindingKind
from storage.reports import Category, SubjectKind
from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.cases import cases_of, comment_on, decide, moderator, photo_of, report
from tests.support.pictures import photograph
from workers.jobs.metrics import NoFindingMetrics
from workers.jobs.moderation.findings import FindingRecorder

pytestmark = pytest.mark.engines

FACTS: Mapping[str, Any] = {"matched": "pdq", "distance": 7}


async def find(
    api: Api,
    account: ApiUser,
    subject_id: str,
    action: AbuseAction,
    *,
    kind: SubjectKind = SubjectKind.PHOTO,
    rule: str = "known",
) -> bool:
    """Record a finding about what an account has posted; return whether it is new."""
    finding = Finding(
        kind=FindingKind.LISTED_IMAGE,
        account_id=ids.decode(account.id),
        subject=kind,
        subject_id=ids.decode(subject_id),
        action=action,
        category=Category.NUDITY,
        rule=rule,
        key=f"{rule}:{subject_id}",
        facts=FACTS,
    )
    async with api.services.db.transaction() as tx:
        return await FindingRecorder(NoFindingMetrics()).record(tx, finding)


@pytest.mark.parametrize("action", [AbuseAction.HOLD, AbuseAction.HIDE])
async def test_a_photo_is_withheld_before_it_is_shown(api: Api, action: AbuseAction) -> None:
    """Its author reads why, others see nothing, and a case has the rule and the facts; "none" shows it."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    photo = await ann.upload(photograph())
    assert await find(api, ann, photo["id"], action)
    await api.finish(photo)
    path = f"/photos/{photo['id']}"
    (await bob.call("GET", path)).expect(404)
    own = (await ann.call("GET", path)).expect(200)["moderation"]
    assert (own["state"], own["decided_by"], own["rule"]) == (
        "held" if action is AbuseAction.HOLD else "hidden",
        "automatic",
        "nudity",
    )
    assert "automatic check" in own["reason"]
    (case,) = await cases_of(judge)
    assert (case["kind"], case["subject_id"], case["category"], case["reports"]) == ("photo", photo["id"], "nudity", 0)
    assert case["priority"] > 0
    audit = (await judge.call("GET", f"/moderation/cases/{case['id']}")).expect(200)["audit"]
    assert [(entry["action"], entry["actor"]) for entry in audit] == [("opened", None), ("found", None)]
    assert audit[0]["details"] == {"category": "nudity", "by": "automatic"}
    assert audit[1]["details"] == {"kind": "listed_image", "rule": "known", "action": action.value, **FACTS}
    await decide(judge, case["id"], "none")
    assert (await bob.call("GET", path)).expect(200)["state"] == "ready"


async def test_a_decision_to_hide_stays(api: Api) -> None:
    """A moderator who hides the photo, too, ends the case; it stays hidden."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    photo_id = await photo_of(api, ann)
    assert await find(api, ann, photo_id, AbuseAction.HOLD)
    (await bob.call("GET", f"/photos/{photo_id}")).expect(404)
    (case,) = await cases_of(judge)
    await decide(judge, case["id"], "hide")
    (await bob.call("GET", f"/photos/{photo_id}")).expect(404)
    assert (await ann.call("GET", f"/photos/{photo_id}")).expect(200)["moderation"]["decided_by"] == "moderator"


async def test_a_case_alone_changes_nothing(api: Api) -> None:
    """The photo stays, and a report joins the case; a second finding of the rule is none, that of another joins."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    photo_id = await photo_of(api, ann)
    assert await find(api, ann, photo_id, AbuseAction.CASE)
    assert not await find(api, ann, photo_id, AbuseAction.CASE)
    first = (await cases_of(judge))[0]
    assert await find(api, ann, photo_id, AbuseAction.CASE, rule="other")
    await report(bob, "photo", photo_id, "spam")
    (case,) = await cases_of(judge)
    assert (case["id"], case["reports"], case["category"]) == (first["id"], 1, "nudity")
    assert case["priority"] > first["priority"]
    (await bob.call("GET", f"/photos/{photo_id}")).expect(200)
    await decide(judge, case["id"], "none")
    assert (await ann.call("GET", f"/photos/{photo_id}")).expect(200).get("moderation") is None


async def test_comments_and_accounts(api: Api) -> None:
    """A finding about a comment or an account opens a case about it; they are never held."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    comment_id = await comment_on(ann, await photo_of(api, bob))
    assert await find(api, ann, comment_id, AbuseAction.HIDE, kind=SubjectKind.COMMENT)
    assert await find(api, ann, ann.id, AbuseAction.HOLD, kind=SubjectKind.USER)
    assert {(case["kind"], case["subject_id"]) for case in await cases_of(judge)} == {
        ("comment", comment_id),
        ("user", ann.id),
    }
    assert {case["account"]["username"] for case in await cases_of(judge)} == {ann.name}


async def test_what_is_deleted_opens_no_case(api: Api) -> None:
    """A finding about a deleted photo or account is not recorded."""
    ann, judge = await api.user(), await moderator(api)
    photo_id = await photo_of(api, ann)
    (await ann.call("DELETE", f"/photos/{photo_id}")).expect(204)
    assert not await find(api, ann, photo_id, AbuseAction.HOLD)
    assert not await find(api, ann, "01K3S9C0XG4Q7", AbuseAction.HOLD, kind=SubjectKind.USER)
    assert await cases_of(judge) == []
