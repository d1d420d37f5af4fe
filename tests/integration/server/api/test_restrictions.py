"""Limited and suspended accounts over the API."""

from __future__ import annotations

from typing import Any

import pytest

from channels.contract.errors import TokenInvalidError
from server.live.access import LiveAuthenticator
from storage import ids
from storage.limits.tickets import Tickets
from storage.stores.media import profile_images
from storage.stores.moderation import cases
from tests.support.api import Api
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.cases import case_about, comment_on, decide, moderator, photo_of, report
from tests.support.pictures import photograph
from workers.jobs.upkeep.case_tasks import CaseTasks

pytestmark = pytest.mark.engines


class _NoNumbers:
    def cases_waiting(self, **numbers: float) -> None:
        """Record nothing."""


async def _restrict(api: Api, user: ApiUser, action: str) -> tuple[ApiUser, dict[str, Any]]:
    """Report an account and decide its case; return the moderator and the decision."""
    judge, reporter = await moderator(api), await api.user()
    await report(reporter, "user", user.id)
    return judge, await decide(judge, await case_about(judge, user.id), action)


async def _sign_in(api: Api, user: ApiUser, password: str = PASSWORD) -> Any:
    return await api.visitor.call("POST", "/tokens", json={"username": user.name, "password": password})


async def test_a_suspended_account_is_gone_at_once(api: Api) -> None:
    """Its sessions end, and others see neither profile nor comments, and cannot follow it."""
    ann, bob = await api.user(), await api.user()
    await ann.follow(bob)
    photo_id = await photo_of(api, bob)
    await comment_on(ann, photo_id)
    judge, decision = await _restrict(api, ann, "suspend")
    assert (await ann.call("GET", "/users/me")).expect(401)["code"] == "session_revoked"
    refresh = await api.visitor.call("POST", "/tokens/refresh", json={"refresh_token": ann._refresh})
    refresh.expect(401)
    for path in (f"/users/{ann.id}", f"/users/{ann.name}", f"/users/{ann.id}/photos", f"/users/{ann.id}/followers"):
        (await bob.call("GET", path)).expect(404)
    (await bob.call("PUT", f"/users/{ann.id}/follow")).expect(404)
    (await bob.call("POST", f"/users/{ann.id}/reports", json={"category": "spam"})).expect(404)
    for path in (f"/photos/{photo_id}/comments", f"/users/{bob.id}/followers", f"/users?query={ann.name}"):
        assert (await bob.call("GET", path)).expect(200)["items"] == []
    assert (await bob.call("GET", f"/search?q={ann.name}&type=users")).expect(200)["items"] == []
    path = f"/moderation/decisions/{decision['id']}/reversal"
    (await judge.call("POST", path, json={"reason": "A mistake."})).expect(201)
    await ann.sign_in()
    (await ann.call("GET", "/users/me")).expect(200)
    assert len((await bob.call("GET", f"/photos/{photo_id}/comments")).expect(200)["items"]) == 1
    assert (await bob.call("GET", f"/users/{ann.id}")).expect(200)["username"] == ann.name


async def test_images_of_a_suspended_profile(api: Api) -> None:
    """Its avatar is not served any more, until the suspension ends."""
    ann, sha256 = await api.user(), "ab" * 32
    user_id = ids.decode(ann.id)
    await api.services.db.fetch(
        "INSERT INTO profile_images (shard, user_id, kind, sha256, content_type, bytes, state) "
        "VALUES ($1::bigint & 1023, $1, 'avatar', $2, 'image/jpeg', 9, 'ready') RETURNING user_id",
        user_id,
        sha256,
    )
    assert await profile_images.is_shown(api.services.db, sha256)
    judge, decision = await _restrict(api, ann, "suspend")
    assert not await profile_images.is_shown(api.services.db, sha256)
    path = f"/moderation/decisions/{decision['id']}/reversal"
    (await judge.call("POST", path, json={"reason": "A mistake."})).expect(201)
    assert await profile_images.is_shown(api.services.db, sha256)


