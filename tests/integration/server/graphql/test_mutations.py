"""Mutations do what REST writes do, with the same limits, refusals and idempotency keys."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from server.identity.new_accounts import COMMENTS
from storage.errors import FullError
from tests.support.api import Api, InspectableServices, running_api, with_limits
from tests.support.api_user import ApiUser
from tests.support.graphql_requests import query, refused, send
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines


async def change(user: ApiUser, field: str, selection: str, **variables: Any) -> dict[str, Any]:
    """Send one mutation, whose arguments are those of its field, and return its payload."""
    found = await query(user, f"mutation {{ {field} {{ {selection} errors {{ code field message }} }} }}", **variables)
    (payload,) = found.values()
    assert isinstance(payload, dict)
    return payload


async def _photo_of(api: Api, author: ApiUser) -> str:
    photo = await author.upload(photograph())
    await api.finish(photo)
    return f"P-{photo['id']}"


async def test_a_walk_through_the_mutations(api: Api) -> None:
    """Each area's mutations return what has changed, as the next query of it does."""
    ann, bob = await api.user("ann"), await api.user("bob")
    photo = await _photo_of(api, ann)
    liked = await change(bob, f'likePhoto(photo: "{photo}")', "photo { liked likeCount }")
    assert liked == {"photo": {"liked": True, "likeCount": 1}, "errors": []}
    assert (await change(bob, f'savePhoto(photo: "{photo}")', "photo { saved }"))["photo"] == {"saved": True}
    unliked = await change(bob, f'unlikePhoto(photo: "{photo}")', "photo { liked likeCount }")
    assert unliked["photo"] == {"liked": False, "likeCount": 0}
    edit = (
        f'editPhoto(photo: "{photo}", changes: {{caption: "new", tags: ["Sea"], audience: FOLLOWERS, sensitive: true}})'
    )
    edited = await change(ann, edit, "photo { caption tags audience sensitive altText }")
    assert edited["photo"] == {
        "caption": "new",
        "tags": ["sea"],
        "audience": "FOLLOWERS",
        "sensitive": True,
        "altText": "",
    }
    followed = await change(bob, f'followUser(user: "U-{ann.id}")', "user { followerCount relation { following } }")
    assert followed["user"] == {"followerCount": 1, "relation": {"following": True}}
    added = await change(
        bob, f'addComment(photo: "{photo}", text: "hello")', "comment { id text photo { commentCount } }"
    )
    assert added["comment"] == {"id": added["comment"]["id"], "text": "hello", "photo": {"commentCount": 1}}
    comment = added["comment"]["id"]
    reply = f'addComment(photo: "{photo}", text: "hi", replyTo: "{comment}")'
    assert (await change(ann, reply, "comment { replyTo { id replyCount } }"))["comment"] == {
        "replyTo": {"id": comment, "replyCount": 1}
    }
    pinned = await change(ann, f'pinComment(comment: "{comment}")', "comment { pinned }")
    assert pinned["comment"] == {"pinned": True}
    deleted = await change(ann, f'deleteComment(comment: "{comment}")', "deletedId")
    assert deleted == {"deletedId": comment, "errors": []}
    made = await change(bob, 'createCollection(title: "kept", public: true)', "collection { id title public } replayed")
    kept = made["collection"]["id"]
    assert made["collection"] == {"id": kept, "title": "kept", "public": True}
    into = await change(
        bob,
        f'addToCollection(collection: "{kept}", photo: "{photo}")',
        "collection { photos { nodes { id } } cover { id } }",
    )
    assert into["collection"] == {"photos": {"nodes": [{"id": photo}]}, "cover": {"id": photo}}
    listed = (await change(bob, 'createList(title: "friends")', "list { id accountCount }"))["list"]
    full = await change(
        bob,
        f'addToList(list: "{listed["id"]}", user: "U-{ann.id}")',
        "list { accountCount accounts { nodes { username } } }",
    )
    assert full["list"] == {"accountCount": 1, "accounts": {"nodes": [{"username": "ann"}]}}
    feed = f'{{ viewer {{ feed(source: LIST, list: "{listed["id"]}") {{ nodes {{ id }} }} }} }}'
    assert (await query(bob, feed))["viewer"]["feed"]["nodes"] == [{"id": photo}]
    assert (await change(bob, 'followTag(name: "#Sea")', "tag { name followed }"))["tag"] == {
        "name": "sea",
        "followed": True,
    }
    quiet = 'setQuietHours(zone: "Europe/Berlin", begins: "22:00", ends: "07:00", days: [MONDAY])'
    assert (await change(bob, quiet, "quietHours { begins ends days }"))["quietHours"] == {
        "begins": "22:00",
        "ends": "07:00",
        "days": ["MONDAY"],
    }
    preferences = "setNotificationPreferences(preferences: [{kind: LIKE, push: NOBODY}])"
    (like,) = [
        each
        for each in (await change(bob, preferences, "preferences { kind push { audience } }"))["preferences"]
        if each["kind"] == "LIKE"
    ]
    assert like["push"] == {"audience": "NOBODY"}
    profile = 'updateProfile(changes: {displayName: "Robert", settings: {theme: "dark"}, private: true})'
    assert (await change(bob, profile, "account { private settings user { displayName } }"))["account"] == {
        "private": True,
        "settings": {"theme": "dark"},
        "user": {"displayName": "Robert"},
    }
    assert (await change(bob, "markNotificationsSeen", "counters { unseen }"))["errors"] == []
    reported = await change(bob, f'report(subject: "{photo}", category: SPAM)', "report { subjectId category outcome }")
    assert reported["report"] == {"subjectId": photo, "category": "SPAM", "outcome": None}
    assert (await change(ann, f'deletePhoto(photo: "{photo}")', "deletedId"))["deletedId"] == photo
    assert (await query(bob, f'{{ photo(id: "{photo}") {{ id }} }}')) == {"photo": None}


