"""Queries of the GraphQL interface answer with what the REST API does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.graphql_requests import query, refused, send
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

_PHOTO = """
    id audience sensitive caption captionEntities { type offset length tag user { username } } altText tags location
    takenAt editedAt createdAt state width height placeholder urls { thumb feed original }
    images { placeholder hdr sizes { width height jpg webp avif } motion { width height webp } }
    video { url width height duration bytes } items { sha256 altText }
    likeCount commentCount liked saved suggestions { altText caption } moderation { state reason }
    author { id username displayName avatarUrl }
"""


def _camel(fields: Any) -> Any:
    """Return JSON of the REST API with the names of the GraphQL interface."""
    if isinstance(fields, list):
        return [_camel(each) for each in fields]
    if not isinstance(fields, dict):
        return fields
    names = (name.split("_") for name in fields)
    return {
        first + "".join(part.title() for part in rest): _camel(value)
        for (first, *rest), value in zip(names, fields.values(), strict=True)
    }


async def _photo_of(api: Api, author: ApiUser, caption: str = "") -> str:
    photo = await author.upload(photograph(), caption)
    await api.finish(photo)
    return str(photo["id"])


async def test_a_photo_has_the_fields_of_rest(api: Api) -> None:
    """Each field of a photo has the value of the REST API, for its author, a follower and a visitor."""
    ann, bob = await api.user("ann"), await api.user("bob")
    photo_id = await _photo_of(api, ann, "hello @bob, see the #sea")
    (await bob.call("PUT", f"/photos/{photo_id}/like")).expect(200)
    (await bob.call("PUT", f"/photos/{photo_id}/save")).expect(204)
    for viewer in (ann, bob, api.visitor):
        rest = _camel((await viewer.call("GET", f"/photos/{photo_id}")).expect(200))
        found = (await query(viewer, f"query($id: ID!) {{ photo(id: $id) {{ {_PHOTO} }} }}", id=f"P-{photo_id}"))[
            "photo"
        ]
        assert found["id"] == f"P-{rest['id']}"
        assert found["author"] == rest["author"] | {"id": f"U-{ann.id}"}
        assert (found["likeCount"], found["commentCount"]) == (rest["likes"], rest["comments"])
        assert found["saved"] == rest.get("saved")
        assert [each["type"] for each in found["captionEntities"]] == ["MENTION", "TAG"]
        assert found["captionEntities"][0]["user"] == {"username": "bob"}
        assert found["audience"] == "PUBLIC"
        assert found["state"] == "READY"
        same = (
            "caption",
            "altText",
            "tags",
            "location",
            "takenAt",
            "createdAt",
            "width",
            "height",
            "liked",
            "sensitive",
        )
        assert {name: found[name] for name in same} == {name: rest[name] for name in same}
        assert {name: url for name, url in found["urls"].items() if url} == rest["urls"]
        assert found["images"]["sizes"] == [{"webp": None, "avif": None, **size} for size in rest["images"]["sizes"]]


async def test_the_viewer_and_the_feed(api: Api) -> None:
    """The viewer's account, feed, notifications and lists; a visitor has no viewer."""
    ann, bob = await api.user("ann"), await api.user("bob")
    await bob.follow(ann)
    photo_ids = [await _photo_of(api, ann, f"number {number}") for number in range(3)]
    document = """{ viewer {
        user { username followerCount relation { following } } account { email settings }
        feed(first: 2) { nodes { caption author { username followerCount relation { following } } } edges { cursor }
            pageInfo { hasNextPage endCursor } stream { epoch offset } }
        notifications { nodes { kind text actors { username } } } counters { unseen kinds { kind unseen } }
        lists { nodes { title } } collections { nodes { title } } savedPhotos { nodes { id } }
        followedTags { name } blockedUsers { nodes { username } } quietHours { zone begins } digest { frequency }
        notificationPreferences { kind inbox { audience choices } }
    } }"""
    viewer = (await query(bob, document))["viewer"]
    assert viewer["user"] == {"username": "bob", "followerCount": 0, "relation": None}
    assert [photo["caption"] for photo in viewer["feed"]["nodes"]] == ["number 2", "number 1"]
    assert viewer["feed"]["nodes"][0]["author"] == {
        "username": "ann",
        "followerCount": 1,
        "relation": {"following": True},
    }
    assert viewer["feed"]["pageInfo"]["hasNextPage"] is True
    assert viewer["feed"]["edges"][-1]["cursor"] == viewer["feed"]["pageInfo"]["endCursor"]
    rest = (await bob.call("GET", "/feed?limit=2")).expect(200)
    assert rest["next"] == viewer["feed"]["pageInfo"]["endCursor"]
    after = await query(
        bob, "query($after: String) { viewer { feed(after: $after) { nodes { id } } } }", after=rest["next"]
    )
    assert after["viewer"]["feed"]["nodes"] == [{"id": f"P-{photo_ids[0]}"}]
    assert (await query(api.visitor, "{ viewer { user { id } } }")) == {"viewer": None}