async def test_what_a_suspended_user_can_do(api: Api) -> None:
    """Signing in is refused with the reason's place and a token for the decision, an appeal and an export alone."""
    ann = await api.user()
    _, decision = await _restrict(api, ann, "suspend")
    (await _sign_in(api, ann, "wrong password")).expect(401)
    refused = (await _sign_in(api, ann)).expect(403)
    assert refused["code"] == "account_suspended"
    ann.token = refused["access_token"]
    (stated,) = (await ann.call("GET", "/users/me/decisions")).expect(200)["items"]
    assert (stated["id"], stated["action"]) == (decision["id"], "suspend")
    (await ann.call("GET", f"/decisions/{decision['id']}")).expect(200)
    appeal = {"text": "It was not me."}
    (await ann.call("POST", f"/decisions/{decision['id']}/appeal", json=appeal)).expect(201)
    (await ann.call("POST", "/users/me/exports")).expect(202)
    (await ann.call("GET", "/users/me/exports")).expect(200)
    for method, path, form in (
        ("GET", "/users/me", None),
        ("GET", "/feed", None),
        ("PATCH", "/users/me", {"bio": "x"}),
        ("DELETE", "/users/me", None),
        ("POST", "/live/token", None),
        ("POST", "/reports", {"kind": "user", "id": ann.id, "category": "spam"}),
        ("GET", "/photos", None),
    ):
        refused = await ann.call(method, path, json=form)
        assert refused.expect(403)["code"] == "account_suspended", path
    services = api.services
    with pytest.raises(TokenInvalidError):
        await LiveAuthenticator(services.tokens, Tickets(services.stores.redis)).authenticate(ann.token)


async def test_a_limited_account_is_told_and_found_by_followers_alone(api: Api) -> None:
    """Strangers do not find it in searches and suggestions; followers do, and its profile is there for all."""
    ann, bob, cal = await api.user("ann_limited"), await api.user(), await api.user()
    await bob.follow(ann)
    _, decision = await _restrict(api, ann, "limit")
    for viewer, found in ((bob, True), (cal, False), (ann, True), (api.visitor, False)):
        for path in ("/users?query=ann_lim", "/search?q=ann_limited&type=users"):
            items = (await viewer.call("GET", path)).expect(200)["items"]
            assert [item["username"] for item in items] == (["ann_limited"] if found else []), (viewer.name, path)
        (await viewer.call("GET", f"/users/{ann.id}")).expect(200)
    (stated,) = (await ann.call("GET", "/users/me/decisions")).expect(200)["items"]
    assert (stated["id"], stated["action"]) == (decision["id"], "limit")


async def test_erasure_after_the_grace_period(api: Api) -> None:
    """What was removed or suspended is erased after 30 days, unless the decision was reverted before."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    photo_id = await photo_of(api, ann)
    removed, kept = await comment_on(ann, await photo_of(api, bob)), await comment_on(ann, photo_id)
    for kind, subject_id in (("comment", removed), ("comment", kept), ("photo", photo_id), ("user", ann.id)):
        await report(bob, kind, subject_id)
    decisions = {
        subject_id: await decide(judge, await case_about(judge, subject_id), "remove")
        for subject_id in (removed, kept, photo_id)
    }
    decisions[ann.id] = await decide(judge, await case_about(judge, ann.id), "suspend")
    tasks = CaseTasks(api.services.db, api.services.stores.cards, _NoNumbers())
    assert await tasks.erase() == 0
    path = f"/moderation/decisions/{decisions[kept]['id']}/reversal"
    (await judge.call("POST", path, json={"reason": "A joke."})).expect(201)
    await api.services.db.fetch(
        "UPDATE moderation_cases SET erase_at = now() WHERE erase_at > now() + interval '29 days' RETURNING id"
    )
    assert await tasks.erase() == 3
    assert await tasks.erase() == 0
    rows = await api.services.db.fetch(
        "SELECT id, text FROM comments WHERE id = ANY($1)", [ids.decode(removed), ids.decode(kept)]
    )
    assert {ids.encode(row["id"]): row["text"] for row in rows} == {removed: "", kept: "buy my watches"}
    assert await api.services.db.fetchval("SELECT deleted_at FROM photos WHERE id = $1", ids.decode(photo_id))
    assert await api.services.db.fetchval("SELECT deleted_at FROM users WHERE id = $1", ids.decode(ann.id))
    (await _sign_in(api, ann)).expect(401)
    late = f"/moderation/decisions/{decisions[ann.id]['id']}/reversal"
    (await judge.call("POST", late, json={"reason": "Too late."})).expect(404)
    assert await cases.due_for_erasure(api.services.db, limit=10) == []


async def test_moderators_see_images_of_hidden_photos(api: Api) -> None:
    """The images in a case have URLs of their own, also of a photo that is private, hidden or of a suspended author."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    photo = await ann.upload(photograph())
    await api.finish(photo)
    await report(bob, "photo", photo["id"])
    case_id = await case_about(judge, photo["id"])

    async def image() -> int:
        file = (await judge.call("GET", f"/moderation/cases/{case_id}")).expect(200)
        return (await api.get(file["photo"]["urls"]["feed"])).status

    assert await image() == 200
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    assert await image() == 200
    await decide(judge, case_id, "hide")
    assert await image() == 200
    await _restrict(api, ann, "suspend")
    assert await image() == 200