async def test_refusals_are_errors_of_the_payload(api: Api) -> None:
    """What a client may expect to be refused is in the payload, with the code and the argument; nothing is changed."""
    ann, bob = await api.user("ann"), await api.user("bob")
    photo = await _photo_of(api, ann)
    cases = {
        'likePhoto(photo: "P-01K3S9C0XG4Q7")': ("photo_not_found", None),
        f'likePhoto(photo: "U-{ann.id}")': ("invalid_parameter", "photo"),
        f'editPhoto(photo: "{photo}", changes: {{caption: "mine"}})': ("photo_not_found", None),
        f'deletePhoto(photo: "{photo}")': ("photo_not_found", None),
        f'addComment(photo: "{photo}", text: " ")': ("invalid_input", "text"),
        f'addComment(photo: "{photo}", text: "x", idempotencyKey: "ü")': ("invalid_parameter", "idempotencyKey"),
        f'addComment(photo: "{photo}", text: "x", replyTo: "{photo}")': ("invalid_parameter", "replyTo"),
        f'followUser(user: "U-{bob.id}")': ("cannot_follow_yourself", None),
        'createCollection(title: "")': ("invalid_input", "title"),
        'createPhoto(photo: {pictures: [{uploadId: "01K3S9C0XG4Q7"}]})': ("upload_not_found", None),
        "createPhoto(photo: {pictures: []})": ("invalid_input", "pictures"),
        'createPhoto(photo: {pictures: [{uploadId: "nonsense"}]})': ("invalid_input", "pictures"),
        'updateProfile(changes: {username: "ann"})': ("username_taken", "username"),
        'updateProfile(changes: {displayName: ""})': ("invalid_input", "displayName"),
        'setQuietHours(zone: "Mars/Base", begins: "22:00", ends: "07:00")': ("invalid_input", "zone"),
        'setQuietHours(zone: "Europe/Berlin", begins: "late", ends: "07:00")': ("invalid_input", "begins"),
        'markNotificationsSeen(ids: ["P-01K3S9C0XG4Q7"])': ("invalid_parameter", "ids"),
        'report(subject: "K-01K3S9C0XG4Q7", category: SPAM)': ("invalid_parameter", "subject"),
        'appealDecision(decision: "D-01K3S9C0XG4Q7", text: "no")': ("decision_not_found", None),
    }
    for field, expected in cases.items():
        payload = await change(bob, field, "__typename")
        assert [(error["code"], error["field"]) for error in payload["errors"]] == [expected], field
    assert (await query(ann, f'{{ photo(id: "{photo}") {{ caption commentCount }} }}'))["photo"] == {
        "caption": "",
        "commentCount": 0,
    }


