"""Saved photos and collections."""

from __future__ import annotations

from typing import Any

import pytest

from storage import ids
from storage.stores import collection_items, photo_collections, users
from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.community import new_users, ready_photo

pytestmark = pytest.mark.engines


async def _photos(api: Api, author: ApiUser, number: int) -> list[str]:
    """Return the ids of new photos of an author."""
    user: Any = await _account(api, author)
    return [ids.encode((await ready_photo(api.services.db, user)).id) for _ in range(number)]


async def _account(api: Api, user: ApiUser) -> Any:
    return await users.get(api.services.db, ids.decode(user.id))


async def _listed(user: ApiUser, path: str) -> list[str]:
    """Return the ids of a list, read in pages of two."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = (await user.call("GET", path, params={"limit": "2", **({"cursor": cursor} if cursor else {})})).expect(
            200
        )
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found


async def test_saved_photos(api: Api) -> None:
    """Photos are saved once, listed with the last one first, and removed; others see nothing of it."""
    ann, bob = await api.user(), await api.user()
    one, two, three = await _photos(api, ann, 3)
    assert await _listed(bob, "/users/me/saved") == []
    (await bob.call("DELETE", f"/photos/{one}/save")).expect(204)
    for photo_id in (two, one, three, two):
        (await bob.call("PUT", f"/photos/{photo_id}/save")).expect(204)
    assert await _listed(bob, "/users/me/saved") == [three, one, two]
    asked = (await bob.call("GET", "/collections", params={"photo_id": one})).expect(200)
    assert (asked["saved"], asked["items"]) == (True, [])
    (await bob.call("DELETE", f"/photos/{one}/save")).expect(204)
    (await bob.call("DELETE", f"/photos/{one}/save")).expect(204)
    assert await _listed(bob, "/users/me/saved") == [three, two]
    assert (await bob.call("GET", "/collections", params={"photo_id": one})).expect(200)["saved"] is False
    assert (await bob.call("GET", "/collections")).expect(200)["saved"] is None
    assert await _listed(ann, "/users/me/saved") == []
    async with api.services.db.transaction() as tx:
        saved_id = ids.encode(await photo_collections.saved_id(tx, ids.decode(bob.id)))
    for method in ("GET", "DELETE"):
        assert (await bob.call(method, f"/collections/{saved_id}")).status == 404
    assert (await bob.call("PATCH", f"/collections/{saved_id}", json={"public": True})).status == 404
    (await ann.call("PATCH", f"/photos/{two}", json={"audience": "only_me"})).expect(200)
    assert await _listed(bob, "/users/me/saved") == [three]
    assert (await bob.call("PUT", f"/photos/{two}/save")).status == 404
    (await ann.call("PATCH", f"/photos/{two}", json={"audience": "public"})).expect(200)
    assert await _listed(bob, "/users/me/saved") == [three, two]


async def test_collections(api: Api) -> None:
    """A collection has a title and an order, is private or public, and belongs to its owner alone."""
    ann, bob = await api.user(), await api.user()
    one, two, three = await _photos(api, ann, 3)
    created = (await bob.call("POST", "/collections", json={"title": " Sea "})).expect(201)
    assert (created["title"], created["public"], created["owner"]["id"]) == ("Sea", False, bob.id)
    path = f"/collections/{created['id']}"
    for photo_id in (one, two, three, one):
        (await bob.call("POST", f"{path}/items", json={"photo_id": photo_id})).expect(204)
    assert await _listed(bob, f"{path}/items") == [three, two, one]
    (await bob.call("PATCH", path, json={"order": [one, ids.encode(5), three]})).expect(200)
    assert await _listed(bob, f"{path}/items") == [one, three, two]
    (own,) = (await bob.call("GET", "/collections", params={"photo_id": two})).expect(200)["items"]
    assert (own["cover"]["id"], own["contains"]) == (one, True)
    (await bob.call("DELETE", f"{path}/items/{two}")).expect(204)
    (await bob.call("DELETE", f"{path}/items/{two}")).expect(204)
    assert await _listed(bob, f"{path}/items") == [one, three]
    (own,) = (await bob.call("GET", "/collections", params={"photo_id": two})).expect(200)["items"]
    assert own["contains"] is False
    changes = (("PATCH", path, {"title": "x"}), ("POST", f"{path}/items", {"photo_id": two}), ("DELETE", path, None))
    for user, status in ((ann, 404), (api.visitor, 401)):
        for method, address, body in changes:
            assert (await user.call(method, address, json=body)).status == status
        (await user.call("GET", path)).expect(404)
        (await user.call("GET", f"{path}/items")).expect(404)
    (await ann.call("DELETE", f"{path}/items/{one}")).expect(204)
    edited = (await bob.call("PATCH", path, json={"title": "Lakes", "public": True})).expect(200)
    assert (edited["title"], edited["public"]) == ("Lakes", True)
    for user in (ann, api.visitor):
        assert (await user.call("GET", path)).expect(200)["title"] == "Lakes"
        assert await _listed(user, f"{path}/items") == [one, three]
    (await bob.call("PUT", f"/users/{ann.id}/block")).expect(204)
    assert (await ann.call("GET", path)).status == 404
    (await bob.call("DELETE", path)).expect(204)
    assert (await bob.call("GET", path)).status == 404
    assert (await bob.call("GET", "/collections")).expect(200)["items"] == []


async def test_a_private_account_s_public_collection(api: Api) -> None:
    """A public collection of a private account is for its followers, as all of its profile is."""
    ann, bob, cal = await api.user(), await api.user(), await api.user()
    created = (await ann.call("POST", "/collections", json={"title": "Sea", "public": True})).expect(201)
    await bob.follow(ann)
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    for user, status in ((bob, 200), (cal, 404), (api.visitor, 404), (ann, 200)):
        assert (await user.call("GET", f"/collections/{created['id']}")).status == status


async def test_bounds(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are as many collections, and photos in each, as the guide says; the refusal changes nothing."""
    monkeypatch.setattr(photo_collections, "MAX", 1)
    monkeypatch.setattr(collection_items, "MAX", 1)
    ann = await api.user()
    one, two = await _photos(api, ann, 2)
    path = f"/collections/{(await ann.call('POST', '/collections', json={'title': 'Sea'})).expect(201)['id']}/items"
    refused = (await ann.call("POST", "/collections", json={"title": "Lakes"})).expect(409)
    assert refused["code"] == "too_many_collections"
    (await ann.call("POST", path, json={"photo_id": one})).expect(204)
    (await ann.call("POST", path, json={"photo_id": one})).expect(204)
    assert (await ann.call("POST", path, json={"photo_id": two})).expect(409)["code"] == "collection_full"
    assert await _listed(ann, path) == [one]
    (await ann.call("DELETE", f"{path}/{one}")).expect(204)
    (await ann.call("POST", path, json={"photo_id": two})).expect(204)
    for title in ("", " ", "x" * 61, "a\nb"):
        assert (await ann.call("POST", "/collections", json={"title": title})).status == 422


async def test_deleted_photos_and_accounts_leave_nothing(api: Api) -> None:
    """A deleted photo is removed from all collections, batch by batch; a deleted account loses its own."""
    db = api.services.db
    ann, *keepers = await new_users(db, "ann", "bob", "cal", "dan")
    photo, other = await ready_photo(db, ann), await ready_photo(db, ann)
    for keeper in keepers:
        async with db.transaction() as tx:
            saved_id = await photo_collections.saved_id(tx, keeper.id)
            await collection_items.add(tx, saved_id, photo.id, owner_id=keeper.id)
            await collection_items.add(tx, saved_id, other.id, owner_id=keeper.id)
    async with db.transaction() as tx:
        more = [await collection_items.forget(tx, [photo.id], limit=2) for _ in range(2)]
    assert more == [True, False]
    rows = await db.fetch("SELECT photo_id FROM collection_items")
    assert [row["photo_id"] for row in rows] == [other.id] * 3
    assert {row["size"] for row in await db.fetch("SELECT size FROM collections")} == {1}
