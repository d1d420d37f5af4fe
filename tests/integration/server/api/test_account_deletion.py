"""The deletion of an account that its user can undo: hidden at once, and back as it was."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import FormData

from server.composition.workers import build_janitor, worker_context
from server.edge.responses import DeletionResponse, ProblemResponse
from server.identity.clients import Client
from server.operation.metrics import Metrics
from storage import events, ids
from storage.blobs.keys import variant_key
from storage.blobs.variants import THUMB
from storage.errors import NotFoundError
from storage.stores.accounts import account_deletion
from storage.stores.social import stars
from tests.support.api import Api, InspectableServices, running_api, with_accounts, with_limits
from tests.support.api_user import PASSWORD, ApiUser, Response
from tests.support.pictures import photograph
from workers.jobs.context import open_handlers
from workers.registry import WORKERS

pytestmark = pytest.mark.engines

WRONG = "not this one, surely"
FANOUT = next(spec for spec in WORKERS if spec.name == "fanout")


async def work(services: InspectableServices) -> None:
    """Handle the events of accounts, as the worker does."""
    async with open_handlers(FANOUT, worker_context(FANOUT.name, services.base, services.stores)) as handlers:
        rows = await services.db.fetch("DELETE FROM outbox WHERE queue = 'fanout' RETURNING id, topic, body")
        for row in sorted(rows, key=lambda row: int(row["id"])):
            if row["topic"] == "user.changed":
                await handlers[row["topic"]](events.decode(row["topic"], row["body"]))


async def avatar_of(api: Api, user: ApiUser) -> str:
    """Give a user an avatar, and return its URL."""
    form = FormData()
    picture = await asyncio.to_thread(photograph("cat").read_bytes)
    form.add_field("file", picture, filename="a.jpg", content_type="image/jpeg")
    (await user.call("PUT", "/users/me/avatar", data=form)).expect(202)
    async with api.services.db.transaction() as tx:
        await tx.execute("UPDATE profile_images SET state = 'ready'")
        await tx.execute(
            "UPDATE users SET avatar_sha256 = (SELECT max(sha256) FROM profile_images) WHERE id = $1",
            ids.decode(user.id),
        )
    url: str = (await user.call("GET", "/users/me")).expect(200)["avatar_url"]
    return url


async def sign_in(api: Api, name: str, password: str = PASSWORD) -> Response:
    """Sign in."""
    return await api.visitor.call("POST", "/tokens", json={"username": name, "password": password})


async def restore(api: Api, name: str, password: str = PASSWORD) -> Response:
    """Undo a deletion."""
    return await api.visitor.call("POST", "/users/me/restore", json={"username": name, "password": password})


class World:
    """Ann, who has posted, commented, liked and followed, and Bob, who has too and looks at what there is of her."""

    def __init__(self, api: Api, ann: ApiUser, bob: ApiUser) -> None:
        self.api = api
        self.ann = ann
        self.bob = bob
        self.photo = ""
        self.private = ""
        self.his = ""
        self.list = ""

    async def fill(self) -> None:
        """Let them post, follow, comment and like."""
        ann, bob = self.ann, self.bob
        await bob.follow(ann)
        await ann.follow(bob)
        photo = await ann.upload(photograph("rocket"), "up #sky")
        await self.api.finish(photo)
        his = await bob.upload(photograph("coffee"), "hot")
        await self.api.finish(his)
        for_followers = await ann.upload(photograph("flower"), "closer")
        await self.api.finish(for_followers)
        (await ann.call("PATCH", f"/photos/{for_followers['id']}", json={"audience": "followers"})).expect(200)
        self.photo, self.his, self.private = photo["id"], his["id"], for_followers["id"]
        (await ann.call("POST", f"/photos/{self.his}/comments", json={"text": "mine"})).expect(201)
        (await bob.call("POST", f"/photos/{self.photo}/comments", json={"text": "yours"})).expect(201)
        (await ann.call("PUT", f"/photos/{self.his}/like")).expect(200)
        (await bob.call("PUT", f"/photos/{self.photo}/like")).expect(200)
        self.list = (await bob.call("POST", "/lists", json={"title": "friends"})).expect(201)["id"]
        (await bob.call("PUT", f"/lists/{self.list}/accounts/{ann.id}")).expect(204)

    async def seen(self) -> dict[str, Any]:
        """Return everything that Bob sees of Ann; the signatures of URLs differ each time."""
        paths = [
            f"/users/{self.ann.name}", f"/users/{self.ann.id}", f"/users/{self.ann.id}/photos",
            f"/photos/{self.photo}", f"/photos/{self.private}", f"/photos/{self.photo}/comments",
            f"/photos/{self.his}/comments", f"/photos/{self.his}/likes", f"/users/{self.bob.id}/followers",
            f"/users/{self.bob.id}/following", f"/lists/{self.list}", "/lists", f"/lists/{self.list}/accounts",
            "/feed", f"/feed?source=list:{self.list}", "/photos?tag=sky", "/photos",
            f"/search?q={self.ann.name}&type=users", "/search?q=sky&type=photos",
        ]  # fmt: skip
        found = {}
        for path in paths:
            response = await self.bob.call("GET", path)
            found[path] = (response.status, _unsigned(response.json))
        return found


def _unsigned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unsigned(item) for key, item in value.items() if key not in {"request_id", "stream", "position"}}
    if isinstance(value, list):
        return [_unsigned(item) for item in value]
    return value.partition("?")[0] if isinstance(value, str) else value


@pytest.fixture
async def world(api: Api) -> World:
    """Ann and Bob."""
    world = World(api, await api.user("annabel"), await api.user("bob"))
    await world.fill()
    return world


async def test_nothing_of_a_deleted_account_is_seen_and_everything_is_back_after_a_restore(world: World) -> None:
    """Profile, photos, feeds, comments, likes, follows, lists and search; the counters stay as they are."""
    before = await world.seen()
    assert {status for status, _ in before.values()} == {200}
    (await world.ann.call("DELETE", "/users/me")).expect(202)
    for _ in range(2):
        hidden = await world.seen()
        assert [
            path for path, (status, content) in hidden.items() if status == 200 and world.ann.id in str(content)
        ] == []
        gone = [path for path, (status, _) in hidden.items() if status == 404]
        profile, photo = f"/users/{world.ann.id}", f"/photos/{world.photo}"
        pages = [f"/users/{world.ann.name}", profile, f"{profile}/photos", photo, f"/photos/{world.private}"]
        assert gone == [*pages, f"{photo}/comments"]
        assert [item["accounts"] for item in hidden["/lists"][1]["items"]] == [0]
        assert hidden[f"/lists/{world.list}"][1]["accounts"] == 0
        assert hidden[f"/photos/{world.his}/comments"][1]["items"] == []
        assert hidden["/feed"][1]["items"] == [item for item in before["/feed"][1]["items"] if item["id"] == world.his]
        await work(world.api.services)  # and it is the same afterwards
    (await restore(world.api, "annabel")).expect(201)
    assert (await world.seen())["/feed"] == before["/feed"]  # with the response
    await work(world.api.services)
    assert await world.seen() == before


async def test_a_feed_that_is_built_meanwhile_has_the_photos_after_the_restore(world: World) -> None:
    """It holds the photos of the hidden account, and a page leaves them out."""
    (await world.ann.call("DELETE", "/users/me")).expect(202)
    await work(world.api.services)
    await world.api.services.stores.feeds.discard(ids.decode(world.bob.id))
    await world.api.services.stores.redis.execute_command("FLUSHALL")
    assert [item["id"] for item in (await world.bob.call("GET", "/feed")).expect(200)["items"]] == [world.his]
    (await restore(world.api, "annabel")).expect(201)
    await work(world.api.services)
    found = [item["id"] for item in (await world.bob.call("GET", "/feed")).expect(200)["items"]]
    assert found == [world.private, world.his, world.photo]


async def test_events_in_the_other_order_leave_the_account_visible(world: World) -> None:
    """A late event of the deletion is handled after the restore; it finds the account visible."""
    (await world.ann.call("DELETE", "/users/me")).expect(202)
    late = events.UserChanged(user_id=ids.decode(world.ann.id), deleted=True)
    (await restore(world.api, "annabel")).expect(201)
    await work(world.api.services)
    services = world.api.services
    async with open_handlers(FANOUT, worker_context(FANOUT.name, services.base, services.stores)) as handlers:
        await handlers[late.topic](late)
    found = [item["id"] for item in (await world.bob.call("GET", "/feed")).expect(200)["items"]]
    assert found == [world.private, world.his, world.photo]


async def test_a_restore_while_the_account_is_being_hidden(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hides the account finds it visible afterwards, and shows its photos again."""
    services, user_id = world.api.services, ids.decode(world.ann.id)
    tombstone = services.stores.cards.tombstone

    async def tombstone_and_restore(*photo_ids: int) -> None:
        await tombstone(*photo_ids)
        if await account_deletion.due_at(services.db, user_id) is not None:
            async with services.db.transaction() as tx:
                await account_deletion.restore(tx, user_id)

    monkeypatch.setattr(services.stores.cards, "tombstone", tombstone_and_restore)
    (await world.ann.call("DELETE", "/users/me")).expect(202)
    found = [item["id"] for item in (await world.bob.call("GET", "/feed")).expect(200)["items"]]
    assert found == [world.private, world.his, world.photo]


