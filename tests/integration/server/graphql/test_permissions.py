"""Ids of what belongs to another user: each field that takes one answers with what REST does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import GraphQLArgument, GraphQLInputObjectType, get_named_type

from server.composition.graphql import make_schema
from server.graphql.schema_types import Schema
from storage import ids
from storage.models import PhotoAudience
from storage.notifications import NotificationKind
from tests.support.api import Api
from tests.support.api_tokens import issue_token
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.cases import case_about, decide, moderator, report
from tests.support.community import record_notification
from tests.support.graphql_requests import send
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

P, C, U, K, L, N, D = "{photo}", "{comment}", "{user}", "{collection}", "{list}", "{notification}", "{decision}"


@dataclass(frozen=True)
class Call:
    """A REST request that does what a field does."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None


# Each field that takes an id, by the argument: how it is called, and the REST request that it is compared with.
QUERIES: Mapping[str, tuple[str, Call]] = {
    "Query.node(id)": (f'node(id: "P-{P}") {{ id }}', Call("GET", f"/photos/{P}")),
    "Query.nodes(ids)": (f'nodes(ids: ["C-{C}"]) {{ id }}', Call("GET", f"/comments/{C}")),
    "Query.user(id)": (f'user(id: "U-{U}") {{ id }}', Call("GET", f"/users/{U}")),
    "Query.photo(id)": (f'photo(id: "P-{P}") {{ id }}', Call("GET", f"/photos/{P}")),
    "Query.comment(id)": (f'comment(id: "C-{C}") {{ id }}', Call("GET", f"/comments/{C}")),
    "Query.collection(id)": (f'collection(id: "K-{K}") {{ id }}', Call("GET", f"/collections/{K}")),
    "Viewer.feed(list)": (
        f'viewer {{ feed(source: LIST, list: "L-{L}") {{ nodes {{ id }} }} }}',
        Call("GET", f"/feed?source=list:{L}"),
    ),
}
# Further kinds of objects by their ids, which the same two fields return.
NODES: Mapping[str, Call] = {
    f"K-{K}": Call("GET", f"/collections/{K}"),
    f"L-{L}": Call("GET", f"/lists/{L}"),
    f"U-{U}": Call("GET", f"/users/{U}"),
    f"D-{D}": Call("GET", f"/decisions/{D}"),
    f"N-{N}": Call("DELETE", f"/notifications/{N}"),
}
MUTATIONS: Mapping[str, tuple[str, Call]] = {
    "editPhoto(photo)": (
        f'(photo: "P-{P}", changes: {{caption: "x"}})',
        Call("PATCH", f"/photos/{P}", {"caption": "x"}),
    ),
    "deletePhoto(photo)": (f'(photo: "P-{P}")', Call("DELETE", f"/photos/{P}")),
    "likePhoto(photo)": (f'(photo: "P-{P}")', Call("PUT", f"/photos/{P}/like")),
    "unlikePhoto(photo)": (f'(photo: "P-{P}")', Call("DELETE", f"/photos/{P}/like")),
    "savePhoto(photo)": (f'(photo: "P-{P}")', Call("PUT", f"/photos/{P}/save")),
    "unsavePhoto(photo)": (f'(photo: "P-{P}")', Call("DELETE", f"/photos/{P}/save")),
    "mutePhoto(photo)": (f'(photo: "P-{P}")', Call("PUT", f"/photos/{P}/mute")),
    "unmutePhoto(photo)": (f'(photo: "P-{P}")', Call("DELETE", f"/photos/{P}/mute")),
    "createPhoto(photo.pictures.uploadId)": (
        '(photo: {pictures: [{uploadId: "{upload}"}]})',
        Call("POST", "/photos", {"upload_id": "{upload}"}),
    ),
    "addComment(photo)": (f'(photo: "P-{P}", text: "x")', Call("POST", f"/photos/{P}/comments", {"text": "x"})),
    "addComment(replyTo)": (
        f'(photo: "P-{{own_photo}}", text: "x", replyTo: "C-{C}")',
        Call("POST", "/photos/{own_photo}/comments", {"text": "x", "reply_to": C}),
    ),
    "editComment(comment)": (f'(comment: "C-{C}", text: "x")', Call("PATCH", f"/comments/{C}", {"text": "x"})),
    "deleteComment(comment)": (f'(comment: "C-{C}")', Call("DELETE", f"/comments/{C}")),
    "likeComment(comment)": (f'(comment: "C-{C}")', Call("PUT", f"/comments/{C}/like")),
    "unlikeComment(comment)": (f'(comment: "C-{C}")', Call("DELETE", f"/comments/{C}/like")),
    "pinComment(comment)": (f'(comment: "C-{C}")', Call("PUT", f"/comments/{C}/pin")),
    "unpinComment(comment)": (f'(comment: "C-{C}")', Call("DELETE", f"/comments/{C}/pin")),
    "muteThread(comment)": (f'(comment: "C-{C}")', Call("PUT", f"/comments/{C}/mute")),
    "unmuteThread(comment)": (f'(comment: "C-{C}")', Call("DELETE", f"/comments/{C}/mute")),
    "followUser(user)": (f'(user: "U-{U}")', Call("PUT", f"/users/{U}/follow")),
    "unfollowUser(user)": (f'(user: "U-{U}")', Call("DELETE", f"/users/{U}/follow")),
    "blockUser(user)": ('(user: "U-{unknown}")', Call("PUT", "/users/{unknown}/block")),
    "unblockUser(user)": (f'(user: "U-{U}")', Call("DELETE", f"/users/{U}/block")),
    "muteUser(user)": (f'(user: "U-{U}")', Call("PUT", f"/users/{U}/mute")),
    "unmuteUser(user)": (f'(user: "U-{U}")', Call("DELETE", f"/users/{U}/mute")),
    "turnBellOn(user)": (f'(user: "U-{U}")', Call("POST", f"/users/{U}/bell")),
    "turnBellOff(user)": (f'(user: "U-{U}")', Call("DELETE", f"/users/{U}/bell")),
    "addCloseFriend(user)": (f'(user: "U-{U}")', Call("PUT", f"/users/{U}/close-friend")),
    "removeCloseFriend(user)": (f'(user: "U-{U}")', Call("DELETE", f"/users/{U}/close-friend")),
    "acceptFollowRequest(user)": (f'(user: "U-{U}")', Call("PUT", f"/users/me/follow-requests/{U}")),
    "declineFollowRequest(user)": (f'(user: "U-{U}")', Call("DELETE", f"/users/me/follow-requests/{U}")),
    "dismissSuggestion(user)": (f'(user: "U-{U}")', Call("DELETE", f"/suggestions/users/{U}")),
    "editCollection(collection)": (
        f'(collection: "K-{K}", changes: {{title: "x"}})',
        Call("PATCH", f"/collections/{K}", {"title": "x"}),
    ),
    "editCollection(changes.order)": (
        f'(collection: "K-{{own_collection}}", changes: {{order: ["P-{P}"]}})',
        Call("PATCH", "/collections/{own_collection}", {"order": [P]}),
    ),
    "deleteCollection(collection)": (f'(collection: "K-{K}")', Call("DELETE", f"/collections/{K}")),
    "addToCollection(collection)": (
        f'(collection: "K-{K}", photo: "P-{{own_photo}}")',
        Call("POST", f"/collections/{K}/items", {"photo_id": "{own_photo}"}),
    ),
    "addToCollection(photo)": (
        f'(collection: "K-{{own_collection}}", photo: "P-{P}")',
        Call("POST", "/collections/{own_collection}/items", {"photo_id": P}),
    ),
    "moveInCollection(collection)": (
        f'(collection: "K-{K}", photo: "P-{{own_photo}}")',
        Call("PATCH", f"/collections/{K}/items/{{own_photo}}", {"after": None}),
    ),
    "moveInCollection(photo)": (
        f'(collection: "K-{{own_collection}}", photo: "P-{P}")',
        Call("PATCH", f"/collections/{{own_collection}}/items/{P}", {"after": None}),
    ),
    "moveInCollection(after)": (
        f'(collection: "K-{{own_collection}}", photo: "P-{{own_photo}}", after: "P-{P}")',
        Call("PATCH", "/collections/{own_collection}/items/{own_photo}", {"after": P}),
    ),
    "removeFromCollection(collection)": (
        f'(collection: "K-{K}", photo: "P-{{own_photo}}")',
        Call("DELETE", f"/collections/{K}/items/{{own_photo}}"),
    ),
    "removeFromCollection(photo)": (
        f'(collection: "K-{{own_collection}}", photo: "P-{P}")',
        Call("DELETE", f"/collections/{{own_collection}}/items/{P}"),
    ),
    "renameList(list)": (f'(list: "L-{L}", title: "x")', Call("PATCH", f"/lists/{L}", {"title": "x"})),
    "deleteList(list)": (f'(list: "L-{L}")', Call("DELETE", f"/lists/{L}")),
    "addToList(list)": (f'(list: "L-{L}", user: "U-{{own}}")', Call("PUT", f"/lists/{L}/accounts/{{own}}")),
    "addToList(user)": (f'(list: "L-{{own_list}}", user: "U-{U}")', Call("PUT", f"/lists/{{own_list}}/accounts/{U}")),
    "removeFromList(list)": (f'(list: "L-{L}", user: "U-{{own}}")', Call("DELETE", f"/lists/{L}/accounts/{{own}}")),
    "removeFromList(user)": (
        f'(list: "L-{{own_list}}", user: "U-{U}")',
        Call("DELETE", f"/lists/{{own_list}}/accounts/{U}"),
    ),
    "markNotificationsSeen(ids)": (f'(ids: ["N-{N}"])', Call("POST", "/notifications/seen", {"ids": [N]})),
    "markNotificationsSeen(upTo)": (f'(upTo: "{N}")', Call("POST", "/notifications/seen", {"up_to": N})),
    "markNotificationsRead(ids)": (f'(ids: ["N-{N}"])', Call("POST", "/notifications/read", {"ids": [N]})),
    "markNotificationsRead(upTo)": (f'(upTo: "{N}")', Call("POST", "/notifications/read", {"up_to": N})),
    "deleteNotification(notification)": (f'(notification: "N-{N}")', Call("DELETE", f"/notifications/{N}")),
    "restoreNotification(notification)": (f'(notification: "N-{N}")', Call("POST", f"/notifications/{N}/restore")),
    "deleteReadNotifications(upTo)": (f'(upTo: "{N}")', Call("DELETE", f"/notifications?read=true&up_to={N}")),
    "report(subject)": (
        f'(subject: "P-{P}", category: SPAM)',
        Call("POST", f"/photos/{P}/reports", {"category": "spam"}),
    ),
    "appealDecision(decision)": (
        f'(decision: "D-{D}", text: "x")',
        Call("POST", f"/decisions/{D}/appeal", {"text": "x"}),
    ),
}