async def test_comments_with_replies_likes_and_people(api: Api) -> None:
    """A photo's comments, their replies, the users who like it, and both sides of follows, with their cursors."""
    ann, bob, eve = await api.user("ann"), await api.user("bob"), await api.user("eve")
    await bob.follow(ann)
    await eve.follow(ann)
    photo_id = await _photo_of(api, ann)
    texts = []
    for number in range(3):
        comment = (await bob.call("POST", f"/photos/{photo_id}/comments", json={"text": f"c{number}"})).expect(201)
        texts.append(comment["text"])
        for reply in range(2):
            body = {"text": f"r{number}.{reply}", "reply_to": comment["id"]}
            (await eve.call("POST", f"/photos/{photo_id}/comments", json=body)).expect(201)
    for user in (bob, eve):
        (await user.call("PUT", f"/photos/{photo_id}/like")).expect(200)
    document = """query($id: ID!, $after: String) { photo(id: $id) {
        comments(first: 2, after: $after) {
            pageInfo { endCursor hasNextPage }
            nodes { text author { username } replies(first: 1) { nodes { text replyTo { text } photo { id } }
                pageInfo { hasNextPage endCursor } } } }
        likes(first: 1) { nodes { username } pageInfo { hasNextPage endCursor } }
        author { followers { nodes { username following { nodes { username } } } } photos { nodes { id } } }
    } }"""
    photo = (await query(eve, document, id=f"P-{photo_id}"))["photo"]
    assert [comment["text"] for comment in photo["comments"]["nodes"]] == ["c2", "c1"]
    first = photo["comments"]["nodes"][0]
    assert first["replies"]["nodes"] == [{"text": "r2.0", "replyTo": {"text": "c2"}, "photo": {"id": f"P-{photo_id}"}}]
    assert first["replies"]["pageInfo"]["hasNextPage"] is True
    assert photo["likes"]["nodes"] == [{"username": "eve"}]
    assert [user["username"] for user in photo["author"]["followers"]["nodes"]] == ["eve", "bob"]
    assert photo["author"]["followers"]["nodes"][0]["following"]["nodes"] == [{"username": "ann"}]
    cursor = photo["comments"]["pageInfo"]["endCursor"]
    rest = (await eve.call("GET", f"/photos/{photo_id}/comments", params={"limit": "2"})).expect(200)
    assert rest["next"] == cursor
    rest = (await eve.call("GET", f"/photos/{photo_id}/likes", params={"limit": "1"})).expect(200)
    assert rest["next"] == photo["likes"]["pageInfo"]["endCursor"]
    following = (await query(eve, document, id=f"P-{photo_id}", after=cursor))["photo"]["comments"]
    assert [comment["text"] for comment in following["nodes"]] == ["c0"]
    assert following["pageInfo"]["hasNextPage"] is False