async def test_a_worker_repeats_the_restore(world: World) -> None:
    """A process that dies after its commit leaves an event, whose handler shows the photos again."""
    services, user_id = world.api.services, ids.decode(world.ann.id)
    (await world.ann.call("DELETE", "/users/me")).expect(202)
    await work(services)
    async with services.db.transaction() as tx:
        await account_deletion.restore(tx, user_id)
    await work(services)
    found = [item["id"] for item in (await world.bob.call("GET", "/feed")).expect(200)["items"]]
    assert found == [world.private, world.his, world.photo]


async def test_the_photos_of_tags_are_counted_again(world: World) -> None:
    """A deletion and a restore mark the tags of the account."""
    db = world.api.services.db
    for change in (world.ann.call("DELETE", "/users/me"), restore(world.api, "annabel")):
        await db.fetch("DELETE FROM tag_recounts")
        await change
        assert [row["tag"] for row in await db.fetch("SELECT tag FROM tag_recounts")] == ["sky"]


async def test_images_of_a_deleted_account(world: World) -> None:
    """Neither public nor signed URLs show them, nor the avatar, and all do after the restore."""
    public = (await world.bob.call("GET", f"/photos/{world.photo}")).expect(200)["urls"]["feed"]
    signed = (await world.bob.call("GET", f"/photos/{world.private}")).expect(200)["urls"]["feed"]
    assert "sig=" in signed
    avatar = await avatar_of(world.api, world.ann)
    variants = world.api.services.variants
    thumb = variant_key(avatar.split("/")[-2], variants.recipe, THUMB)
    await world.api.services.blobs.put(thumb, b"variant", content_type="image/jpeg")

    async def statuses() -> list[int]:
        return [(await world.api.get(url)).status for url in (public, signed, avatar)]

    assert await statuses() == [200, 200, 200]
    (await world.ann.call("DELETE", "/users/me")).expect(202)
    assert await statuses() == [404, 404, 404]
    (await restore(world.api, "annabel")).expect(201)
    assert await statuses() == [200, 200, 200]