def _id_arguments(name: str, argument: GraphQLArgument) -> Iterator[str]:
    kind = get_named_type(argument.type)
    if kind.name == "ID":
        yield name
    elif isinstance(kind, GraphQLInputObjectType):
        for field, inner in kind.fields.items():
            yield from _id_arguments(f"{name}.{field}", inner)


def test_every_field_that_takes_an_id_is_compared() -> None:
    """A new argument that is an id fails here until it is in one of the tables."""
    core = Schema(make_schema()).core
    found: dict[str, set[str]] = {"Query": set(), "Mutation": set()}
    for kind in core.type_map.values():
        if kind is core.subscription_type:
            continue  # its ids name channels, whose permissions are those of the live protocol
        for name, field in getattr(kind, "fields", {}).items():
            for argument, definition in getattr(field, "args", {}).items():
                for path in _id_arguments(argument, definition):
                    if kind.name == "Mutation":
                        found["Mutation"].add(f"{name}({path})")
                    elif not kind.name.startswith("__"):
                        found["Query"].add(f"{kind.name}.{name}({path})")
    assert found == {"Query": set(QUERIES), "Mutation": set(MUTATIONS)}


class _Names(dict[str, str]):
    """Replaces the placeholders of the tables, and leaves other braces alone."""

    def fill(self, value: Any) -> Any:
        if isinstance(value, str):
            for name, text in self.items():
                value = value.replace("{" + name + "}", text)
            return value
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return {key: self.fill(item) for key, item in value.items()} if isinstance(value, dict) else value


