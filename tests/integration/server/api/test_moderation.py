"""Moderation over the API: verdicts by moderators and by tokens, and the hold of new photos."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import aiohttp
import pytest

from server.composition.services import hold_policy
from server.composition.signing import verdict_tokens
from storage import ids
from storage.holds import HoldPolicy
from storage.models import Role
from storage.moderation import Decider, Decision, ModerationAction
from storage.stores.accounts import users
from storage.stores.photos import photo_deletion, photo_moderation
from storage.stores.webhooks import webhook_endpoints
from storage.webhooks import EndpointScope, EndpointState
from tests.support.api import Api, InspectableServices, running_api, with_moderation
from tests.support.api_user import ApiUser
from tests.support.cases import case_about, report
from tests.support.pictures import encoded, halves
from workers.jobs.moderation.photo_decisions import PhotoDecisions
from workers.jobs.upkeep.holds import HoldTasks
from workers.webhooks.signing import Scheme, new_secret
from workers.webhooks.verdict_tokens import TTL, VerdictTokens

pytestmark = pytest.mark.engines

SHOWN = {"state": "ready", "moderation_state": None, "applied": True}


async def post(api: Api, user: ApiUser, **fields: str) -> dict[str, Any]:
    """Post a photo, and do what the worker does; return it as it was posted."""
    form = aiohttp.FormData(fields)
    form.add_field("file", encoded(halves()), filename="picture.jpg", content_type="image/jpeg")
    photo: dict[str, Any] = (await user.call("POST", "/photos", data=form)).expect(201)
    await api.finish(photo)
    return photo


async def moderator(api: Api, role: Role = Role.MODERATOR) -> ApiUser:
    """Return a user with a role."""
    user = await api.user()
    async with api.services.db.transaction() as tx:
        await users.set_role(tx, user.name, role)
    return user


async def service(api: Api) -> int:
    """Return the active endpoint of a service that decides about photos."""
    root = ids.decode((await moderator(api, Role.ADMIN)).id)
    async with api.services.db.transaction() as tx:
        made = await webhook_endpoints.create(
            tx,
            owner_id=root,
            url="https://moderation.example.org/",
            description="",
            types=(),
            scope=EndpointScope.ALL,
            ordered=False,
            secret=new_secret(Scheme.HMAC),
            moderation=True,
        )
        await webhook_endpoints.edit(tx, made.id, owner_id=root, state=EndpointState.ACTIVE)
    return made.id


def token_of(api: Api, photo: dict[str, Any], endpoint_id: int) -> str:
    """Return the token of a message about a photo."""
    return verdict_tokens(api.services.base).mint(ids.decode(photo["id"]), endpoint_id)


async def give(api: Api, photo: dict[str, Any], kind: str, token: str, **more: Any) -> Any:
    """Give a verdict by a token, without an account; return the response."""
    body = {"verdict": kind, "verdict_token": token, **more}
    return await api.visitor.call("POST", f"/moderation/{photo['id']}", json=body)


async def test_a_moderator_hides_and_restores(api: Api) -> None:
    """The photo is a 404 for others; its author, and moderators at their place, see it with what was decided."""
    ann, bob, mod = await api.user(), await api.user(), await moderator(api)
    photo = await post(api, ann)
    path = f"/moderation/{photo['id']}"
    body = {"verdict": "hide", "reason": "Shows an address", "rule": "privacy", "labels": {"address": 1}}
    hidden = (await mod.call("POST", path, json=body)).expect(200)
    assert hidden == {"state": "hidden", "moderation_state": "hidden", "applied": True}
    assert (await bob.call("GET", f"/photos/{photo['id']}")).status == 404
    assert (await mod.call("GET", f"/photos/{photo['id']}")).status == 404
    own = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)
    assert own["state"] == "hidden"
    decided_at = own["moderation"].pop("decided_at")
    decision = {
        "state": "hidden",
        "reason": "Shows an address",
        "rule": "privacy",
        "decided_by": "moderator",
        "until": None,
    }
    assert own["moderation"] == decision
    listed = (await ann.call("GET", f"/users/{ann.id}/photos")).expect(200)["items"]
    assert listed[0]["moderation"]["reason"] == "Shows an address"
    seen = (await mod.call("GET", path)).expect(200)
    assert seen["photo"]["id"] == photo["id"]
    more = {"action": "hide", "source": "", "labels": {"address": 1.0}, "decided_at": decided_at}
    assert seen["decisions"] == [{**decision, **more}]
    assert (await api.get(seen["photo"]["urls"]["feed"])).status == 200
    assert (await mod.call("POST", path, json={"verdict": "allow"})).expect(200) == SHOWN
    assert "moderation" not in (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)
    marked = (await mod.call("POST", path, json={"verdict": "sensitive"})).expect(200)
    assert marked == {"state": "ready", "moderation_state": "sensitive", "applied": True}
    seen_by_bob = (await bob.call("GET", f"/photos/{photo['id']}")).expect(200)
    assert seen_by_bob["sensitive"] is True
    assert "moderation" not in seen_by_bob


async def test_an_author_marks_the_own_photo_as_sensitive(api: Api) -> None:
    """When it is posted or later, and removes the mark again, but not that of a moderator; others see it at once."""
    ann, fan, judge = await api.user(), await api.user(), await moderator(api)
    await fan.follow(ann)
    photo = await post(api, ann, sensitive="true")
    path = f"/photos/{photo['id']}"
    assert photo["sensitive"] is True
    for mark in (False, True, False):
        edited = (await ann.call("PATCH", path, json={"sensitive": mark})).expect(200)
        assert (edited["sensitive"], edited["edited_at"] is None) == (mark, False)
        assert (await fan.call("GET", path)).expect(200)["sensitive"] is mark
        assert [item["sensitive"] for item in await fan.feed() if item["id"] == photo["id"]] == [mark]
    (await judge.call("POST", f"/moderation/{photo['id']}", json={"verdict": "sensitive", "reason": "x"})).expect(200)
    assert (await ann.call("PATCH", path, json={"sensitive": False})).expect(200)["sensitive"] is True
    assert (await ann.call("PATCH", path, json={"sensitive": "perhaps"})).expect(422)["code"] == "invalid_input"
    assert (await post(api, ann))["sensitive"] is False


async def test_decisions_outside_of_a_case_are_in_its_log(api: Api) -> None:
    """Those of a moderator, of a service once, and of an operator; without a case there is no log."""
    ann, fan, judge = await api.user(), await api.user(), await moderator(api)
    endpoint_id, photo = await service(api), await post(api, ann)
    path, hidden = f"/moderation/{photo['id']}", {"verdict": "hide", "reason": "Not here."}
    (await judge.call("POST", path, json={**hidden, "verdict": "allow"})).expect(200)
    await report(fan, "photo", photo["id"])
    (await judge.call("POST", path, json=hidden)).expect(200)
    token = token_of(api, photo, endpoint_id)
    for _ in range(2):
        (await give(api, photo, "hide", token, reason="nudity")).expect(200)
    decisions = PhotoDecisions(api.services.db, api.services.stores.cards, cast("Any", None))
    await decisions.decide_and_log(
        ids.decode(photo["id"]), Decision(action=ModerationAction.ALLOW, by=Decider.MODERATOR)
    )
    case_id = await case_about(judge, photo["id"])
    audit = (await judge.call("GET", f"/moderation/cases/{case_id}")).expect(200)["audit"]
    found = [
        (entry["actor"] and entry["actor"]["username"], entry["details"]["by"], entry["details"]["verdict"])
        for entry in audit
        if entry["action"] == "verdict"
    ]
    assert found == [(judge.name, "moderator", "hide"), (None, "service", "hide"), (None, "moderator", "allow")]


async def test_who_may_decide(api: Api) -> None:
    """Others than moderators get a 403, visitors without a token a 401, and unknown photos are a 404."""
    ann, mod = await api.user(), await moderator(api)
    photo = await post(api, ann)
    path = f"/moderation/{photo['id']}"
    for method, options in (("POST", {"json": {"verdict": "hide"}}), ("GET", {})):
        refused = (await ann.call(method, path, **options)).expect(403)
        assert refused["code"] == "moderator_required"
        assert (await api.visitor.call(method, path, **options)).status == 401
        assert (await mod.call(method, f"/moderation/{ids.encode(1)}", **options)).status == 404
        assert (await mod.call(method, "/moderation/x", **options)).status == 400
    assert (await mod.call("POST", path, json={"verdict": "hold"})).status == 422
    assert (await mod.call("POST", path, json={})).status == 422
    assert (await mod.call("POST", path, json={"verdict": "hide", "reason": "x" * 501})).status == 422


async def test_a_moderator_does_not_decide_about_an_own_photo(api: Api) -> None:
    """Another moderator has to."""
    mod = await moderator(api)
    photo = await post(api, mod)
    refused = (await mod.call("POST", f"/moderation/{photo['id']}", json={"verdict": "allow"})).expect(403)
    assert refused["code"] == "own_case"


async def test_a_verdict_by_token(api: Api) -> None:
    """The token of a message is enough, once: the same verdict can be repeated, another one is refused."""
    endpoint_id, photo = await service(api), await post(api, await api.user())
    token = token_of(api, photo, endpoint_id)
    for _ in range(2):
        hidden = (await give(api, photo, "hide", token, reason="nudity", labels={"nudity": 0.9})).expect(200)
        assert hidden == {"state": "hidden", "moderation_state": "hidden", "applied": True}
    refused = (await give(api, photo, "allow", token_of(api, photo, endpoint_id))).expect(409)
    assert refused["code"] == "verdict_given"
    assert "'hide'" in refused["detail"]
    (made,) = await photo_moderation.history(api.services.db, ids.decode(photo["id"]))
    assert (made.by, made.source, made.labels) == (Decider.SERVICE, ids.encode(endpoint_id), {"nudity": 0.9})


async def test_a_verdict_that_does_not_apply(api: Api) -> None:
    """After a moderator's decision a service is told that its verdict is kept, and does not apply."""
    endpoint_id, photo, mod = await service(api), await post(api, await api.user()), await moderator(api)
    (await mod.call("POST", f"/moderation/{photo['id']}", json={"verdict": "allow"})).expect(200)
    kept = (await give(api, photo, "hide", token_of(api, photo, endpoint_id))).expect(200)
    assert kept == {"state": "ready", "moderation_state": None, "applied": False}


