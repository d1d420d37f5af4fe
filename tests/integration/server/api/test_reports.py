"""Reports, the cases that they open, decisions and appeals over the API."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage import ids
from storage.errors import ConflictError
from storage.models import Role
from storage.reports import Category, SubjectKind
from storage.stores.accounts import users
from tests.support.api import Api, running_api, with_limits
from tests.support.api_user import ApiUser
from tests.support.cases import case_about, cases_of, comment_on, decide, moderator, photo_of, report

pytestmark = pytest.mark.engines


async def test_a_report_opens_a_case(api: Api) -> None:
    """A report is answered with what the reporter said, and moderators find its case with the subject."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    photo_id = await photo_of(api, ann)
    filed = await report(bob, "photo", photo_id, "nudity", "  Not\nfor children ")
    assert filed == {
        "id": filed["id"],
        "kind": "photo",
        "subject_id": photo_id,
        "category": "nudity",
        "text": "Not\nfor children",
        "outcome": None,
        "created_at": filed["created_at"],
        "answered_at": None,
    }
    assert (await bob.call("GET", "/users/me/reports")).expect(200)["items"] == [filed]
    (case,) = await cases_of(judge)
    assert (case["kind"], case["subject_id"], case["state"], case["category"], case["reports"]) == (
        "photo",
        photo_id,
        "open",
        "nudity",
        1,
    )
    assert case["account"]["username"] == ann.name
    file = (await judge.call("GET", f"/moderation/cases/{case['id']}")).expect(200)
    assert file["photo"]["id"] == photo_id
    assert all("sig=" in url for url in file["photo"]["urls"].values())
    assert file["concerned"]["username"] == ann.name
    assert [(one["reporter"]["username"], one["text"]) for one in file["report_list"]] == [
        (bob.name, "Not\nfor children")
    ]
    assert [entry["action"] for entry in file["audit"]] == ["opened"]


