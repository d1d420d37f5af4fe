"""Every way to read something of a photo: the routes that show photos, and those that show none.

A test goes through all of them for each audience and each viewer, and compares this list with the routes of the API. So
a new route that reads is added here: to `READS`, with what it shows, or to `OTHERS`.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from storage.render.timestamps import timestamp_of
from tests.support import graphql_reads
from tests.support.api_user import ApiUser, Response
from tests.support.eventually import eventually
from tests.support.graphql_reads import nodes

_numbers = itertools.count(1)


class Shows(Enum):
    """Whose photos a route shows to a viewer, of those that the viewer may see."""

    ALL = auto()
    OWN = auto()
    FOLLOWED = auto()  # and the viewer's own
    PUBLIC_TO_ALL = auto()  # those that everyone may see, to everyone
    OF_OTHERS = auto()  # all but the viewer's own, to viewers with an account
    KEPT = auto()  # those that the viewer has kept
    PHOTO = auto()  # one photo by its id: the request is a 404 for one that the viewer may not see


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A viewer, the author whose photos are read, the photos by id, and a public collection of all of them.

    The member `comment` of each photo is the id of a comment below it.

    The viewer has kept all of them, too, when they were public. So has `keeper`, the owner of the collection, who also
    has a public one with each of them alone. `own_list` is a list of the viewer with the author, and without one if
    these are the same.
    """

    viewer: ApiUser
    author: ApiUser
    photos: Mapping[str, Any]
    collection: str
    keeper: ApiUser
    own_list: str


Read = Callable[[Scene], Awaitable[set[str]]]  # returns the ids of the photos that are shown


def _list(path: str, *, limit: int = 100) -> Read:
    async def read(scene: Scene) -> set[str]:
        address = path.format(author=scene.author.id, collection=scene.collection, own_list=scene.own_list)
        return _ids(await scene.viewer.call("GET", f"{address}{'&' if '?' in address else '?'}limit={limit}"))

    return read


def _each(path: str, method: str = "GET", **options: Any) -> Read:
    async def read(scene: Scene) -> set[str]:
        found = set()
        for photo_id, photo in scene.photos.items():
            response = await scene.viewer.call(method, path.format(id=photo_id, comment=photo["comment"]), **options)
            assert response.status in {200, 201, 401, 404}, (path, response.status, response.body)
            if response.status in {200, 201}:
                found.add(photo_id)
        return found

    return read


def _ids(response: Response) -> set[str]:
    if response.status in {401, 404}:
        return set()
    return {photo["id"] for photo in response.expect(200)["items"]}


async def _search(scene: Scene) -> set[str]:
    async def complete() -> Response | None:
        # On a busy machine a search may end before it has found all, and says so.
        response = await scene.viewer.call("GET", "/search?type=photos&q=sea&limit=100")
        return None if response.expect(200)["partial"] else response

    found = await eventually(complete)
    assert found is not None
    return _ids(found)


async def _with_followed_tags(scene: Scene) -> set[str]:
    followed = await scene.viewer.call("PUT", "/tags/sea/follow")
    return set() if followed.status == 401 else _ids(await scene.viewer.call("GET", "/feed?source=tags&limit=100"))


async def _highlights(scene: Scene) -> set[str]:
    # The same request would get the same list again, as it was before an audience changed.
    since = timestamp_of(next(_numbers))
    return _ids(await scene.viewer.call("GET", f"/feed?order=highlights&since={since}&limit=100"))


def _covers(path: str) -> Read:
    async def read(scene: Scene) -> set[str]:
        response = await scene.viewer.call("GET", path.format(keeper=scene.keeper.id))
        if response.status == 401:
            return set()
        covers = [collection["cover"] for collection in response.expect(200)["items"]]
        return {cover["id"] for cover in covers if cover}

    return read


async def _saved_state(scene: Scene) -> set[str]:
    response = await scene.viewer.call("GET", f"/photos/saved-state?ids={','.join(scene.photos)}")
    return set() if response.status == 401 else set(response.expect(200)["saved"])


async def _places(scene: Scene) -> set[str]:
    found = set()
    for photo_id in scene.photos:
        response = await scene.viewer.call("GET", f"/collections?limit=100&photo_id={photo_id}")
        if response.status == 401:
            continue
        page = response.expect(200)
        assert page["saved"] is any(collection["contains"] for collection in page["items"])
        if page["saved"]:
            found.add(photo_id)
    return found


def _graphql(document: str, select: graphql_reads.Select, **variables: Callable[[Scene], Any]) -> Read:
    async def read(scene: Scene) -> set[str]:
        values = {name: value(scene) for name, value in variables.items()}
        return await graphql_reads.read(scene.viewer, document, select, **values)

    return read