async def test_tokens_that_are_refused(api: Api) -> None:
    """A token for another photo, an expired one, a forged one, and one whose webhook may not decide any more."""
    endpoint_id, ann = await service(api), await api.user()
    photo, other = await post(api, ann), await post(api, ann)
    late = VerdictTokens(api.services.settings.secret, clock=lambda: -TTL)
    for token, code in (
        (token_of(api, other, endpoint_id), "verdict_for_another_photo"),
        (late.mint(ids.decode(photo["id"]), endpoint_id), "verdict_token_expired"),
        ("x" * 80, "verdict_token_invalid"),
        ("", "verdict_token_invalid"),
    ):
        refused = (await give(api, photo, "hide", token)).expect(403)
        assert refused["code"] == code
        assert refused["detail"]
    await api.services.db.fetch("UPDATE webhook_endpoints SET state = 'deleted' WHERE id = $1", endpoint_id)
    refused = (await give(api, photo, "hide", token_of(api, photo, endpoint_id))).expect(409)
    assert refused["code"] == "webhook_not_moderating"
    assert (await api.visitor.call("GET", f"/photos/{photo['id']}")).status == 200


async def test_a_verdict_after_the_deletion(api: Api) -> None:
    """The service learns that no verdict is needed any more."""
    endpoint_id, ann = await service(api), await api.user()
    photo = await post(api, ann)
    async with api.services.db.transaction() as tx:
        await photo_deletion.delete(tx, ids.decode(photo["id"]), author_id=ids.decode(ann.id))
    gone = (await give(api, photo, "hide", token_of(api, photo, endpoint_id))).expect(410)
    assert gone["code"] == "photo_deleted"


