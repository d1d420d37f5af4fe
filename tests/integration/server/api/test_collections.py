"""Saved photos and collections."""

from __future__ import annotations

from typing import Any

import pytest

from storage import ids
from storage.stores.accounts import users
from storage.stores.saved import collection_items, collection_order, photo_collections
from storage.stores.saved.collection_order import GAP
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


async def test_the_state_of_photos(api: Api) -> None:
    """A photo says whether its viewer has saved it, and one request says it of the photos of a page."""
    ann, bob, cal = await api.user(), await api.user(), await api.user()
    one, two, three = await _photos(api, ann, 3)
    album = (await bob.call("POST", "/collections", json={"title": "Sea"})).expect(201)["id"]
    (await bob.call("POST", f"/collections/{album}/items", json={"photo_id": three})).expect(204)
    state = f"/photos/saved-state?ids={three},{one},{two},{ids.encode(5)},{one}"
    assert (await bob.call("GET", state)).expect(200) == {"saved": []}
    for photo_id in (one, two):
        (await bob.call("PUT", f"/photos/{photo_id}/save")).expect(204)
    assert (await bob.call("GET", state)).expect(200) == {"saved": [one, two]}
    for photo_id, saved in ((one, True), (three, False)):
        assert (await bob.call("GET", f"/photos/{photo_id}")).expect(200)["saved"] is saved
        assert (await cal.call("GET", f"/photos/{photo_id}")).expect(200)["saved"] is False
        assert "saved" not in (await api.visitor.call("GET", f"/photos/{photo_id}")).expect(200)
    assert (await cal.call("GET", state)).expect(200) == {"saved": []}
    assert (await api.visitor.call("GET", state)).status == 401
    (await ann.call("PATCH", f"/photos/{one}", json={"audience": "only_me"})).expect(200)
    assert (await bob.call("GET", state)).expect(200) == {"saved": [two]}
    (await bob.call("DELETE", f"/photos/{two}/save")).expect(204)
    assert (await bob.call("GET", state)).expect(200) == {"saved": []}
    assert (await bob.call("GET", f"/photos/{two}")).expect(200)["saved"] is False


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "13 characters"),
        ("01K3S9C0XG4Q7,", "13 characters"),
        ("nonsense", "13 characters"),
        (",".join(["01K3S9C0XG4Q7"] * 101), "at most 100"),
    ],
)
async def test_ids_that_are_none(api: Api, value: str, message: str) -> None:
    """The error says which photos can be named."""
    refused = (await (await api.user()).call("GET", f"/photos/saved-state?ids={value}")).expect(400)
    assert (refused["code"], refused["errors"][0]["field"]) == ("invalid_parameter", "ids")
    assert message in refused["detail"]


async def test_a_hundred_photos_at_once(api: Api) -> None:
    """As many as a page can have; without the parameter there is an error that names it."""
    ann = await api.user()
    many = ",".join(ids.encode(number) for number in range(100))
    assert (await ann.call("GET", f"/photos/saved-state?ids={many}")).expect(200) == {"saved": []}
    assert (await ann.call("GET", "/photos/saved-state")).expect(400)["errors"][0]["field"] == "ids"


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


async def test_moving_a_photo(api: Api) -> None:
    """A photo is moved behind another one or in front, which changes no other position; a repeat changes nothing."""
    ann, bob = await api.user(), await api.user()
    *_, first, second, third = photo_ids = await _photos(api, ann, 6)
    path = await _filled(bob, photo_ids)
    shown = photo_ids[::-1]
    for photo_id, after in (
        (third, None),  # where it is
        (first, None),
        (third, shown[-1]),
        (second, third),
        (second, first),
        (photo_ids[0], first),
        (first, shown[-2]),
    ):
        expected = [each for each in shown if each != photo_id]
        expected.insert(0 if after is None else expected.index(after) + 1, photo_id)
        before = await _positions(api)
        for _ in range(2):
            (await bob.call("PATCH", f"{path}/{photo_id}", json={"after": after})).expect(204)
        assert await _listed(bob, path) == expected
        now = await _positions(api)
        assert {each for each, position in now.items() if before[each] != position} <= {photo_id}
        if after is None and expected == shown:
            assert now == before
        shown = expected
    (await bob.call("POST", path, json={"photo_id": (await _photos(api, ann, 1))[0]})).expect(204)
    assert (await _listed(bob, path))[1:] == shown