async def test_a_decision_holds_as_long_as_another_one_demands_it(api: Api) -> None:
    """Of two decisions with the same effect, reverting one changes nothing; after the second, all is as before."""
    ann, bob, cal, judge = await api.user(), await api.user(), await api.user(), await moderator(api)
    photo_id = await photo_of(api, ann)
    comment_id = await comment_on(ann, await photo_of(api, bob))

    async def decided(kind: str, subject_id: str, action: str, reporter: ApiUser) -> str:
        await report(reporter, kind, subject_id)
        decision: str = (await decide(judge, await case_about(judge, subject_id), action))["id"]
        return f"/moderation/decisions/{decision}/reversal"

    first = await decided("photo", photo_id, "limit", bob)
    second = await decided("user", ann.id, "limit", bob)
    marked = await decided("photo", photo_id, "sensitive", cal)
    third = await decided("photo", photo_id, "hide", await api.user())
    hidden = await decided("comment", comment_id, "hide", bob)
    limited = "SELECT limited_at IS NOT NULL FROM users WHERE id = $1"
    for path, still in ((first, True), (second, False)):
        (await judge.call("POST", path, json={"reason": "A mistake."})).expect(201)
        assert await api.services.db.fetchval(limited, ids.decode(ann.id)) is still
    assert (await bob.call("GET", f"/photos/{photo_id}")).status == 404
    for path, sensitive in ((third, True), (marked, False)):
        (await judge.call("POST", path, json={"reason": "A mistake."})).expect(201)
        assert (await bob.call("GET", f"/photos/{photo_id}")).expect(200)["sensitive"] is sensitive
    (await judge.call("POST", hidden, json={"reason": "A mistake."})).expect(201)


@pytest.mark.parametrize(("action", "state"), [("hide", "hidden"), ("remove", "hidden"), ("sensitive", "ready")])
async def test_photos(api: Api, action: str, state: str) -> None:
    """A decision about a photo hides or marks it, and its author reads the reason with it, until it is reverted."""
    ann, bob, judge = await api.user(), await api.user(), await moderator(api)
    photo_id = await photo_of(api, ann)
    await report(bob, "photo", photo_id, "nudity")
    case_id = await case_about(judge, photo_id)
    decision = await decide(judge, case_id, action, "Nothing for children.")
    photo = (await ann.call("GET", f"/photos/{photo_id}")).expect(200)
    assert (photo["state"], photo["moderation"]["reason"]) == (state, "Nothing for children.")
    assert ((await bob.call("GET", f"/photos/{photo_id}")).status == 404) is (state == "hidden")
    file = (await judge.call("GET", f"/moderation/cases/{case_id}")).expect(200)
    assert (file["photo"]["state"], file["decisions"][0]["rule"]) == (state, "nudity")
    assert file["photo"]["urls"]["feed"].startswith("/media/review/")
    path = f"/moderation/decisions/{decision['id']}/reversal"
    (await judge.call("POST", path, json={"reason": "It is art."})).expect(201)
    seen = (await bob.call("GET", f"/photos/{photo_id}")).expect(200)
    assert (seen["state"], seen.get("sensitive", False)) == ("ready", False)