async def test_a_webhook_with_the_right_to_decide(api: Api) -> None:
    """Administrators create it over everything; for one's own events there is nothing to decide."""
    root = await moderator(api, Role.ADMIN)
    body = {"url": "https://93.184.215.14/hook", "moderation": True}
    refused = (await root.call("POST", "/webhooks", json=body)).expect(409)
    assert (refused["code"], refused["errors"][0]["field"]) == ("webhook_scope", "moderation")


@pytest.mark.parametrize(
    ("hold", "photos", "days", "held"),
    [
        ("none", 0, 0, False),
        ("all", 9, 9, True),
        ("new", 9, 0, True),
        ("new", 2, 9, True),
        ("new", 3, 9, False),
    ],
)
async def test_which_new_photos_are_held(
    services: InspectableServices, hold: str, photos: int, days: int, held: bool
) -> None:
    """None, all, or those of accounts that are younger than a day or have fewer than three photos."""
    async with running_api(with_moderation(services, hold=hold)) as api:
        ann = await api.user()
        await api.services.db.fetch(
            "UPDATE users SET photos = $2, created_at = now() - $3::interval WHERE id = $1",
            ids.decode(ann.id),
            photos,
            timedelta(days=days),
        )
        photo = await post(api, ann)
        assert (photo.get("moderation") is not None) is held
        found = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)
        assert found["state"] == ("hidden" if held else "ready")
        assert (await api.visitor.call("GET", f"/photos/{photo['id']}")).status == (404 if held else 200)
        if held:
            assert found["moderation"]["state"] == "held"
            assert found["moderation"]["until"] is not None


