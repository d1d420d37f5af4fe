"""Who may do what: another user's app reaches nothing that its user may not see or change."""

from __future__ import annotations

from typing import Any

import pytest

from server.mastodon.endpoint import Route
from server.mastodon.table import routes
from storage import ids
from tests.support.api import Api
from tests.support.apps import AppUser, register_app

# What a request to each route with an id does, where that is the id of something of another user that the viewer may
# not see: the status, or with None that the response is about the viewer's own relation to an account that is known.
STATUS = "statuses/{id}"
HIDDEN_STATUS: dict[tuple[str, str], int] = {
    ("GET", f"/v1/{STATUS}"): 404,
    ("GET", f"/v1/{STATUS}/context"): 404,
    ("GET", f"/v1/{STATUS}/favourited_by"): 404,
    ("GET", f"/v1/{STATUS}/reblogged_by"): 404,
    ("GET", f"/v1/{STATUS}/history"): 404,
    ("GET", f"/v1/{STATUS}/source"): 404,
    ("GET", f"/v1/{STATUS}/card"): 404,
    ("POST", f"/v1/{STATUS}/favourite"): 404,
    ("POST", f"/v1/{STATUS}/unfavourite"): 404,
    ("POST", f"/v1/{STATUS}/bookmark"): 404,
    ("POST", f"/v1/{STATUS}/unbookmark"): 404,
    ("POST", f"/v1/{STATUS}/mute"): 404,
    ("POST", f"/v1/{STATUS}/unmute"): 404,
    ("POST", f"/v1/{STATUS}/reblog"): 422,
    ("POST", f"/v1/{STATUS}/unreblog"): 404,
    ("POST", f"/v1/{STATUS}/pin"): 422,
    ("POST", f"/v1/{STATUS}/unpin"): 404,
    ("PUT", f"/v1/{STATUS}"): 404,
    ("DELETE", f"/v1/{STATUS}"): 404,
}
OWN: dict[tuple[str, str], int] = {
    ("GET", "/v1/media/{id}"): 404,
    ("PUT", "/v1/media/{id}"): 404,
    ("DELETE", "/v1/media/{id}"): 404,
    ("GET", "/v1/media/{id}/file/{owner}"): 404,
    ("GET", "/v1/lists/{id}"): 404,
    ("PUT", "/v1/lists/{id}"): 404,
    ("DELETE", "/v1/lists/{id}"): 404,
    ("GET", "/v1/lists/{id}/accounts"): 404,
    ("POST", "/v1/lists/{id}/accounts"): 404,
    ("DELETE", "/v1/lists/{id}/accounts"): 404,
    ("GET", "/v1/timelines/list/{id}"): 404,
    ("GET", "/v1/notifications/{id}"): 404,
    ("POST", "/v1/notifications/{id}/dismiss"): 404,
    ("POST", "/v1/follow_requests/{id}/authorize"): 404,
    ("POST", "/v1/follow_requests/{id}/reject"): 404,
}
# Accounts of users who have blocked the viewer.
BLOCKING: dict[tuple[str, str], int] = {
    ("GET", "/v1/accounts/{id}"): 404,
    ("GET", "/v1/accounts/{id}/statuses"): 404,
    ("GET", "/v1/accounts/{id}/followers"): 404,
    ("GET", "/v1/accounts/{id}/following"): 404,
    ("POST", "/v1/accounts/{id}/follow"): 404,
    ("DELETE", "/v1/suggestions/{id}"): 404,
}
# Routes with an id that say nothing about another user, and change only the viewer's own relation.
HARMLESS = {
    ("GET", "/v1/accounts/{id}/featured_tags"): "always empty",
    ("GET", "/v1/accounts/{id}/identity_proofs"): "always empty",
    ("GET", "/v1/accounts/{id}/lists"): "the viewer's own lists",
    ("POST", "/v1/accounts/{id}/unfollow"): "the viewer's own relation",
    ("POST", "/v1/accounts/{id}/block"): "the viewer's own relation",
    ("POST", "/v1/accounts/{id}/unblock"): "the viewer's own relation",
    ("POST", "/v1/accounts/{id}/mute"): "the viewer's own relation",
    ("POST", "/v1/accounts/{id}/unmute"): "the viewer's own relation",
}
_BODIES: dict[tuple[str, str], Any] = {
    ("PUT", f"/v1/{STATUS}"): {"status": "mine"},
    ("PUT", "/v1/media/{id}"): {"description": "mine"},
    ("PUT", "/v1/lists/{id}"): {"title": "mine"},
}


async def _check(viewer: AppUser, table: dict[tuple[str, str], int], found_id: str, **more: Any) -> None:
    for (method, path), status in table.items():
        body = _BODIES.get((method, path), more)
        address = path.format(id=found_id, owner=viewer.id)
        response = await viewer.call(method, address, **({} if method == "GET" else {"json": body}))
        assert response.status == status, (method, path, response.status, response.body[:200])
        assert response.json.keys() == {"error"}


def _routes_with_ids(found: list[Route]) -> set[tuple[str, str]]:
    return {
        (each.method, each.path.removeprefix("/api")) for each in found if "{id}" in each.path and each.method != "HEAD"
    }


async def test_each_route_with_an_id_is_in_a_table(api: Api) -> None:
    """So a new route is added here, with what it answers to another user."""
    known = HIDDEN_STATUS.keys() | OWN.keys() | BLOCKING.keys() | HARMLESS.keys()
    assert _routes_with_ids(routes(api.services)) == known