async def _scene(api: Api, ann: ApiUser, bob: ApiUser) -> _Names:
    """Let Ann have what is hers alone, and block Bob; return its ids, and those of what Bob may use."""
    photos = []
    for owner in (ann, bob):
        photo = await owner.upload(photograph("temple" if owner is ann else "rocket"))
        await api.finish(photo)
        photos.append(photo["id"])
    comment = (await ann.call("POST", f"/photos/{photos[0]}/comments", json={"text": "mine"})).expect(201)["id"]
    made = {}
    for owner, prefix in ((ann, ""), (bob, "own_")):
        for name in ("collection", "list"):
            body = {"title": "private"}
            made[prefix + name] = (await owner.call("POST", f"/{name}s", json=body)).expect(201)["id"]
    (await bob.call("POST", f"/collections/{made['own_collection']}/items", json={"photo_id": photos[1]})).expect(204)
    async with api.services.db.transaction() as tx:
        await record_notification(
            tx,
            recipient_id=ids.decode(ann.id),
            kind=NotificationKind.LIKE,
            actor_id=ids.decode(bob.id),
            photo_id=ids.decode(photos[0]),
            source_id=ids.decode(photos[0]),
        )
    (entry,) = (await ann.call("GET", "/notifications")).expect(200)["items"]
    judge, reporter = await moderator(api), await api.user()
    await report(reporter, "photo", photos[0])
    decision = await decide(judge, await case_about(judge, photos[0]), "sensitive")
    announced = {"content_type": "image/jpeg", "bytes": 10, "sha256": "0" * 64}
    upload = (await ann.call("POST", "/uploads", json=announced)).expect(201)["upload_id"]
    (await ann.call("PATCH", f"/photos/{photos[0]}", json={"audience": PhotoAudience.ONLY_ME})).expect(200)
    (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
    return _Names(
        photo=photos[0],
        own_photo=photos[1],
        comment=comment,
        user=ann.id,
        own=bob.id,
        notification=entry["id"],
        decision=decision["id"],
        upload=upload,
        unknown="01K3S9C0XG4Q7",
        **made,
    )


async def test_ids_of_others_are_those_that_rest_does_not_find(api: Api) -> None:
    """Every field with an id of another user's has the outcome of the REST request, for a user and for a visitor."""
    ann, bob = await api.user("ann"), await api.user("bob")
    names = await _scene(api, ann, bob)
    unread = (await ann.call("GET", "/notifications/counters")).expect(200)
    for viewer in (bob, api.visitor):
        for name, (field, call) in QUERIES.items():
            rest = await _rest(viewer, names, call)
            response = (await send(viewer, f"{{ {names.fill(field)} }}")).expect(200)
            assert _same(_outcome(response), rest), (name, response, rest)
        for node, call in NODES.items():
            rest = await _rest(viewer, names, call)
            response = (await send(viewer, f'{{ node(id: "{names.fill(node)}") {{ id }} }}')).expect(200)
            assert _same(_outcome(response), rest), (node, response, rest)
        for name, (arguments, call) in MUTATIONS.items():
            field = name.partition("(")[0] + names.fill(arguments)
            response = (await send(viewer, f"mutation {{ {field} {{ errors {{ code }} }} }}")).expect(200)
            rest = await _rest(viewer, names, call)
            assert _outcome(response) == rest, (name, response)
    # Nothing of Ann's has changed.
    photo = (await ann.call("GET", f"/photos/{names['photo']}")).expect(200)
    assert (photo["caption"], photo["likes"], photo["comments"]) == ("", 0, 1)
    assert (await ann.call("GET", "/notifications/counters")).expect(200) == unread
    assert (await ann.call("GET", f"/lists/{names['list']}")).expect(200)["accounts"] == 0


async def _rest(viewer: ApiUser, names: _Names, call: Call) -> str | None:
    """Return the code of the problem with which REST answers, None if it does what it is asked for."""
    body = names.fill(call.body)
    response = await viewer.call(call.method, names.fill(call.path), **({} if body is None else {"json": body}))
    return None if response.status < 400 else str(response.json["code"])


def _same(outcome: str | None, rest: str | None) -> bool:
    """Return whether both have the same outcome: null is what REST does not find, or a visitor does not have."""
    if outcome != "null":
        return outcome == rest
    return rest is not None and (rest.endswith("_not_found") or rest == "unauthorized")


def _outcome(response: dict[str, Any]) -> str | None:
    """Return what REST would answer: the code of the error, or that of a missing object for null."""
    if "errors" in response:
        (error,) = response["errors"]
        return str(error["extensions"]["code"])
    (value,) = response["data"].values()
    if isinstance(value, list):
        (value,) = value
    if value is None:
        return "null"
    refusals = value.get("errors")
    return refusals[0]["code"] if refusals else None


async def test_a_token_of_an_application_needs_the_scope_of_each_field(api: Api) -> None:
    """Each field needs the scope of its endpoint, also below others and in what a mutation returns."""
    ann, bob = await api.user("ann"), await api.user("bob")
    photo = await ann.upload(photograph())
    await api.finish(photo)
    (await ann.call("POST", f"/photos/{photo['id']}/comments", json={"text": "hello"})).expect(201)
    bob.token = await issue_token(api.services.db, ids.decode(bob.id), "read:photos", "write:likes")
    document = """query($id: ID!) { photo(id: $id) { caption author { username bio } comments { nodes { text } }
        likes { nodes { id } } } viewer { feed { nodes { id } } lists { nodes { id } } } }"""
    response = (await send(bob, document, id=f"P-{photo['id']}")).expect(200)
    refused = {".".join(map(str, error["path"])): error["extensions"]["code"] for error in response["errors"]}
    assert refused == dict.fromkeys(
        ("photo.author.bio", "photo.comments", "photo.likes", "viewer.lists"), "insufficient_scope"
    )
    document = (
        "mutation($id: ID!) { likePhoto(photo: $id) { photo { liked comments { nodes { id } } } errors { code } } }"
    )
    response = (await send(bob, document, id=f"P-{photo['id']}")).expect(200)
    assert [error["path"] for error in response["errors"]] == [["likePhoto", "photo", "comments"]]
    assert (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)["likes"] == 1
    document = "mutation($id: ID!) { savePhoto(photo: $id) { photo { id } errors { code } } }"
    response = (await send(bob, document, id=f"P-{photo['id']}")).expect(200)
    assert response["data"]["savePhoto"] == {"photo": None, "errors": [{"code": "insufficient_scope"}]}


async def test_what_a_suspended_user_can_do(api: Api) -> None:
    """With the token of a suspended account, decisions, reports and an appeal are open, and nothing else."""
    ann, bob = await api.user("ann"), await api.user("bob")
    photo = await bob.upload(photograph())
    await api.finish(photo)
    judge, reporter = await moderator(api), await api.user()
    await report(reporter, "user", ann.id)
    decision = await decide(judge, await case_about(judge, ann.id), "suspend")
    (refused,) = [await ann.call("POST", "/tokens", json={"username": ann.name, "password": PASSWORD})]
    ann.token = refused.expect(403)["access_token"]
    closed = (
        f'{{ photo(id: "P-{photo["id"]}") {{ id }} }}',
        f'{{ node(id: "P-{photo["id"]}") {{ id }} }}',
        "{ viewer { feed { nodes { id } } } }",
        "{ viewer { account { email } } }",
        "{ photos { nodes { id } } }",
        "{ trending { tags { nodes { name } } } }",
        '{ search(query: "x") { partial } }',
    )
    for document in closed:
        response = (await send(ann, document)).expect(200)
        assert [error["extensions"]["code"] for error in response["errors"]] == ["account_suspended"], document
    like = f'mutation {{ likePhoto(photo: "P-{photo["id"]}") {{ errors {{ code }} }} }}'
    response = (await send(ann, like)).expect(200)
    assert response["data"]["likePhoto"]["errors"] == [{"code": "account_suspended"}]
    response = (await send(ann, "{ viewer { decisions { nodes { id action } } reports { nodes { id } } } }")).expect(
        200
    )
    assert response["data"]["viewer"] == {
        "decisions": {"nodes": [{"id": f"D-{decision['id']}", "action": "SUSPEND"}]},
        "reports": {"nodes": []},
    }
    document = """mutation($id: ID!) { appealDecision(decision: $id, text: "It was not me.") {
        appeal { state } errors { code } } }"""
    response = (await send(ann, document, id=f"D-{decision['id']}")).expect(200)
    assert response["data"]["appealDecision"] == {"appeal": {"state": "PENDING"}, "errors": []}