def _photo_ids(scene: Scene) -> list[str]:
    return [f"P-{photo_id}" for photo_id in scene.photos]


def _of_viewer(name: str) -> graphql_reads.Select:
    return lambda data: [] if data["viewer"] is None else nodes(data["viewer"][name])


# Over the GraphQL interface; the names begin with QUERY, and what is behind it is the path of fields.
_QUERIES: Mapping[str, tuple[Shows, Read]] = {
    "QUERY nodes": (Shows.PHOTO, _graphql(graphql_reads.PHOTOS, lambda data: data["nodes"], ids=_photo_ids)),
    "QUERY nodes.comments.photo": (
        Shows.PHOTO,
        _graphql(
            graphql_reads.NESTED,
            lambda data: [node and node["comments"]["nodes"][0]["photo"] for node in data["nodes"]],
            ids=_photo_ids,
        ),
    ),
    "QUERY nodes.photo": (
        Shows.PHOTO,
        _graphql(
            graphql_reads.COMMENTS,
            lambda data: [node and node["photo"] for node in data["nodes"]],
            ids=lambda scene: [f"C-{photo['comment']}" for photo in scene.photos.values()],
        ),
    ),
    "QUERY user.photos": (
        Shows.ALL,
        _graphql(
            graphql_reads.OF_USER,
            lambda data: nodes(data["user"] and data["user"]["photos"]),
            id=lambda scene: f"U-{scene.author.id}",
        ),
    ),
    "QUERY tag.photos": (Shows.ALL, _graphql(graphql_reads.OF_TAG, lambda data: nodes(data["tag"]["photos"]))),
    "QUERY collection.photos": (
        Shows.ALL,
        _graphql(
            graphql_reads.OF_COLLECTION,
            lambda data: nodes(data["collection"] and data["collection"]["photos"]),
            id=lambda scene: f"K-{scene.collection}",
        ),
    ),
    "QUERY user.collections.cover": (
        Shows.ALL,
        _graphql(
            graphql_reads.COVERS,
            lambda data: [each["cover"] for each in nodes(data["user"] and data["user"]["collections"])],
            id=lambda scene: f"U-{scene.keeper.id}",
        ),
    ),
    "QUERY photos": (Shows.PUBLIC_TO_ALL, _graphql(graphql_reads.PUBLIC, lambda data: nodes(data["photos"]))),
    "QUERY trending.photos": (
        Shows.PUBLIC_TO_ALL,
        _graphql(graphql_reads.TRENDING, lambda data: nodes(data["trending"]["photos"])),
    ),
    "QUERY viewer.feed": (Shows.FOLLOWED, _graphql(graphql_reads.FEED, _of_viewer("feed"))),
    "QUERY viewer.feed(list)": (
        Shows.OF_OTHERS,
        _graphql(graphql_reads.OF_LIST, _of_viewer("feed"), id=lambda scene: f"L-{scene.own_list}"),
    ),
    "QUERY viewer.savedPhotos": (Shows.KEPT, _graphql(graphql_reads.SAVED, _of_viewer("savedPhotos"))),
    "QUERY nodes.saved": (
        Shows.KEPT,
        _graphql(
            graphql_reads.SAVED_STATE,
            lambda data: [node if node and node["saved"] else None for node in data["nodes"]],
            ids=_photo_ids,
        ),
    ),
}

READS: Mapping[str, tuple[Shows, Read]] = {
    **_QUERIES,
    "GET /photos": (Shows.PUBLIC_TO_ALL, _list("/photos")),
    "GET /photos/trending": (Shows.PUBLIC_TO_ALL, _list("/photos/trending")),
    "GET /search?type=photos": (Shows.PUBLIC_TO_ALL, _search),
    "GET /photos?tag=": (Shows.ALL, _list("/photos?tag=sea")),
    "GET /users/{id}/photos": (Shows.ALL, _list("/users/{author}/photos")),
    "GET /users/me/saved": (Shows.KEPT, _list("/users/me/saved")),
    "GET /photos/saved-state": (Shows.KEPT, _saved_state),
    "GET /collections": (Shows.KEPT, _covers("/collections?limit=100")),
    "GET /collections?photo_id=": (Shows.KEPT, _places),
    "GET /users/{id}/collections": (Shows.ALL, _covers("/users/{keeper}/collections?limit=100")),
    "GET /collections/{id}/items": (Shows.ALL, _list("/collections/{collection}/items")),
    "GET /feed": (Shows.FOLLOWED, _list("/feed")),
    "GET /feed?order=highlights": (Shows.FOLLOWED, _highlights),
    "GET /feed?source=tags": (Shows.OF_OTHERS, _with_followed_tags),
    "GET /feed?source=list:": (Shows.OF_OTHERS, _list("/feed?source=list:{own_list}")),
    "GET /photos/{id}": (Shows.PHOTO, _each("/photos/{id}")),
    "GET /photos/{id}/likes": (Shows.PHOTO, _each("/photos/{id}/likes")),
    "GET /photos/{id}/comments": (Shows.PHOTO, _each("/photos/{id}/comments")),
    "GET /comments/{id}": (Shows.PHOTO, _each("/comments/{comment}")),
    "GET /comments/{id}/replies": (Shows.PHOTO, _each("/comments/{comment}/replies")),
    "PUT /comments/{id}/like": (Shows.PHOTO, _each("/comments/{comment}/like", "PUT")),
    "GET /photos/{id}/exif": (Shows.OWN, _each("/photos/{id}/exif")),
    "PUT /photos/{id}/like": (Shows.PHOTO, _each("/photos/{id}/like", "PUT")),
    "POST /photos/{id}/comments": (Shows.PHOTO, _each("/photos/{id}/comments", "POST", json={"text": "hello"})),
}