@pytest.mark.parametrize("kind", ["photo", "comment", "user"])
async def test_paths_of_subjects(api: Api, kind: str) -> None:
    """Each kind of subject has a path of its own; a second report of the same user is answered with the first."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    photo_id = await photo_of(api, ann)
    subject = {"photo": photo_id, "comment": await comment_on(ann, photo_id), "user": ann.id}[kind]
    path = f"/{kind}s/{subject}/reports"
    first = (await bob.call("POST", path, json={"category": "hate", "text": "one"})).expect(201)
    again = (await bob.call("POST", path, json={"category": "spam", "text": "two"})).expect(200)
    assert again == first
    by_body = {"kind": kind, "id": subject, "category": "other"}
    assert (await bob.call("POST", "/reports", json=by_body)).expect(200) == first
    (case,) = await cases_of(judge, kind=kind)
    assert (case["subject_id"], case["reports"], case["account"]["username"]) == (subject, 1, ann.name)
    assert await cases_of(judge, kind="photo" if kind == "user" else "user") == []
    file = (await judge.call("GET", f"/moderation/cases/{case['id']}")).expect(200)
    assert (file["comment"] is not None) is (kind == "comment")


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"kind": "photo", "id": "x", "category": "spam"}, "id"),
        ({"kind": "story", "id": "01K3S9C0XG4Q7", "category": "spam"}, "kind"),
        ({"kind": "photo", "id": "01K3S9C0XG4Q7", "category": "ugly"}, "category"),
        ({"kind": "photo", "id": "01K3S9C0XG4Q7", "category": "spam", "text": "x" * 1001}, "text"),
        ({"kind": "photo", "category": "spam"}, "id"),
    ],
)
async def test_malformed_reports(api: Api, form: dict[str, Any], field: str) -> None:
    """What is wrong with a report is said with the field's name."""
    problem = (await (await api.user()).call("POST", "/reports", json=form)).expect(422)
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_only_what_the_reporter_sees(api: Api) -> None:
    """What a user may not see is not reported: private, blocked, deleted and unknown subjects are a 404."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    photo_id = await photo_of(api, ann)
    comment_id = await comment_on(ann, photo_id)
    assert (await api.visitor.call("POST", f"/photos/{photo_id}/reports", json={"category": "spam"})).status == 401
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    for path in (f"/photos/{photo_id}", f"/comments/{comment_id}", "/photos/01K3S9C0XG4Q7", "/users/01K3S9C0XG4Q7"):
        (await bob.call("POST", f"{path}/reports", json={"category": "spam"})).expect(404)
    # The profile of a private account is seen by all, and so can be reported.
    (await bob.call("POST", f"/users/{ann.id}/reports", json={"category": "spam"})).expect(201)
    (await ann.call("PATCH", "/users/me", json={"private": False})).expect(200)
    (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
    (await bob.call("POST", f"/photos/{photo_id}/reports", json={"category": "spam"})).expect(404)
    (await bob.call("POST", f"/comments/{comment_id}/reports", json={"category": "spam"})).expect(404)
    own = (await ann.call("POST", f"/photos/{photo_id}/reports", json={"category": "spam"})).expect(409)
    assert own["code"] == "own_content"
    # Who blocks an account can still report it.
    (await ann.call("POST", f"/users/{bob.id}/reports", json={"category": "harassment"})).expect(201)
    assert sorted(case["kind"] for case in await cases_of(judge)) == ["user", "user"]


async def test_comments_of_blocked_authors(api: Api) -> None:
    """A comment on another user's photo is not reported by a user whom its author blocks."""
    ann, bob, cal = await api.user(), await api.user(), await api.user()
    photo_id = await photo_of(api, cal)
    comment_id = await comment_on(ann, photo_id)
    (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
    (await bob.call("POST", f"/comments/{comment_id}/reports", json={"category": "spam"})).expect(404)
    (await cal.call("POST", f"/comments/{comment_id}/reports", json={"category": "spam"})).expect(201)


async def test_limit(api: Api) -> None:
    """Reports have a rate limit of their own."""
    async with running_api(with_limits(api.services, reports="2/h")) as limited:
        ann, bob = await limited.user(), await limited.user()
        statuses = [
            (await bob.call("POST", f"/users/{ann.id}/reports", json={"category": "spam"})).status for _ in range(3)
        ]
        assert statuses == [201, 200, 429]
        (await bob.call("GET", "/users/me/reports")).expect(200)


async def test_many_reporters_at_once(api: Api) -> None:
    """Reports at the same moment, also repeated ones of one user, are one case that counts each reporter once."""
    ann, judge = await api.user(), await moderator(api)
    photo_id = await photo_of(api, ann)
    reporters = [await _account(api, f"reporter{number}") for number in range(100)]
    subject = (SubjectKind.PHOTO, ids.decode(photo_id))
    actions = api.services.actions.reports
    filed = await asyncio.gather(
        *(
            actions.add(reporter, *subject, category=Category.NUDITY, text=str(attempt))
            for reporter in reporters
            for attempt in range(2)
        )
    )
    assert sum(one.new for one in filed) == len(reporters)
    assert len({one.report.id for one in filed}) == len(reporters)
    (case,) = await cases_of(judge)
    assert case["reports"] == len(reporters)
    # Accounts of today count a quarter: 20 × log2(1 + 25) × (1 + log10(1 + 0)).
    assert case["priority"] == pytest.approx(94.009, abs=0.01)


async def test_queue_by_priority(api: Api) -> None:
    """Severe cases are first, and the pages of the queue have each case once."""
    judge, bob, cal = await moderator(api), await api.user(), await api.user()
    subjects = [(await api.user()).id for _ in range(5)]
    for subject, category in zip(subjects, ["spam", "hate", "child_safety", "other", "nudity"], strict=True):
        await report(bob, "user", subject, category)
    await report(cal, "user", subjects[3], "violence")  # now the second most severe
    found, cursor = [], None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await judge.call("GET", "/moderation/cases", params=query)).expect(200)
        found += [case["subject_id"] for case in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == [subjects[place] for place in (2, 3, 1, 4, 0)]
    malformed = await judge.call("GET", "/moderation/cases?cursor=abc")
    assert malformed.status == 400
    assert [case["subject_id"] for case in await cases_of(judge, state="escalated")] == []


async def test_only_moderators(api: Api) -> None:
    """All of `/moderation` is for moderators and administrators, and a role that is taken away ends at once."""
    ann, judge = await api.user(), await moderator(api)
    photo_id = await photo_of(api, judge)
    await report(ann, "photo", photo_id)
    case_id = await case_about(judge, photo_id)
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/moderation/cases", None),
        ("GET", f"/moderation/cases/{case_id}", None),
        ("PATCH", f"/moderation/cases/{case_id}", {"assigned_to": None}),
        ("PATCH", f"/moderation/cases/{case_id}", {"state": "escalated"}),
        ("POST", f"/moderation/cases/{case_id}/decisions", {"action": "none"}),
        ("POST", f"/moderation/decisions/{case_id}/reversal", {"reason": "x"}),
        ("GET", "/moderation/appeals", None),
        ("POST", f"/moderation/appeals/{case_id}/answer", {"outcome": "upheld", "answer": "x"}),
    ]

    async def refused(user: ApiUser) -> list[str]:
        responses = [await user.call(method, path, json=form) for method, path, form in calls]
        return [response.expect(403)["code"] for response in responses]

    assert await refused(ann) == ["moderator_required"] * len(calls)
    async with api.services.db.transaction() as tx:
        await users.set_role(tx, judge.name, Role.USER)
    assert await refused(judge) == ["moderator_required"] * len(calls)


