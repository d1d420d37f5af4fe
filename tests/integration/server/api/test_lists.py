"""Lists of accounts over the API, and the feeds of their photos."""

from __future__ import annotations

from typing import Any

import pytest

from storage import ids
from storage.models import PhotoAudience, User
from storage.stores.accounts import users
from storage.stores.social import list_members, lists
from tests.support.api import Api, InspectableServices, running_api, with_limits
from tests.support.api_user import ApiUser
from tests.support.community import new_users, ready_photo

pytestmark = pytest.mark.engines


async def _create(owner: ApiUser, title: str = "Friends", *members: ApiUser) -> str:
    """Create a list of these accounts and return its id."""
    list_id: str = (await owner.call("POST", "/lists", json={"title": title})).expect(201)["id"]
    for member in members:
        (await owner.call("PUT", f"/lists/{list_id}/accounts/{member.id}")).expect(204)
    return list_id


async def _feed(owner: ApiUser, list_id: str, **query: Any) -> dict[str, Any]:
    response = await owner.call("GET", "/feed", params={"source": f"list:{list_id}", **query})
    page: dict[str, Any] = response.expect(200)
    return page


async def _accounts(owner: ApiUser, list_id: str) -> list[str]:
    page = (await owner.call("GET", f"/lists/{list_id}/accounts")).expect(200)
    return [item["id"] for item in page["items"]]


async def _shown(owner: ApiUser, list_id: str) -> list[str]:
    return [photo["id"] for photo in (await _feed(owner, list_id, limit=100))["items"]]


async def _account(api: Api, user: ApiUser) -> User:
    return await users.get(api.services.db, ids.decode(user.id))


async def _photo(api: Api, author: ApiUser, **fields: Any) -> str:
    return ids.encode((await ready_photo(api.services.db, await _account(api, author), **fields)).id)


async def test_lists(api: Api) -> None:
    """A list has a title and accounts, and only its owner finds it."""
    ann, bob, cal = [await api.user() for _ in range(3)]
    created = (await ann.call("POST", "/lists", json={"title": "  My   family "})).expect(201)
    assert created == {
        "id": created["id"],
        "title": "My family",
        "accounts": 0,
        "created_at": created["created_at"],
    }
    path = f"/lists/{created['id']}"
    for user in (bob, cal, bob):
        (await ann.call("PUT", f"{path}/accounts/{user.id}")).expect(204)
    assert (await ann.call("GET", path)).expect(200) == {**created, "accounts": 2}
    renamed = (await ann.call("PATCH", path, json={"title": "Kin"})).expect(200)
    assert renamed == {**created, "accounts": 2, "title": "Kin"}
    other = await _create(ann, "Work", bob)
    page = (await ann.call("GET", "/lists?limit=1")).expect(200)
    assert [item["id"] for item in page["items"]] == [other]
    last = (await ann.call("GET", f"/lists?cursor={page['next']}")).expect(200)
    assert last == {"items": [renamed], "next": None}
    page = (await ann.call("GET", f"{path}/accounts?limit=1")).expect(200)
    last = (await ann.call("GET", f"{path}/accounts?cursor={page['next']}")).expect(200)
    assert [item["id"] for item in page["items"] + last["items"]] == sorted((bob.id, cal.id), reverse=True)
    assert last["items"][0]["username"] in {bob.name, cal.name}
    for user, expected in ((bob, [other, created["id"]]), (cal, [created["id"]]), (ann, [])):
        found = (await ann.call("GET", f"/users/{user.id}/lists")).expect(200)
        assert ([item["id"] for item in found["items"]], found["next"]) == (expected, None)
    for _ in range(2):
        (await ann.call("DELETE", f"{path}/accounts/{cal.id}")).expect(204)
    assert (await ann.call("GET", f"/users/{cal.id}/lists")).expect(200)["items"] == []
    (await ann.call("DELETE", path)).expect(204)
    assert (await ann.call("GET", path)).expect(404)["code"] == "list_not_found"
    assert [item["id"] for item in (await ann.call("GET", "/lists")).expect(200)["items"]] == [other]