# Routes of `GET` that show no photo, nor anything about one to others than its author.
OTHERS: Mapping[str, str] = {
    "GET /users": "accounts",
    "GET /users/{id}": "an account; the number of its photos has a test of its own",
    "GET /users/me": "the viewer's account",
    "GET /suggestions/users": "accounts",
    "GET /users/me/email": "the viewer's address",
    "GET /users/me/sessions": "the viewer's sessions",
    "GET /users/me/totp": "the viewer's second factor",
    "GET /users/me/passkeys": "the viewer's passkeys",
    "GET /password-resets/{token}": "the name of the account of a link",
    "GET /mail/unsubscribe": "a page with a button",
    "GET /users/me/deletion": "for how long a deletion could be undone",
    "GET /users/me/avatar": "the viewer's avatar",
    "GET /users/me/banner": "the viewer's banner",
    "GET /users/{id}/followers": "accounts",
    "GET /users/{id}/following": "accounts",
    "GET /users/me/follow-requests": "accounts",
    "GET /users/me/close-friends": "accounts",
    "GET /users/me/blocks": "accounts",
    "GET /users/me/identities": "the viewer's accounts at providers",
    "GET /oidc/providers": "names of providers",
    "GET /oidc/{provider}/start": "a redirect",
    "GET /oidc/{provider}/callback": "a redirect",
    "GET /users/me/mutes": "accounts",
    "GET /users/me/reports": "what the viewer has reported, by its id alone",
    "GET /users/me/decisions": "decisions about the viewer",
    "GET /decisions/{id}": "a decision about the viewer",
    "GET /moderation/cases": "cases, without photos, to moderators alone",
    "GET /moderation/cases/{id}": "a case with its photo, to moderators alone",
    "GET /moderation/appeals": "appeals, to moderators alone",
    "GET /users/me/exports": "archives of the viewer's own account",
    "GET /users/me/imports": "numbers of the viewer's own imports",
    "GET /users/me/imports/{id}": "numbers of an import of the viewer's own",
    "GET /users/me/imports/{id}/items": "results of an import of the viewer's own",
    "GET /exports/{id}/archive": "an archive with the photos of its user alone, by a signed URL",
    "GET /collections/{id}": "the title; its cover is in the list alone",
    "GET /lists": "the viewer's lists of accounts",
    "GET /lists/{id}": "one of them",
    "GET /lists/{id}/accounts": "accounts",
    "GET /users/{id}/lists": "the viewer's lists that contain an account",
    "GET /tags/followed": "tags that the viewer follows",
    "GET /tags/trending": "tags of photos that everyone may see",
    "GET /notifications": "what others did with the viewer's own photos",
    "GET /notifications/counters": "numbers of these",
    "GET /notifications/preferences": "whose activities notify the viewer",
    "GET /notifications/quiet-hours": "times of the day",
    "GET /notifications/digest": "how often a mail is sent",
    "GET /notifications/mutes": "ids of photos that the viewer has muted, and comments that the viewer may see",
    "GET /push/key": "the key of the installation",
    "GET /moderation/{id}": "a photo in any state, to moderators alone",
    "GET /users/me/tokens": "the viewer's own tokens",
    "GET /users/me/applications": "the applications that the viewer has given access",
    "GET /oauth/applications": "the viewer's own applications",
    "GET /oauth/applications/{id}": "one of them",
    "GET /oauth/authorization": "what an application asks the viewer for",
    "GET /webhooks": "the viewer's webhooks",
    "GET /webhooks/event-types": "descriptions",
    "GET /webhooks/{id}": "one of the viewer's webhooks",
    "GET /webhooks/{id}/attempts": "headers of messages and what their receivers have responded; no bodies",
}