@pytest.mark.parametrize("hidden", ["private", "close_friends", "only_me", "blocked", "held"])
async def test_hidden_photos_and_their_comments_are_not_there(
    api: Api, users: tuple[AppUser, AppUser], hidden: str
) -> None:
    """Whatever the reason, each route says the same of them as of an id that was never used."""
    ann, ben = users
    photo = await ben.post("secret")
    comment = await ben.comment(photo["id"], "secret too")
    photo_id = ids.decode(ids.encode(int(photo["id"])))
    if hidden == "private":
        await ben.call("PATCH", "/v1/accounts/update_credentials", json={"locked": True})
    elif hidden == "blocked":
        (await ben.call("POST", f"/v1/accounts/{ann.id}/block")).expect(200)
        await _check(ann, BLOCKING, ben.id)
    elif hidden == "held":
        async with api.services.db.transaction() as tx:
            await tx.execute("UPDATE photos SET state = 'hidden' WHERE id = $1", photo_id)
    else:
        update = {"audience": hidden}
        (await ben.user.call("PATCH", f"/photos/{ids.encode(photo_id)}", json=update)).expect(200)
    for status_id in (photo["id"], comment["id"]):
        await _check(ann, HIDDEN_STATUS, status_id)
    reply = {"status": "x", "in_reply_to_id": photo["id"]}
    assert (await ann.call("POST", "/v1/statuses", json=reply)).status == 404
    reply = {"status": "x", "in_reply_to_id": comment["id"]}
    assert (await ann.call("POST", "/v1/statuses", json=reply)).status == 404
    assert await ann.get(f"/v1/statuses?id[]={photo['id']}") == []
    assert photo["id"] not in [each["id"] for each in await ann.get("/v1/timelines/public")]
    assert (await ben.get(f"/v1/statuses/{photo['id']}"))["id"] == photo["id"]


async def test_what_belongs_to_another_user_is_not_there(users: tuple[AppUser, AppUser]) -> None:
    """Media, lists, notifications and requests: with their ids nothing is read or changed."""
    ann, ben = users
    media = await ben.upload("the sea")
    created = (await ben.call("POST", "/v1/lists", json={"title": "friends"})).expect(200)
    for found_id in (media["id"], created["id"], ben.id, "1", "x"):
        await _check(ann, OWN, found_id, account_ids=[ann.id])
    stolen = {"status": "mine", "media_ids": [media["id"]]}
    assert (await ann.call("POST", "/v1/statuses", json=stolen)).status == 422
    assert (await ben.get(f"/v1/media/{media['id']}"))["description"] == "the sea"
    assert (await ben.get(f"/v1/lists/{created['id']}"))["title"] == "friends"


async def test_another_users_status_is_not_changed(users: tuple[AppUser, AppUser]) -> None:
    """Also where it is public: reading it is all that is permitted."""
    ann, ben = users
    photo = await ben.post("mine")
    comment = await ben.comment(photo["id"], "mine, too")
    for status in (photo, comment):
        path = f"/v1/statuses/{status['id']}"
        assert (await ann.call("PUT", path, json={"status": "yours"})).status == 404
        assert (await ann.call("DELETE", path)).status == 404
        assert (await ann.get(f"{path}/source"))["text"] in {"mine", "mine, too"}


async def test_a_token_does_what_its_scopes_permit(api: Api, users: tuple[AppUser, AppUser]) -> None:
    """A token to read writes nothing, and one for follows reads no notifications."""
    _, ben = users
    photo = await ben.post()
    app = await register_app(api)
    reader = await AppUser.authorized(api, await api.user(), app, ("read",))
    assert (await reader.get(f"/v1/statuses/{photo['id']}"))["id"] == photo["id"]
    assert (await reader.call("POST", f"/v1/statuses/{photo['id']}/favourite")).status == 403
    follower = await AppUser.authorized(api, await api.user(), app, ("follow",))
    assert (await follower.call("POST", f"/v1/accounts/{ben.id}/follow")).status == 200
    assert (await follower.call("GET", "/v1/notifications")).status == 403
    # What visitors may see needs no scope, but a token has to be valid.
    assert (await follower.call("GET", "/v1/instance")).status == 200
    follower.token = follower.token[:-1] + ("0" if follower.token[-1] != "0" else "1")
    assert (await follower.call("GET", "/v1/accounts/verify_credentials")).status == 401


async def test_statuses_need_the_scopes_of_photos_and_comments(api: Api, users: tuple[AppUser, AppUser]) -> None:
    """A token for photos alone neither reads nor writes comments; one for both does, whatever their names are."""
    photo = await users[1].post()
    app = await register_app(api)
    person = await api.user()
    form = {"status": "nice", "in_reply_to_id": photo["id"]}
    photos = await AppUser.authorized(api, person, app, ("read:photos", "write:photos"))
    assert (await photos.call("POST", "/v1/statuses", json=form)).status == 403
    assert (await photos.call("GET", f"/v1/statuses/{photo['id']}/context")).status == 403
    fine = ("read:photos", "read:comments", "write:photos", "write:comments")
    for scopes in (fine, ("read:statuses", "write:statuses")):
        both = await AppUser.authorized(api, person, app, scopes)
        assert (await both.call("POST", "/v1/statuses", json=form)).status == 200
        assert len((await both.get(f"/v1/statuses/{photo['id']}/context"))["descendants"]) >= 1


async def test_the_scope_profile_is_for_the_own_profile(api: Api) -> None:
    """An app that lets users sign in with it asks for no more."""
    app, person = await register_app(api, scopes="profile"), await api.user()
    viewer = await AppUser.authorized(api, person, app, ("profile",))
    assert (await viewer.get("/v1/accounts/verify_credentials"))["username"] == person.name
    for path in ("/v1/preferences", "/v1/timelines/home", f"/v1/accounts/{viewer.id}"):
        assert (await viewer.call("GET", path)).status == 403