async def test_a_list_of_another_user(api: Api) -> None:
    """Only the owner sees or changes a list, or sees in which lists an account is; no notification is sent."""
    ann, bob = await api.user(), await api.user()
    list_id = await _create(ann, "Friends", bob)
    requests: list[tuple[str, str, Any]] = [
        ("GET", f"/lists/{list_id}", None),
        ("PATCH", f"/lists/{list_id}", {"title": "x"}),
        ("DELETE", f"/lists/{list_id}", None),
        ("GET", f"/lists/{list_id}/accounts", None),
        ("PUT", f"/lists/{list_id}/accounts/{ann.id}", None),
        ("DELETE", f"/lists/{list_id}/accounts/{bob.id}", None),
        ("GET", f"/feed?source=list:{list_id}", None),
    ]
    for method, path, body in requests:
        refused = (await bob.call(method, path, json=body)).expect(404)
        assert refused["code"] == "list_not_found", path
        assert (await api.visitor.call(method, path, json=body)).status == 401
    assert (await bob.call("GET", "/lists")).expect(200)["items"] == []
    assert (await bob.call("GET", f"/users/{bob.id}/lists")).expect(200)["items"] == []
    assert (await bob.call("GET", "/notifications")).expect(200)["items"] == []
    for path in ("/lists", f"/users/{bob.id}/lists"):
        assert (await api.visitor.call("GET", path)).status == 401
    assert (await ann.call("GET", f"/lists/{list_id}")).expect(200)["accounts"] == 1


async def test_a_list_is_created_once_for_each_key(api: Api) -> None:
    """A repetition with the same idempotency key gets the first response; another title with it is refused."""
    ann = await api.user()
    headers = {"Idempotency-Key": "k"}
    first, again = [await ann.call("POST", "/lists", json={"title": "Friends"}, headers=headers) for _ in range(2)]
    assert first.expect(201) == again.expect(201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await ann.call("POST", "/lists", json={"title": "Kin"}, headers=headers)).status == 422
    assert len((await ann.call("GET", "/lists")).expect(200)["items"]) == 1


async def test_titles(api: Api) -> None:
    """A title is one line of 1 to 80 letters in normal form, in any script; what is none is refused with the reason."""
    ann = await api.user()
    path = f"/lists/{await _create(ann)}"
    for title, stored in (
        ("x" * 80, "x" * 80),
        ("cafe\u0301 " * 16, ("caf\u00e9 " * 16).strip()),
        ("e\u0301" * 80, "\u00e9" * 80),
        ("משפחה וחברים", "משפחה וחברים"),
        ("أصدقاء", "أصدقاء"),
        ("'; DROP TABLE lists; --", "'; DROP TABLE lists; --"),
    ):
        assert (await ann.call("PATCH", path, json={"title": title})).expect(200)["title"] == stored
        assert (await ann.call("POST", "/lists", json={"title": title})).expect(201)["title"] == stored
    wrong = ("", " \u200b ", "x" * 81, "x" * 10_000, "a\0", "a\nb", "\u202eevil", "e" + "\u0301" * 30)
    for given in (*wrong, None, 5):
        for method, address in (("PATCH", path), ("POST", "/lists")):
            body: dict[str, Any] = {"title": given}
            refused = (await ann.call(method, address, json=body)).expect(422)
            assert refused["errors"][0]["field"] == "title", given
    too_long = (await ann.call("POST", "/lists", json={"title": "x" * 10_000})).expect(422)
    assert too_long["errors"][0]["message"] == "A title has 1 to 80 letters; this has 10000."
    assert (await ann.call("POST", "/lists", json={})).status == 422
    assert (await ann.call("POST", "/lists", json={"title": "x", "public": True})).status == 422


async def test_full_lists(api: Api) -> None:
    """The 501st account is refused, as is the 51st list; adding an account that is in a full list changes nothing."""
    db, ann = api.services.db, await api.user()
    bob, cal = await api.user(), await api.user()
    list_id = await _create(ann, "Friends", bob)
    await db.fetch(
        "INSERT INTO list_members (shard, list_id, account_id, owner_id) "
        "SELECT $1::bigint & 1023, $1, i, $2 FROM generate_series(1, $3::integer - 1) AS i",
        ids.decode(list_id),
        ids.decode(ann.id),
        list_members.MAX,
    )
    refused = (await ann.call("PUT", f"/lists/{list_id}/accounts/{cal.id}")).expect(409)
    assert refused["code"] == "list_full"
    assert refused["detail"] == "A list can have up to 500 accounts. Remove one of them first."
    (await ann.call("PUT", f"/lists/{list_id}/accounts/{bob.id}")).expect(204)
    assert (await ann.call("GET", f"/lists/{list_id}")).expect(200)["accounts"] == 500
    (await ann.call("DELETE", f"/lists/{list_id}/accounts/{bob.id}")).expect(204)
    (await ann.call("PUT", f"/lists/{list_id}/accounts/{cal.id}")).expect(204)
    for _ in range(lists.MAX - 1):
        await _create(ann)
    refused = (await ann.call("POST", "/lists", json={"title": "One more"})).expect(409)
    assert refused["code"] == "too_many_lists"
    assert len((await ann.call("GET", "/lists?limit=100")).expect(200)["items"]) == 50


