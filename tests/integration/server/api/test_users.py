"""Profiles, search, following, blocking and muting over the API."""

from __future__ import annotations

import pytest

from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines


async def relation(viewer: ApiUser, other: ApiUser) -> set[str]:
    """Return the names of the relations that exist between a viewer and a profile."""
    profile = (await viewer.call("GET", f"/users/{other.id}")).expect(200)
    return {name for name, holds in profile["relation"].items() if holds}


async def test_a_profile_is_found_by_name_and_id(api: Api) -> None:
    """Both lead to the same profile, which does not contain the e-mail address."""
    ann = await api.user("ann")
    by_name = (await api.visitor.call("GET", "/users/ANN")).expect(200)
    by_id = (await api.visitor.call("GET", f"/users/{ann.id}")).expect(200)
    assert by_name == by_id
    assert "email" not in by_name
    assert by_name["relation"] is None


async def test_a_follow_shows_on_both_sides(api: Api) -> None:
    """Counters and lists agree after a follow and an unfollow."""
    ann, bob = await api.user("ann"), await api.user("bob")
    await bob.follow(ann)
    await bob.follow(ann)
    assert await relation(bob, ann) == {"following"}
    assert await relation(ann, bob) == {"followed_by"}
    assert (await api.visitor.call("GET", "/users/ann")).expect(200)["followers"] == 1
    followers = (await api.visitor.call("GET", f"/users/{ann.id}/followers")).expect(200)["items"]
    assert [account["username"] for account in followers] == ["bob"]
    following = (await api.visitor.call("GET", f"/users/{bob.id}/following")).expect(200)["items"]
    assert [account["username"] for account in following] == ["ann"]
    (await bob.call("DELETE", f"/users/{ann.id}/follow")).expect(204)
    assert (await api.visitor.call("GET", "/users/ann")).expect(200)["followers"] == 0


async def test_a_follow_shows_in_the_feed_at_once_and_an_unfollow_too(api: Api) -> None:
    """The next page of the feed agrees with the follow, without waiting for a worker."""
    ann, bob = await api.user(), await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    assert await bob.feed() == []
    await bob.follow(ann)
    assert [item["id"] for item in await bob.feed()] == [photo["id"]]
    (await bob.call("DELETE", f"/users/{ann.id}/follow")).expect(204)
    assert await bob.feed() == []


async def test_following_or_blocking_oneself_is_a_conflict(api: Api) -> None:
    """Each action on oneself is a 409 with a code of its own."""
    ann = await api.user()
    for what in ("follow", "block", "mute"):
        assert (await ann.call("PUT", f"/users/{ann.id}/{what}")).expect(409)["code"] == f"cannot_{what}_yourself"


async def test_a_private_account_gets_a_request(api: Api) -> None:
    """A follow of a private account becomes a request, which its owner accepts or declines."""
    ann, bob, cay = await api.user("ann"), await api.user("bob"), await api.user("cay")
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    await bob.follow(ann)
    await cay.follow(ann)
    assert await relation(bob, ann) == {"requested"}
    asked = (await ann.call("GET", "/users/me/follow-requests")).expect(200)["items"]
    assert {account["username"] for account in asked} == {"bob", "cay"}
    (await ann.call("PUT", f"/users/me/follow-requests/{bob.id}")).expect(204)
    (await ann.call("DELETE", f"/users/me/follow-requests/{cay.id}")).expect(204)
    assert await relation(bob, ann) == {"following"}
    assert await relation(cay, ann) == set()
    (await ann.call("PUT", f"/users/me/follow-requests/{cay.id}")).expect(404)
    (await cay.call("GET", f"/users/{ann.id}/followers")).expect(404)
    (await bob.call("GET", f"/users/{ann.id}/followers")).expect(200)