async def test_what_cannot_be_moved(api: Api) -> None:
    """Only photos that the owner sees in the collection can be moved, behind another one that is in there."""
    ann, bob = await api.user(), await api.user()
    one, two, hidden, other = await _photos(api, ann, 4)
    path = await _filled(bob, [one, two, hidden])
    (await ann.call("PATCH", f"/photos/{hidden}", json={"audience": "only_me"})).expect(200)
    for photo_id, after, status, code in (
        (other, None, 404, "photo_not_found"),
        (hidden, None, 404, "photo_not_found"),
        (one, other, 409, "photo_not_in_collection"),
        (one, hidden, 409, "photo_not_in_collection"),
        (one, one, 422, "invalid_input"),
        (one, "x", 422, "invalid_input"),
    ):
        refused = (await bob.call("PATCH", f"{path}/{photo_id}", json={"after": after})).expect(status)
        assert refused["code"] == code
    assert (await bob.call("PATCH", f"{path}/{one}", json={})).status == 422
    assert (await ann.call("PATCH", f"{path}/{one}", json={"after": None})).status == 404
    assert (await api.visitor.call("PATCH", f"{path}/{one}", json={"after": None})).status == 401
    async with api.services.db.transaction() as tx:
        saved_id = ids.encode(await photo_collections.saved_id(tx, ids.decode(bob.id)))
    (await bob.call("PUT", f"/photos/{one}/save")).expect(204)
    assert (await bob.call("PATCH", f"/collections/{saved_id}/items/{one}", json={"after": None})).status == 404
    assert await _listed(bob, path) == [two, one]


@pytest.mark.parametrize("spacing", [1, 3 * GAP])
async def test_gaps_that_are_used_up(api: Api, monkeypatch: pytest.MonkeyPatch, spacing: int) -> None:
    """After many moves to one place the photos around it are spread, all of them if they were close together."""
    monkeypatch.setattr(collection_order, "AROUND", 2)
    ann, bob = await api.user(), await api.user()
    shown = await _photos(api, ann, 12)
    path = await _filled(bob, shown[::-1])
    await api.services.db.fetch("UPDATE collection_items SET position = position / $1 * $2", GAP, spacing)
    await api.services.db.fetch("UPDATE collections SET last_position = last_position / $1 * $2", GAP, spacing)
    untouched = {shown[place]: (await _positions(api))[shown[place]] for place in (0, -1)}
    for step in range(60):
        anchor, moved = shown[5], shown[7 - step % 2]
        shown.remove(moved)
        shown.insert(shown.index(anchor) + 1, moved)
        (await bob.call("PATCH", f"{path}/{moved}", json={"after": anchor})).expect(204)
        positions = await _positions(api)
        assert sorted(positions, key=lambda photo_id: -positions[photo_id]) == shown
    if spacing > 1:
        assert untouched.items() <= positions.items()
    (await bob.call("PATCH", f"{path}/{shown[-1]}", json={"after": None})).expect(204)
    assert await _listed(bob, path) == [shown[-1], *shown[:-1]]