async def test_assign_and_escalate(api: Api) -> None:
    """A case is assigned to moderators alone, and an escalated one is decided by administrators."""
    ann, bob, judge, chief = await api.user(), await api.user(), await moderator(api), await moderator(api, Role.ADMIN)
    await report(bob, "user", ann.id)
    path = f"/moderation/cases/{await case_about(judge, ann.id)}"
    assigned = (await judge.call("PATCH", path, json={"assigned_to": judge.id})).expect(200)
    assert assigned["assigned_to"]["username"] == judge.name
    assert [case["subject_id"] for case in await cases_of(judge, mine="true")] == [ann.id]
    assert await cases_of(chief, mine="true") == []
    (await judge.call("PATCH", path, json={"assigned_to": bob.id})).expect(403)
    assert (await judge.call("PATCH", path, json={"assigned_to": None})).expect(200)["assigned_to"] is None
    escalated = (await judge.call("PATCH", path, json={"state": "escalated", "note": "Legal?"})).expect(200)
    assert escalated["state"] == "escalated"
    refused = await judge.call("POST", f"{path}/decisions", json={"action": "none"})
    assert refused.expect(403)["code"] == "admin_required"
    (await chief.call("POST", f"{path}/decisions", json={"action": "none"})).expect(201)
    file = (await judge.call("GET", path)).expect(200)
    assert [entry["action"] for entry in file["audit"]] == ["opened", "assigned", "unassigned", "escalated", "decided"]
    assert file["state"] == "closed"
    for form in ({"assigned_to": judge.id}, {"state": "open"}):
        assert (await judge.call("PATCH", path, json=form)).expect(409)["code"] == "case_closed"
    again = await chief.call("POST", f"{path}/decisions", json={"action": "none"})
    assert again.expect(409)["code"] == "case_closed"
    assert [case["subject_id"] for case in await cases_of(judge, state="closed")] == [ann.id]
    assert await cases_of(judge) == []