async def test_a_block_hides_each_from_the_other(api: Api) -> None:
    """Neither user sees the profile and photos of the other, and the follows between them are removed."""
    ann, bob = await api.user("ann"), await api.user("bob")
    await bob.follow(ann)
    photo = await ann.upload(photograph())
    await api.finish(photo)
    assert len(await bob.feed()) == 1
    (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
    (await bob.call("GET", "/users/ann")).expect(404)
    (await bob.call("GET", f"/photos/{photo['id']}")).expect(404)
    (await bob.call("PUT", f"/users/{ann.id}/follow")).expect(404)
    assert (await bob.call("GET", "/users?query=ann")).expect(200)["items"] == []
    assert await relation(ann, bob) == {"blocking"}
    (await ann.call("DELETE", f"/users/{bob.id}/block")).expect(204)
    assert await relation(bob, ann) == set()


async def test_the_lists_of_blocks_and_mutes(api: Api) -> None:
    """Each has the accounts that exist, the newest first, also those that block the user; only the user reads it."""
    ann, bob, cal, dan = [await api.user() for _ in range(4)]
    for what in ("mute", "block"):
        for other in (bob, cal, dan):
            (await ann.call("PUT", f"/users/{other.id}/{what}")).expect(204)
    (await cal.call("PUT", f"/users/{ann.id}/block")).expect(204)
    (await dan.call("DELETE", "/users/me")).expect(202)
    for path in ("/users/me/blocks", "/users/me/mutes"):
        first = (await ann.call("GET", f"{path}?limit=1")).expect(200)
        rest = (await ann.call("GET", f"{path}?cursor={first['next']}")).expect(200)
        assert [item["username"] for item in first["items"] + rest["items"]] == [cal.name, bob.name]
        assert (await bob.call("GET", path)).expect(200)["items"] == []
        assert (await api.visitor.call("GET", path)).status == 401
    (await ann.call("DELETE", f"/users/{bob.id}/block")).expect(204)
    assert [item["id"] for item in (await ann.call("GET", "/users/me/blocks")).expect(200)["items"]] == [cal.id]


async def test_a_muted_user_notices_nothing(api: Api) -> None:
    """The photos of a muted user leave the feed, and that user sees no difference."""
    ann, bob = await api.user(), await api.user()
    await bob.follow(ann)
    photo = await ann.upload(photograph())
    await api.finish(photo)
    assert len(await bob.feed()) == 1
    (await bob.call("PUT", f"/users/{ann.id}/mute")).expect(204)
    assert await bob.feed() == []
    assert await relation(bob, ann) == {"following", "muting"}
    assert await relation(ann, bob) == {"followed_by"}
    (await bob.call("DELETE", f"/users/{ann.id}/mute")).expect(204)
    assert len(await bob.feed()) == 1


async def test_search_goes_by_prefix_in_any_case(api: Api) -> None:
    """A search lists the usernames with the prefix, in alphabetical order, page by page."""
    for name in ("anna", "Annette", "annika", "bea"):
        await api.user(name)
    first = (await api.visitor.call("GET", "/users?query=ANN&limit=2")).expect(200)
    assert [account["username"] for account in first["items"]] == ["anna", "Annette"]
    rest = (
        await api.visitor.call("GET", "/users", params={"query": "ANN", "limit": "2", "cursor": first["next"]})
    ).expect(200)
    assert [account["username"] for account in rest["items"]] == ["annika"]
    assert rest["next"] is None
    (await api.visitor.call("GET", "/users")).expect(400)


async def test_username(api: Api) -> None:
    """A former username redirects to the profile, a taken or reserved one is refused at its field."""
    ann, ben = await api.user("ann"), await api.user("ben")
    assert (await ann.call("PATCH", "/users/me", json={"username": "Anna"})).expect(200)["username"] == "Anna"
    moved = await api.visitor.call("GET", "/users/ANN", allow_redirects=False)
    assert (moved.status, moved.headers["Location"]) == (308, "/api/v1/users/Anna")
    for name in ("ann", "anna", ann.id, ann.id.lower()):
        assert (await api.visitor.call("GET", f"/users/{name}")).expect(200)["username"] == "Anna"
    for name in ("anna", ann.id, ann.id.lower()):
        (await api.visitor.call("GET", f"/users/{name}", allow_redirects=False)).expect(200)
    taken = (await ben.call("PATCH", "/users/me", json={"username": "ann"})).expect(409)
    assert (taken["code"], taken["errors"][0]["field"]) == ("username_taken", "username")
    for name in ("me", "a b", ""):
        refused = (await ben.call("PATCH", "/users/me", json={"username": name})).expect(422)
        assert [error["field"] for error in refused["errors"]] == ["username"]


async def test_an_account_is_updated_field_by_field(api: Api) -> None:
    """Fields that are left out of an update stay unchanged."""
    ann = await api.user("ann")
    change = {"display_name": "Ann  B.", "bio": "line one\nline two", "settings": {"theme": "dark"}}
    changed = (await ann.call("PATCH", "/users/me", json=change)).expect(200)
    assert changed["display_name"] == "Ann B."
    assert changed["bio"] == "line one\nline two"
    again = (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    assert (again["bio"], again["private"], again["settings"]) == ("line one\nline two", True, {"theme": "dark"})