@pytest.mark.parametrize(("outcome", "state"), [("publish", "ready"), ("hide", "hidden")])
async def test_the_end_of_a_hold(services: InspectableServices, outcome: str, state: str) -> None:
    """At its end a held photo is published or hidden, as configured; one that was decided about is left alone."""
    async with running_api(with_moderation(services, hold="all", hold_outcome=outcome)) as api:
        ann, mod = await api.user(), await moderator(api)
        photo, decided, deleted = [await post(api, ann) for _ in range(3)]
        (await mod.call("POST", f"/moderation/{decided['id']}", json={"verdict": "sensitive"})).expect(200)
        measured: list[tuple[int, float]] = []

        class Metrics:
            def photo_decided(self, *, action: str, by: str) -> None:
                assert (action, by) in {("allow", "automatic"), ("hide", "automatic")}

            def photos_held(self, *, number: int, oldest_seconds: float) -> None:
                measured.append((number, oldest_seconds))

        policy = hold_policy(api.services.base)
        assert isinstance(policy, HoldPolicy)
        tasks = HoldTasks(api.services.db, api.services.actions.moderation, policy, Metrics())
        await tasks.measure()
        assert await tasks.end() == 0
        await api.services.db.fetch("UPDATE photo_moderation SET until = now() - interval '1 s' WHERE action = 'hold'")
        async with api.services.db.transaction() as tx:
            await photo_deletion.delete(tx, ids.decode(deleted["id"]), author_id=ids.decode(ann.id))
        assert await tasks.end() == 3
        assert await tasks.end() == 0
        await tasks.measure()
        found = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)
        assert found["state"] == state
        kept = (await ann.call("GET", f"/photos/{decided['id']}")).expect(200)
        assert (kept["state"], kept["sensitive"]) == ("ready", True)
        (first, oldest), (second, _) = measured
        assert (first, second) == (2, 0)
        assert oldest >= 0