async def test_signing_in_offers_the_restore(api: Api) -> None:
    """A 403 says until when, for the right password alone; the restore signs in, and former sessions have ended."""
    ann = await api.user("ann")
    deleted = (await ann.call("DELETE", "/users/me")).expect(202)
    due_at = datetime.fromisoformat(DeletionResponse.model_validate(deleted).deletion_due_at or "")
    assert timedelta(days=29, hours=23) < due_at - datetime.now(UTC) <= timedelta(days=30)
    (await ann.call("GET", "/users/me")).expect(401)
    (await sign_in(api, "ann", WRONG)).expect(401)
    for login in ("ann", "ANN@picshare.example"):
        problem = (await sign_in(api, login)).expect(403)
        ProblemResponse.model_validate(problem)
        assert (problem["code"], problem["deletion_due_at"]) == ("deletion_pending", deleted["deletion_due_at"])
        assert f"{due_at:%Y-%m-%d %H:%M} UTC" in problem["detail"]
    (await restore(api, "ann", WRONG)).expect(401)
    (await restore(api, "nobody")).expect(401)
    back = (await restore(api, "ann")).expect(201)
    assert back["user"]["id"] == ann.id
    ann.token, former = back["access_token"], ann.token
    (await ann.call("GET", "/users/me")).expect(200)
    assert (await restore(api, "ann")).expect(409)["code"] == "deletion_not_pending"
    (await sign_in(api, "ann")).expect(201)
    (await ann.call("GET", "/users/me", headers={"Authorization": f"Bearer {former}"})).expect(401)