async def test_a_visitor_changes_nothing(api: Api) -> None:
    """Without credentials a mutation is an error of the response, as the 401 of REST is."""
    ann = await api.user("ann")
    photo = await _photo_of(api, ann)
    document = f'mutation {{ likePhoto(photo: "{photo}") {{ photo {{ liked }} }} }}'
    assert await refused(api.visitor, document) == ["unauthorized"]


async def test_idempotency_keys(api: Api) -> None:
    """A repeated key has one effect and its result, also when REST repeats it; other input is refused."""
    ann, bob = await api.user("ann"), await api.user("bob")
    photo = await _photo_of(api, ann)
    field = f'addComment(photo: "{photo}", text: "once", idempotencyKey: "k1")'
    first = await change(bob, field, "comment { id } replayed")
    again = await change(bob, field, "comment { id } replayed")
    assert (first["comment"], first["replayed"]) == (again["comment"], False)
    assert again["replayed"] is True
    path = f"/photos/{photo.removeprefix('P-')}/comments"
    rest = await bob.call("POST", path, json={"text": "once"}, headers={"Idempotency-Key": "k1"})
    assert f"C-{rest.expect(201)['id']}" == first["comment"]["id"]
    assert rest.headers["Idempotent-Replayed"] == "true"
    other = await change(bob, field.replace("once", "twice"), "comment { id }")
    assert [error["code"] for error in other["errors"]] == ["idempotency_key_reused"]
    another = await change(bob, 'createList(title: "x", idempotencyKey: "k1")', "list { id }")
    assert [error["code"] for error in another["errors"]] == ["idempotency_key_reused"]
    many = await asyncio.gather(
        *(change(ann, 'createList(title: "one", idempotencyKey: "k2")', "list { id }") for _ in range(10))
    )
    made = {payload["list"]["id"] for payload in many if payload["list"]}
    refusals = {error["code"] for payload in many for error in payload["errors"]}
    assert len(made) == 1
    assert refusals <= {"idempotency_key_in_use"}
    assert (await query(ann, "{ viewer { lists { nodes { id } } } }"))["viewer"]["lists"]["nodes"] == [
        {"id": made.pop()}
    ]


async def test_limits_are_those_of_rest(services: InspectableServices) -> None:
    """The limits of an endpoint and of new accounts count both interfaces, and the headers of a refusal say when."""
    limited = with_limits(services, likes="3/h", **{COMMENTS: "1/h"})
    async with running_api(limited) as api:
        ann, bob = await api.user("ann"), await api.user("bob")
        photo = await _photo_of(api, ann)
        (await bob.call("PUT", f"/photos/{photo.removeprefix('P-')}/like")).expect(200)
        field = f'likePhoto(photo: "{photo}") {{ errors {{ code }} }}'
        document = f"mutation {{ a: {field} b: {field} c: {field} }}"
        response = await send(bob, document)
        found = response.expect(200)["data"]
        assert [found[alias]["errors"] for alias in "abc"] == [[], [], [{"code": "too_many_requests"}]]
        assert int(response.headers["Retry-After"]) > 0
        assert (await bob.call("PUT", f"/photos/{photo.removeprefix('P-')}/like")).status == 429
        comment = f'addComment(photo: "{photo}", text: "x")'
        assert (await change(bob, comment, "comment { id }"))["errors"] == []
        refusal = await change(bob, comment, "comment { id }")
        assert [error["code"] for error in refusal["errors"]] == ["new_account_limit"]


async def test_nothing_is_stored_without_space(services: InspectableServices) -> None:
    """While the disk is full, what adds something is an error, and what removes something goes on."""

    def full() -> None:
        raise FullError("database", "the disk is full")

    async with running_api(services) as api:
        ann = await api.user("ann")
        photo = await _photo_of(api, ann)
        await change(ann, f'likePhoto(photo: "{photo}")', "photo { liked }")
    async with running_api(dataclasses.replace(services, require_space=full)) as api:
        ann.url = api.url
        ann._session = api.session
        document = f'mutation {{ likePhoto(photo: "{photo}") {{ errors {{ code }} }} }}'
        assert await refused(ann, document) == ["storage_full"]
        assert (await change(ann, f'unlikePhoto(photo: "{photo}")', "photo { liked }"))["photo"] == {"liked": False}