async def test_a_photo_beside_the_first_ones(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first photos are spread, the next one that is added comes before them."""
    monkeypatch.setattr(collection_order, "AROUND", 2)
    ann, bob = await api.user(), await api.user()
    *photo_ids, newest = await _photos(api, ann, 6)
    path = await _filled(bob, photo_ids)
    shown = photo_ids[::-1]
    for step in range(40):
        moved = shown[2 - step % 2]
        shown.remove(moved)
        shown.insert(1, moved)
        (await bob.call("PATCH", f"{path}/{moved}", json={"after": shown[0]})).expect(204)
    (await bob.call("POST", path, json={"photo_id": newest})).expect(204)
    assert await _listed(bob, path) == [newest, *shown]


async def _filled(owner: ApiUser, photo_ids: list[str]) -> str:
    """Create a collection of photos, the last one first, and return the path of its items."""
    path = f"/collections/{(await owner.call('POST', '/collections', json={'title': 'Sea'})).expect(201)['id']}/items"
    for photo_id in photo_ids:
        (await owner.call("POST", path, json={"photo_id": photo_id})).expect(204)
    return path


async def _positions(api: Api) -> dict[str, int]:
    rows = await api.services.db.fetch("SELECT photo_id, position FROM collection_items")
    return {ids.encode(row["photo_id"]): row["position"] for row in rows}


async def test_collections_of_a_user(api: Api) -> None:
    """Others see the public ones, each with a cover that they may see, and the owner sees all; a block hides them."""
    ann, bob, cal = await api.user(), await api.user(), await api.user()
    one, two = await _photos(api, ann, 2)
    made = []
    for title, public in (("Sea", True), ("Secret", False), ("Lakes", True), ("Empty", True)):
        created = (await bob.call("POST", "/collections", json={"title": title, "public": public})).expect(201)
        made.append(created["id"])
    sea, _, lakes, _ = made
    for collection_id, photo_id in ((sea, one), (sea, two), (lakes, two)):
        (await bob.call("POST", f"/collections/{collection_id}/items", json={"photo_id": photo_id})).expect(204)
    (await bob.call("PUT", f"/photos/{one}/save")).expect(204)
    path = f"/users/{bob.id}/collections"
    assert await _listed(bob, path) == made[::-1]
    assert await _listed(bob, "/users/me/collections") == made[::-1]
    for user in (ann, cal, api.visitor):
        assert await _listed(user, path) == [made[3], made[2], made[0]]
        assert await _listed(user, f"/users/{bob.name}/collections") == [made[3], made[2], made[0]]
    (await ann.call("PATCH", f"/photos/{two}", json={"audience": "only_me"})).expect(200)
    for user, covers in ((cal, [None, None, one]), (ann, [None, two, two])):
        items = (await user.call("GET", path)).expect(200)["items"]
        assert [item["cover"] and item["cover"]["id"] for item in items] == covers
        assert {item["owner"]["id"] for item in items} == {bob.id}
        assert {item["contains"] for item in items} == {None}
    (await bob.call("PUT", f"/users/{cal.id}/block")).expect(204)
    assert (await cal.call("GET", path)).status == 404
    assert (await cal.call("GET", "/users/nobody_at_all/collections")).status == 404
    await ann.follow(bob)
    (await bob.call("PATCH", "/users/me", json={"private": True})).expect(200)
    assert await _listed(ann, path) == [made[3], made[2], made[0]]
    for user in (api.visitor, await api.user()):
        assert (await user.call("GET", path)).expect(200) == {"items": [], "next": None}


async def test_a_cover_behind_hidden_photos(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection whose first photos are hidden shows none of that: the cover is the first one that is not."""
    monkeypatch.setattr(collection_items, "_COVER_DEPTHS", (2, 4))
    ann, bob = await api.user(), await api.user()
    *hidden, shown = await _photos(api, ann, 5)
    path = await _filled(bob, [shown, *hidden[:3]])
    other = await _filled(bob, [shown, *hidden])
    for photo_id in hidden:
        (await ann.call("PATCH", f"/photos/{photo_id}", json={"audience": "only_me"})).expect(200)
    covers = {item["id"]: item["cover"] for item in (await bob.call("GET", "/collections")).expect(200)["items"]}
    assert covers[path.split("/")[2]]["id"] == shown
    assert covers[other.split("/")[2]] is None  # only so many are looked at


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