async def test_the_names_stay_taken_until_the_end(api: Api) -> None:
    """Nobody else gets the username or the address meanwhile; afterwards anyone does, and nothing can be undone."""
    ann = await api.user("ann")
    (await ann.call("DELETE", "/users/me")).expect(202)
    fields = {"username": "ann", "email": "other@picshare.example", "password": PASSWORD}
    assert (await api.visitor.call("POST", "/users", json=fields)).expect(409)["code"] == "username_taken"
    janitor = build_janitor(api.services.base, api.services.stores, Metrics())
    assert await janitor.complete_deletions() == 0
    await api.services.db.fetch("UPDATE users SET deletion_due_at = now(), erasure_queued_at = now()")
    assert await janitor.queue_erasures() == 0
    (await sign_in(api, "ann")).expect(401)
    (await restore(api, "ann")).expect(401)
    with pytest.raises(NotFoundError):
        async with api.services.db.transaction() as tx:
            await account_deletion.restore(tx, ids.decode(ann.id))
    assert await janitor.complete_deletions() == 1
    assert await janitor.complete_deletions() == 0
    assert (await sign_in(api, "ann")).expect(401)["code"] == "wrong_credentials"
    (await api.visitor.call("POST", "/users", json=fields)).expect(201)
    topics = {row["topic"] for row in await api.services.db.fetch("SELECT topic FROM outbox")}
    assert {"account.deleted", "actor.removed"} <= topics


async def test_nothing_is_erased_meanwhile(api: Api) -> None:
    """Neither by this version's janitor nor by that of the version before, and no event of an erasure is emitted."""
    ann = await api.user("ann")
    (await ann.call("DELETE", "/users/me")).expect(202)
    await api.services.db.fetch("UPDATE users SET deleted_at = now() - interval '29 days'")
    janitor = build_janitor(api.services.base, api.services.stores, Metrics())
    assert await janitor.queue_erasures() == 0
    before = (
        "SELECT count(*) FROM users WHERE deleted_at IS NOT NULL AND erased_at IS NULL AND ("
        "(erasure_queued_at IS NULL AND deleted_at <= now() - interval '20 minutes') "
        "OR erasure_queued_at < now() - interval '1 hour')"
    )
    assert await api.services.db.fetchval(before) == 0
    await api.services.db.fetch("UPDATE users SET erasure_queued_at = now() - interval '2 hours'")
    assert await janitor.queue_erasures() == 0
    topics = {row["topic"] for row in await api.services.db.fetch("SELECT topic FROM outbox")}
    assert not topics & {"account.deleted", "actor.removed"}