async def test_objects_by_their_ids(api: Api) -> None:
    """Objects of several types are requested together; an id of the wrong type is an error that says so."""
    ann, bob = await api.user("ann"), await api.user("bob")
    photo_id = await _photo_of(api, ann)
    comment = (await bob.call("POST", f"/photos/{photo_id}/comments", json={"text": "hello"})).expect(201)["id"]
    (kept,) = [(await ann.call("POST", "/collections", json={"title": "kept"})).expect(201)["id"]]
    (listed,) = [(await ann.call("POST", "/lists", json={"title": "friends"})).expect(201)["id"]]
    document = """query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Photo { caption }
        ... on User { username } ... on Comment { text } ... on Collection { title } ... on AccountList { title } } }"""
    ids = [f"P-{photo_id}", f"U-{ann.id}", f"C-{comment}", f"K-{kept}", f"L-{listed}", "P-01K3S9C0XG4Q7"]
    nodes = (await query(ann, document, ids=ids))["nodes"]
    assert [node and node["__typename"] for node in nodes] == [
        "Photo",
        "User",
        "Comment",
        "Collection",
        "AccountList",
        None,
    ]
    assert [node and node["id"] for node in nodes] == [*ids[:-1], None]
    others = (await query(bob, document, ids=ids))["nodes"]
    assert [node is None for node in others] == [False, False, False, True, True, True]
    response = await send(bob, "query($id: ID!) { photo(id: $id) { id } }", id=f"U-{ann.id}")
    (error,) = response.json["errors"]
    assert error["extensions"]["code"] == "invalid_parameter"
    assert error["message"] == ("id: This is the id of a user. Use the id of a photo, which begins with P-.")
    for wrong in (photo_id, "X-01K3S9C0XG4Q7", "P-", "P-01K3S9C0XG4Q", "P-UUUUUUUUUUUUU", "", "P" * 5000):
        assert await refused(bob, "query($id: ID!) { node(id: $id) { id } }", id=wrong) == ["invalid_parameter"]
    assert await refused(bob, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["P-01K3S9C0XG4Q7"] * 101) == [
        "invalid_parameter"
    ]


async def test_discovery(api: Api) -> None:
    """Search, tags, trends and accounts by their names."""
    ann, bob = await api.user("ann"), await api.user("bob")
    await _photo_of(api, ann, "a #sunset at the sea")
    document = """query($text: String!, $type: SearchType!) { search(query: $text, type: $type) { partial nodes {
        __typename ... on User { username } ... on Tag { name photoCount } ... on Photo { caption } } } }"""
    found = (await query(bob, document, text="ann", type="ALL"))["search"]
    assert found == {"partial": False, "nodes": [{"__typename": "User", "username": "ann"}]}
    found = (await query(bob, document, text="sunset", type="PHOTOS"))["search"]["nodes"]
    assert found == [{"__typename": "Photo", "caption": "a #sunset at the sea"}]
    tag = (await query(bob, '{ tag(name: "#Sunset") { name followed photos { nodes { caption } } } }'))["tag"]
    assert tag == {"name": "sunset", "followed": False, "photos": {"nodes": [{"caption": "a #sunset at the sea"}]}}
    assert (await query(api.visitor, "{ trending { photos { nodes { id } } tags { nodes { name } } } }")) == {
        "trending": {"photos": {"nodes": []}, "tags": {"nodes": []}}
    }
    newest = await query(api.visitor, "{ photos(first: 1) { nodes { caption saved } pageInfo { hasNextPage } } }")
    assert newest["photos"]["nodes"] == [{"caption": "a #sunset at the sea", "saved": None}]
    user = "query($name: String) { user(username: $name) { username bio online relation { following } } }"
    assert (await query(bob, user, name="ANN"))["user"]["username"] == "ann"
    assert (await query(bob, user, name="nobody"))["user"] is None
    assert await refused(bob, user) == ["invalid_parameter"]
    assert await refused(bob, "{ photos(first: 101) { nodes { id } } }") == ["invalid_parameter"]
    assert await refused(bob, '{ photos(after: "nonsense") { nodes { id } } }') == ["invalid_parameter"]


async def test_a_page_of_the_feed_has_the_photos_of_rest(api: Api) -> None:
    """Photos of the home feed have the images of the REST API, whichever fields are selected first."""
    ann = await api.user("ann")
    await _photo_of(api, ann)
    rest = (await ann.call("GET", "/feed")).expect(200)["items"]
    for fields in (
        "urls { thumb feed } images { hdr sizes { jpg } }",
        "images { hdr sizes { jpg } } video { url } urls { feed }",
    ):
        found = (await query(ann, f"{{ viewer {{ feed {{ nodes {{ {fields} }} }} }} }}"))["viewer"]["feed"]["nodes"]
        assert [each["urls"]["feed"] for each in found] == [each["urls"]["feed"] for each in rest]
        shown = [[size["jpg"] for size in each["images"]["sizes"]] for each in found]
        assert shown == [[size["jpg"] for size in each["images"]["sizes"]] for each in rest]
        assert shown[0]