async def test_accounts_that_cannot_be_added(api: Api) -> None:
    """One's own is a conflict; unknown, deleted and blocked ones are not found, and malformed ids are named."""
    ann, bob, cal, dan = [await api.user() for _ in range(4)]
    list_id = await _create(ann, "Friends", bob, dan)
    path = f"/lists/{list_id}/accounts"
    assert (await ann.call("PUT", f"{path}/{ann.id}")).expect(409)["code"] == "not_in_your_own_list"
    (await cal.call("PUT", f"/users/{ann.id}/block")).expect(204)
    (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
    (await dan.call("DELETE", "/users/me")).expect(202)
    for user_id in (bob.id, cal.id, dan.id, ids.encode(5)):
        assert (await ann.call("PUT", f"{path}/{user_id}")).expect(404)["code"] == "user_not_found"
        assert (await ann.call("GET", f"/users/{user_id}/lists")).expect(404)["code"] == "user_not_found"
    assert (await ann.call("GET", path)).expect(200)["items"] == []
    for text in ("1", "ILOU000000000", "%00", "🙂"):
        for method in ("PUT", "DELETE"):
            assert (await ann.call(method, f"{path}/{text}")).expect(400)["errors"][0]["field"] == "user"
            problem = (await ann.call(method, f"/lists/{text}/accounts/{bob.id}")).expect(400)
            assert problem["errors"][0]["field"] == "id"


async def test_lists_of_others_stay_as_they_are(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal and a block concern the owner's own lists, also where another owner is in the same shard."""
    monkeypatch.setattr(ids, "draw_shard", lambda: 7)
    ann, eve, bob = [await api.user() for _ in range(3)]
    own, other = await _create(ann, "Own", bob), await _create(eve, "Other", bob)
    (await ann.call("DELETE", f"/lists/{own}/accounts/{bob.id}")).expect(204)
    assert await _accounts(eve, other) == [bob.id]
    (await ann.call("PUT", f"/lists/{own}/accounts/{bob.id}")).expect(204)
    (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
    assert (await _accounts(ann, own), await _accounts(eve, other)) == ([], [bob.id])
    assert await _accounts(eve, await _create(eve, "Another", bob)) == [bob.id]


async def test_pages_of_accounts_skip_deleted_ones(api: Api) -> None:
    """A page is filled from below a deleted account, and no account is on two pages or none."""
    ann, *members = [await api.user() for _ in range(7)]
    list_id = await _create(ann, "Friends", *members)
    for member in (members[0], members[2], members[5]):
        (await member.call("DELETE", "/users/me")).expect(202)
    shown = sorted((members[number].id for number in (1, 3, 4)), reverse=True)
    first = (await ann.call("GET", f"/lists/{list_id}/accounts?limit=2")).expect(200)
    assert [item["id"] for item in first["items"]] == shown[:2]
    last = (await ann.call("GET", f"/lists/{list_id}/accounts?limit=2&cursor={first['next']}")).expect(200)
    assert ([item["id"] for item in last["items"]], last["next"]) == (shown[2:], None)


async def test_the_feed_of_a_list(api: Api) -> None:
    """Each photo of the accounts once, newest first, page by page; a photo that is liked says so."""
    ann, bob, cal = [await api.user() for _ in range(3)]
    list_id = await _create(ann, "Friends", bob, cal)
    assert await _feed(ann, list_id) == {"items": [], "next": None, "stream": None}
    made = [await _photo(api, author) for author in (bob, ann, cal, cal, bob, bob)]
    expected = [photo for place, photo in reversed(list(enumerate(made))) if place != 1]
    (await ann.call("PUT", f"/photos/{made[0]}/like")).expect(200)
    seen: list[dict[str, Any]] = []
    page = await _feed(ann, list_id, limit=2)
    while page["next"] is not None:
        seen += page["items"]
        page = await _feed(ann, list_id.lower(), limit=2, cursor=page["next"])
        assert page["stream"] is None
    seen += page["items"]
    assert [photo["id"] for photo in seen] == expected
    assert [photo["liked"] for photo in seen] == [False] * 4 + [True]
    # The home feed has photos of followed accounts alone.
    assert [photo["id"] for photo in await ann.feed()] == [made[1]]


async def test_a_cursor_belongs_to_its_list(api: Api) -> None:
    """A cursor of another list, source or kind of page is refused, as is a source that there is not."""
    ann, bob = await api.user(), await api.user()
    await ann.follow(bob)
    (await ann.call("PUT", "/tags/sea/follow")).expect(204)
    one, two = await _create(ann, "One", bob), await _create(ann, "Two", bob)
    for _ in range(2):
        await _photo(api, bob, tags=["sea"])
    sources = [f"list:{one}", f"list:{two}", "tags", "home"]
    cursors = {}
    for source in sources:
        page = await ann.call("GET", "/feed", params={"source": source, "limit": 1})
        cursors[source] = page.expect(200)["next"]
    assert None not in cursors.values()
    for source in sources:
        for other, cursor in cursors.items():
            page = await ann.call("GET", "/feed", params={"source": source, "cursor": cursor})
            if source == other:
                assert len(page.expect(200)["items"]) == 1
            else:
                assert page.expect(400)["errors"][0]["field"] == "cursor", (source, other)
    photos = (await ann.call("GET", "/photos?limit=1")).expect(200)["next"]
    for path in (f"/feed?source=list:{one}", f"/lists/{one}/accounts?", "/lists?"):
        assert (await ann.call("GET", f"{path}&cursor={photos}")).expect(400)["errors"][0]["field"] == "cursor"
    for source in ("list", "list:", "list:x", f"list:{one}0", f"LIST:{one}", one, "lists", "list:%00", f"list: {one}"):
        problem = (await ann.call("GET", "/feed", params={"source": source})).expect(400)
        assert problem["errors"][0]["field"] == "source", source
    assert (await ann.call("GET", f"/feed?source=list:{ids.encode(5)}")).expect(404)["code"] == "list_not_found"


async def test_the_feed_of_a_list_is_charged_and_ends_with_the_session(services: InspectableServices) -> None:
    """As every read: it counts for the limit of reads, and the token of a session that was signed out is refused."""
    async with running_api(with_limits(services, reads="2/h")) as api:
        ann, bob = await api.user(), await api.user()
        path = f"/feed?source=list:{await _create(ann)}"
        for left, status in ((1, 200), (0, 200), (0, 429)):
            response = await ann.call("GET", path)
            assert response.status == status
            assert response.headers["RateLimit"].startswith(f'"reads";r={left};')
        path = f"/feed?source=list:{await _create(bob)}"
        (await bob.call("DELETE", "/tokens/current")).expect(204)
        assert (await bob.call("GET", path)).expect(401)["code"] == "session_revoked"


async def test_a_list_that_is_deleted_while_it_is_read(api: Api) -> None:
    """The next page is a 404, as for a list that never was; an account that was removed is in no later page."""
    ann, bob, cal = [await api.user() for _ in range(3)]
    list_id = await _create(ann, "Friends", bob, cal)
    for author in (cal, bob, cal, bob):
        await _photo(api, author)
    page = await _feed(ann, list_id, limit=1)
    (await ann.call("DELETE", f"/lists/{list_id}/accounts/{cal.id}")).expect(204)
    rest = await _feed(ann, list_id, cursor=page["next"])
    assert {photo["author"]["id"] for photo in page["items"] + rest["items"]} == {bob.id}
    (await ann.call("DELETE", f"/lists/{list_id}")).expect(204)
    gone = await ann.call("GET", "/feed", params={"source": f"list:{list_id}", "cursor": page["next"]})
    assert gone.expect(404)["code"] == "list_not_found"


async def test_what_the_viewer_may_not_see_is_not_in_the_feed_of_a_list(api: Api) -> None:
    """Mutes, blocks, follows, audiences and private accounts count from the response to the change on."""
    ann, bob = await api.user(), await api.user()
    list_id = await _create(ann, "Friends", bob)
    everyone, followers = await _photo(api, bob), await _photo(api, bob, audience=PhotoAudience.FOLLOWERS)
    assert await _shown(ann, list_id) == [everyone]
    for method, path, shown in (
        ("PUT", f"/users/{bob.id}/follow", [followers, everyone]),
        ("PUT", f"/users/{bob.id}/mute", []),
        ("DELETE", f"/users/{bob.id}/mute", [followers, everyone]),
        ("DELETE", f"/users/{bob.id}/follow", [everyone]),
    ):
        (await ann.call(method, path)).expect(204)
        assert await _shown(ann, list_id) == shown, (method, path)
    (await bob.call("PATCH", "/users/me", json={"private": True})).expect(200)
    assert await _shown(ann, list_id) == []
    (await bob.call("PATCH", "/users/me", json={"private": False})).expect(200)
    (await bob.call("PUT", f"/users/{ann.id}/block")).expect(204)
    assert await _shown(ann, list_id) == []
    (await bob.call("DELETE", f"/users/{ann.id}/block")).expect(204)
    assert await _shown(ann, list_id) == []
    assert (await ann.call("GET", f"/lists/{list_id}")).expect(200)["accounts"] == 0


async def test_lists_of_many_accounts(api: Api) -> None:
    """A page takes the newest photos of all accounts."""
    db, ann = api.services.db, await api.user()
    list_id = await _create(ann)
    members = await new_users(db, *(f"member{number}" for number in range(30)))
    made = []
    for member in members:
        (await ann.call("PUT", f"/lists/{list_id}/accounts/{ids.encode(member.id)}")).expect(204)
        made.append(ids.encode((await ready_photo(db, member)).id))
    assert [photo["id"] for photo in (await _feed(ann, list_id, limit=25))["items"]] == made[:4:-1]