async def test_decisions_need_a_reason(api: Api) -> None:
    """An action without a reason, and one that does not fit the subject, are refused by name, and change nothing."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    comment_id = await comment_on(ann, await photo_of(api, ann))
    await report(bob, "comment", comment_id)
    path = f"/moderation/cases/{await case_about(judge, comment_id)}/decisions"
    for form, field in (
        ({"action": "hide"}, "reason"),
        ({"action": "hide", "reason": " "}, "reason"),
        ({"action": "burn"}, "action"),
    ):
        problem = (await judge.call("POST", path, json=form)).expect(422)
        assert [error["field"] for error in problem["errors"]] == [field], form
    refused = await judge.call("POST", path, json={"action": "sensitive", "reason": "x"})
    assert refused.expect(409)["code"] == "action_not_possible"
    assert [case["state"] for case in await cases_of(judge)] == ["open"]


async def test_hidden_comment(api: Api) -> None:
    """A hidden comment disappears with its count, its author reads why, and a reversal brings it back."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    photo_id = await photo_of(api, bob)
    comment_id = await comment_on(ann, photo_id)
    reply = {"text": "go away", "reply_to": comment_id}
    (await bob.call("POST", f"/photos/{photo_id}/comments", json=reply)).expect(201)
    await report(bob, "comment", comment_id)
    decision = await decide(judge, await case_about(judge, comment_id), "hide", "Advertising.", facts="Three links.")

    async def shown(user: ApiUser) -> list[tuple[str, int]]:
        items = (await user.call("GET", f"/photos/{photo_id}/comments")).expect(200)["items"]
        return [(item["id"], item["replies"]) for item in items]

    assert await shown(ann) == await shown(bob) == []
    assert (await bob.call("GET", f"/photos/{photo_id}")).expect(200)["comments"] == 1  # the reply
    (stated,) = (await ann.call("GET", "/users/me/decisions")).expect(200)["items"]
    assert (stated["action"], stated["rule"], stated["reason"], stated["facts"]) == (
        "hide",
        "spam",
        "Advertising.",
        "Three links.",
    )
    assert (stated["automated"], stated["reverted"], stated["appeal"]) == (False, False, None)
    assert "appeal" in stated["redress"]
    assert (await ann.call("GET", f"/decisions/{decision['id']}")).expect(200) == stated
    (await bob.call("GET", f"/decisions/{decision['id']}")).expect(404)
    path = f"/moderation/decisions/{decision['id']}/reversal"
    (await judge.call("POST", path, json={"reason": "Wrong comment."})).expect(201)
    assert await shown(bob) == [(comment_id, 1)]
    assert (await bob.call("GET", f"/photos/{photo_id}")).expect(200)["comments"] == 2
    assert (await judge.call("POST", path, json={"reason": "Again."})).expect(409)["code"] == "already_reverted"
    reverting, reverted = (await ann.call("GET", "/users/me/decisions")).expect(200)["items"]
    assert (reverting["reverts"], reverting["reason"]) == (decision["id"], "Wrong comment.")
    assert (reverted["reverted"], reverted["redress"]) == (True, None)


async def test_own_cases(api: Api) -> None:
    """A moderator neither decides a case about themself nor is assigned to it; only administrators act on a role."""
    bob, judge, other, chief = (
        await api.user(),
        await moderator(api),
        await moderator(api),
        await moderator(api, Role.ADMIN),
    )
    await report(bob, "user", judge.id)
    path = f"/moderation/cases/{await case_about(other, judge.id)}"
    own = await judge.call("POST", f"{path}/decisions", json={"action": "none"})
    assert own.expect(403)["code"] == "own_case"
    assert (await other.call("PATCH", path, json={"assigned_to": judge.id})).expect(403)["code"] == "own_case"
    limit = {"action": "limit", "reason": "x"}
    assert (await other.call("POST", f"{path}/decisions", json=limit)).expect(403)["code"] == "admin_required"
    (await chief.call("POST", f"{path}/decisions", json=limit)).expect(201)