async def test_a_password_that_is_given_must_be_right(api: Api) -> None:
    """A wrong one deletes nothing and is charged like a sign-in; without one the session is enough."""
    async with running_api(with_limits(api.services, sign_in_account="2/h")) as limited:
        ann, bob = await limited.user("ann"), await limited.user("bob")
        problem = (await ann.call("DELETE", "/users/me", json={"password": WRONG})).expect(403)
        assert (problem["code"], problem["errors"][0]["field"]) == ("wrong_password", "password")
        (await ann.call("GET", "/users/me")).expect(200)
        (await ann.call("DELETE", "/users/me", json={"password": WRONG})).expect(403)
        (await ann.call("DELETE", "/users/me", json={"password": PASSWORD})).expect(429)
        (await bob.call("DELETE", "/users/me", json={"password": PASSWORD})).expect(202)
        (await ann.call("DELETE", "/users/me")).expect(202)


async def test_the_terms_are_known_before(api: Api) -> None:
    """And the response to a deletion removes the cookies, which are of no use any more."""
    ann = await api.user("ann")
    assert (await ann.call("GET", "/users/me/deletion")).expect(200) == {"grace_days": 30}
    response = await ann.call("DELETE", "/users/me")
    removed = [value for name, value in response.headers.items() if name == "Set-Cookie"]
    assert [value.partition("=")[0] for value in removed] == ["picshare_access", "picshare_refresh", "picshare_csrf"]
    assert all("Max-Age=0" in value for value in removed)


async def test_without_a_grace_an_account_is_deleted_at_once(api: Api) -> None:
    """Its name is free, and there is nothing to undo."""
    async with running_api(with_accounts(api.services, deletion_grace=0)) as now:
        ann = await now.user("ann")
        deleted = (await ann.call("DELETE", "/users/me")).expect(202)
        assert deleted == {"deletion_due_at": None}
        (await sign_in(now, "ann")).expect(401)
        (await restore(now, "ann")).expect(401)
        await now.user("ann")


async def test_uploads_that_were_being_processed_are_processed_after_the_restore(api: Api) -> None:
    """Their events are emitted again, since a worker has found the account deleted."""
    ann = await api.user("ann")
    await ann.upload(photograph("rocket"))
    (await ann.call("DELETE", "/users/me")).expect(202)
    await api.services.db.fetch("DELETE FROM outbox")
    (await restore(api, "ann")).expect(201)
    topics = {row["topic"] for row in await api.services.db.fetch("SELECT topic FROM outbox WHERE queue = 'media'")}
    assert topics == {"photo.uploaded"}


async def test_a_star_stays_one(api: Api) -> None:
    """A hidden account is not demoted, which would take its photos from the feeds; one that is deleted for good is."""
    ann = await api.user("ann")
    user_id, db = ids.decode(ann.id), api.services.db
    await db.fetch("UPDATE users SET followers = 7")
    (await ann.call("DELETE", "/users/me")).expect(202)
    assert (await stars.standing(db, user_id)).followers == 7
    await db.fetch("UPDATE users SET deletion_due_at = now()")
    async with db.transaction() as tx:
        assert await account_deletion.complete(tx, user_id)
    assert (await stars.standing(db, user_id)).followers == 0


async def test_an_account_is_not_deleted_twice(api: Api) -> None:
    """A request that is under way when another one ends its session does not move the end."""
    ann = await api.user("ann")
    actions, user_id = api.services.actions.accounts, ids.decode(ann.id)
    client = Client(address="192.0.2.1")
    deletions = (actions.delete(user_id, "", password=PASSWORD, client=client) for _ in range(2))
    first, second = await asyncio.gather(*deletions, return_exceptions=True)
    assert sorted(type(result).__name__ for result in (first, second)) == ["NotFoundError", "datetime"]


async def test_the_session_of_a_deleted_account_has_ended(api: Api) -> None:
    """Until its sessions are revoked, an account that is deleted is no missing one to its own user, but signed out."""
    ann = await api.user("ann")
    await api.services.db.fetch("UPDATE users SET deleted_at = now() WHERE id = $1 RETURNING id", ids.decode(ann.id))
    response = await ann.call("GET", "/users/me")
    assert (response.status, response.json["code"]) == (401, "session_revoked")