@pytest.mark.parametrize("outcome", ["upheld", "reverted"])
async def test_appeals(api: Api, outcome: str) -> None:
    """The account concerned appeals once, and another moderator upholds the decision or undoes its action."""
    ann, bob, judge, other = await api.user(), await api.user(), await moderator(api), await moderator(api)
    photo_id = await photo_of(api, bob)
    comment_id = await comment_on(ann, photo_id)
    await report(bob, "comment", comment_id)
    decision = await decide(judge, await case_about(judge, comment_id), "remove")
    path = f"/decisions/{decision['id']}/appeal"
    (await bob.call("POST", path, json={"text": "I am not concerned."})).expect(404)
    (await ann.call("POST", path, json={"text": " "})).expect(422)
    appeal = (await ann.call("POST", path, json={"text": "It was a joke."})).expect(201)
    assert (appeal["state"], appeal["text"], appeal["answer"]) == ("pending", "It was a joke.", "")
    assert (await ann.call("POST", path, json={"text": "Please."})).expect(409)["code"] == "already_appealed"
    (pending,) = (await other.call("GET", "/moderation/appeals")).expect(200)["items"]
    assert (pending["decision_id"], pending["account"]["username"]) == (decision["id"], ann.name)
    assert pending["decision"]["decided_by"]["username"] == judge.name
    answer = {"outcome": outcome, "answer": "We have looked again."}
    answer_path = f"/moderation/appeals/{decision['id']}/answer"
    assert (await judge.call("POST", answer_path, json=answer)).expect(403)["code"] == "own_decision"
    answered = (await other.call("POST", answer_path, json=answer)).expect(200)
    assert (answered["state"], answered["answer"]) == (outcome, "We have looked again.")
    assert (await other.call("POST", answer_path, json=answer)).expect(409)["code"] == "already_answered"
    assert (await other.call("GET", "/moderation/appeals")).expect(200)["items"] == []
    comments = (await bob.call("GET", f"/photos/{photo_id}/comments")).expect(200)["items"]
    assert [comment["id"] for comment in comments] == ([comment_id] if outcome == "reverted" else [])
    found = (await ann.call("GET", f"/decisions/{decision['id']}")).expect(200)
    assert (found["appeal"], found["reverted"]) == (outcome, outcome == "reverted")


async def test_appeals_against_nothing(api: Api) -> None:
    """A decision without an effect is no subject of an appeal, and an appeal that does not exist has no answer."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    await report(bob, "user", ann.id)
    decision = await decide(judge, await case_about(judge, ann.id), "none", "")
    assert (await ann.call("GET", "/users/me/decisions")).expect(200)["items"] == []
    refused = await ann.call("POST", f"/decisions/{decision['id']}/appeal", json={"text": "Why?"})
    assert refused.expect(409)["code"] == "nothing_to_appeal"
    answer = {"outcome": "upheld", "answer": "x"}
    path = f"/moderation/appeals/{decision['id']}/answer"
    (await (await moderator(api)).call("POST", path, json=answer)).expect(404)


async def test_a_new_report_after_a_decision_opens_another_case(api: Api) -> None:
    """A closed case stays closed: other reporters open a new one, which shows the earlier one."""
    ann, bob, cal, judge = await api.user(), await api.user(), await api.user(), await moderator(api)
    await report(bob, "user", ann.id)
    closed = await case_about(judge, ann.id)
    await decide(judge, closed, "none", "")
    await report(cal, "user", ann.id)
    opened = await case_about(judge, ann.id)
    assert opened != closed
    file = (await judge.call("GET", f"/moderation/cases/{opened}")).expect(200)
    assert [case["id"] for case in file["other_cases"]] == [closed]


@pytest.mark.parametrize("table", ["moderation_decisions", "moderation_audit"])
@pytest.mark.parametrize("change", ["UPDATE {} SET action = 'none'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
async def test_decisions_and_audit_only_grow(api: Api, table: str, change: str) -> None:
    """The database itself refuses to change or delete a decision or an entry of the audit log."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    await report(bob, "user", ann.id)
    await decide(judge, await case_about(judge, ann.id), "none", "")
    with pytest.raises(ConflictError) as refused:
        async with api.services.db.transaction() as tx:
            await tx.execute(change.format(table))
    assert "never changed or deleted" in str(refused.value.__cause__)


async def _account(api: Api, name: str) -> int:
    async with api.services.db.transaction() as tx:
        user = await users.create(tx, username=name, email=f"{name}@example.org", password_hash="-", display_name=name)
    return user.id
