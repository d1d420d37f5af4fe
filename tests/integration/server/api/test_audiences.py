"""Who sees a photo: every audience, for every kind of viewer, on every way to read it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from PIL import Image

from channels.contract.errors import PermissionDeniedError
from channels.contract.ports import Identity
from server.api.table import endpoints
from server.live.access import LiveAuthorizer
from server.live.streams import FeedStream
from storage import ids
from storage.cache.photo_trends import PhotoTrends
from storage.feeds.log_format import Entry
from storage.models import PhotoAudience
from storage.moderation import Decider
from storage.stores.photos import photo_lists
from storage.stores.saved import photo_collections
from storage.trends import PhotoTrend
from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.cases import case_about, decide, moderator, report
from tests.support.photo_reads import OTHERS, READS, Scene, Shows
from tests.support.pictures import encoded

pytestmark = pytest.mark.engines

VIEWERS = ("visitor", "stranger", "follower", "close", "befriended", "blocking", "blocked", "author")
# Lists that show authors their own photos in every state.
_OF_AUTHOR = {
    "GET /users/{id}/photos",
    "GET /photos/saved-state",
    "GET /collections?photo_id=",
    "QUERY user.photos",
    "QUERY nodes.saved",
}
# Lists of photos of strangers that are shown by their tags.
_BY_TAG = {"GET /photos?tag=", "GET /feed?source=tags", "QUERY tag.photos"}
_SIDES = "(shard, owner_id, other_id, outgoing) VALUES ($1::bigint & 1023, $1, $2, $3)"


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """An author with a photo for each audience, and a viewer of each kind; `photos` are by id, `lists` by viewer."""

    api: Api
    private: bool
    author: ApiUser
    viewers: Mapping[str, ApiUser]
    collection: str
    keeper: ApiUser
    lists: Mapping[str, str]
    photos: Mapping[str, dict[str, Any]]

    def seen(self, viewer: str) -> set[str]:
        """Return the photos that a viewer may see, by the rules in words."""
        if viewer in {"blocking", "blocked"}:
            return set()
        follows = viewer in {"follower", "close"}
        audiences = {
            PhotoAudience.PUBLIC: True,
            PhotoAudience.FOLLOWERS: follows,
            PhotoAudience.CLOSE_FRIENDS: viewer in {"close", "befriended"},
            PhotoAudience.ONLY_ME: False,
        }
        return {
            photo_id
            for photo_id, photo in self.photos.items()
            if viewer == "author" or (audiences[photo["audience"]] and (follows or not self.private))
        }

    def shown(self, viewer: str, shows: Shows) -> set[str]:
        """Return the photos that a route shows to a viewer."""
        seen = self.seen(viewer)
        match shows:
            case Shows.OF_OTHERS:
                return seen if viewer not in {"visitor", "author"} else set()
            case Shows.KEPT:
                return seen if viewer != "visitor" else set()
            case Shows.OWN:
                return seen if viewer == "author" else set()
            case Shows.FOLLOWED:
                return seen if viewer in {"follower", "close", "author"} else set()
            case Shows.PUBLIC_TO_ALL:
                return seen & self.seen("visitor")
            case _:
                return seen


async def _gallery(api: Api, name: str, *, private: bool) -> Gallery:
    author = await api.user(name)
    viewers = {viewer: await api.user(f"{name}_{viewer}") for viewer in VIEWERS[1:-1]}
    for viewer in ("follower", "close", "blocking", "blocked"):
        await viewers[viewer].follow(author)
    for viewer in ("close", "befriended", "blocking", "blocked"):
        (await author.call("PUT", f"/users/{viewers[viewer].id}/close-friend")).expect(204)
    # The rows alone: a block ends the follow and the friendship, and here the block alone must decide.
    for one, other in ((viewers["blocking"], author), (author, viewers["blocked"])):
        for owner, second, outgoing in ((one, other, True), (other, one, False)):
            pair = ids.decode(owner.id), ids.decode(second.id)
            await api.services.db.fetch(f"INSERT INTO blocks {_SIDES}", *pair, outgoing)
    if private:
        (await author.call("PATCH", "/users/me", json={"private": True})).expect(200)
    photos = {}
    for shade, audience in enumerate(PhotoAudience):
        form = aiohttp.FormData()
        picture = encoded(Image.new("RGB", (64, 48), (shade * 40, 100 * private, 0)))
        form.add_field("file", picture, filename="picture.jpg", content_type="image/jpeg")
        form.add_field("tags", "sea")
        form.add_field("audience", audience.value)
        photo = (await author.call("POST", "/photos", data=form)).expect(201)
        await api.finish(photo)
        photos[photo["id"]] = (await author.call("GET", f"/photos/{photo['id']}")).expect(200)
        assert photos[photo["id"]]["audience"] == photo["audience"] == audience
        comment = (await author.call("POST", f"/photos/{photo['id']}/comments", json={"text": "first"})).expect(201)
        photos[photo["id"]]["comment"] = comment["id"]
    keeper = await api.user(f"{name}_keeper")
    kept = [
        await _keep(api, ids.decode(user.id), [ids.decode(photo_id) for photo_id in photos], public=user is keeper)
        for user in (author, *viewers.values(), keeper)
    ]
    viewers["author"] = author
    return Gallery(
        api=api,
        private=private,
        collection=ids.encode(kept[-1]),
        keeper=keeper,
        lists={viewer: await _list_author(api, user, author) for viewer, user in viewers.items()},
        author=author,
        viewers={"visitor": api.visitor, **viewers},
        photos=photos,
    )


async def _keep(api: Api, user_id: int, photo_ids: list[int], *, public: bool) -> int:
    """Let a user have saved photos, and have a collection for each, `public` or not; return a public one with all."""
    async with api.services.db.transaction() as tx:
        saved_id = await photo_collections.saved_id(tx, user_id)
        everything = await photo_collections.create(tx, owner_id=user_id, title="all", public=True)
        for photo_id in photo_ids:
            single = await photo_collections.create(tx, owner_id=user_id, title="one", public=public)
            for collection_id in (saved_id, everything.id, single.id):
                await tx.execute(
                    "INSERT INTO collection_items (shard, collection_id, photo_id, owner_id, position) "
                    "VALUES ($1::bigint & 1023, $1, $2::bigint, $3, $2)",
                    collection_id,
                    photo_id,
                    user_id,
                )
    return everything.id


async def _list_author(api: Api, owner: ApiUser, author: ApiUser) -> str:
    """Return a list of a viewer with the author, who was added before any block."""
    list_id: str = (await owner.call("POST", "/lists", json={"title": "read apart"})).expect(201)["id"]
    if owner is not author:
        await api.services.db.fetch(
            "INSERT INTO list_members (shard, list_id, account_id, owner_id) VALUES ($1::bigint & 1023, $1, $2, $3)",
            *(ids.decode(text) for text in (list_id, author.id, owner.id)),
        )
    return list_id


async def _fill_redis(gallery: Gallery) -> None:
    """Put all photos into the feeds of author and followers, and among those that trend, as if all were public."""
    services = gallery.api.services
    # As if each had an author of its own: in the list they would keep their distance otherwise.
    trends = [
        PhotoTrend(
            photo_id=ids.decode(photo_id),
            author_id=ids.decode(photo_id),
            version=1,
            likes=5,
            commenters=0,
            followers=0,
            public=True,
        )
        for photo_id in gallery.photos
    ]
    await PhotoTrends(services.stores.redis).put(trends)
    feeds = services.stores.feeds
    for name in ("follower", "close", "author"):
        viewer = gallery.viewers[name]
        await viewer.feed()
        await feeds.log.merge(ids.decode(viewer.id), [ids.decode(photo_id) for photo_id in gallery.photos])


@pytest.fixture
async def galleries(api: Api) -> list[Gallery]:
    """A public author and a private one."""
    return [await _gallery(api, "ann", private=False), await _gallery(api, "bea", private=True)]


def test_every_route_that_reads_is_known(api: Api) -> None:
    """A route that reads photos is tested for each audience, and of each other one it is known that it shows none."""
    routes = {f"GET {endpoint.path}" for endpoint in endpoints(api.services) if endpoint.method == "GET"}
    known = {name.partition("?")[0] for name in READS if name.startswith("GET")}
    assert routes == known | OTHERS.keys()


async def test_a_photo_is_shown_to_its_audience_alone(galleries: list[Gallery]) -> None:
    """Each way to read shows each viewer exactly the photos whose audience the viewer belongs to."""
    for gallery in galleries:
        await _check_images(gallery)
        await _check_stores(gallery)
        await _check_live_permissions(gallery)
        await _fill_redis(gallery)
    for gallery in galleries:
        await _check_reads(gallery)


async def _check_reads(gallery: Gallery, *, withheld: bool = False, restricted: str = "") -> None:
    for viewer, (name, (shows, read)) in itertools.product(VIEWERS, READS.items()):
        if restricted == "suspend" and viewer == "author":
            continue  # whose sessions have ended
        scene = Scene(
            viewer=gallery.viewers[viewer],
            author=gallery.author,
            photos=gallery.photos,
            collection=gallery.collection,
            keeper=gallery.keeper,
            own_list=gallery.lists.get(viewer, ids.encode(1)),
        )
        found = await read(scene) & gallery.photos.keys()
        expected = gallery.shown(viewer, shows)
        if viewer == "visitor" and not name.startswith(("GET", "QUERY")):
            expected = set()
        if withheld and not (viewer == "author" and (shows in {Shows.PHOTO, Shows.OWN} or name in _OF_AUTHOR)):
            expected = set()
        unmet = name in _BY_TAG and viewer not in {"follower", "close", "author"}
        if restricted == "suspend" or (restricted == "limit" and (shows is Shows.PUBLIC_TO_ALL or unmet)):
            expected = set()
        assert found == expected, (gallery.private, viewer, name, _audiences(gallery, found))


async def test_a_withheld_photo_is_shown_to_its_author_alone(galleries: list[Gallery]) -> None:
    """Each way to read shows a hidden or held photo to no one but its author; restored, it is shown as before."""
    moderation = galleries[0].api.services.actions.moderation
    for gallery in galleries:
        await _fill_redis(gallery)
        for place, photo_id in enumerate(map(ids.decode, gallery.photos)):
            if place % 2:
                await moderation.hide(photo_id, by=Decider.MODERATOR, reason="not here")
            else:
                await moderation.hold(photo_id, by=Decider.AUTOMATIC, source="new", period=timedelta(minutes=10))
    for gallery in galleries:
        await _check_reads(gallery, withheld=True)
        await _check_withheld_images(gallery)
        profile = (await gallery.viewers["follower"].call("GET", f"/users/{gallery.author.id}")).expect(200)
        assert profile["photos"] == 0
    for gallery in galleries:
        for photo_id in map(ids.decode, gallery.photos):
            await moderation.restore(photo_id, by=Decider.MODERATOR)
        await _fill_redis(gallery)
        await _check_reads(gallery)
        await _check_images(gallery)
        profile = (await gallery.viewers["follower"].call("GET", f"/users/{gallery.author.id}")).expect(200)
        assert profile["photos"] == 2


@pytest.mark.parametrize("action", ["limit", "suspend"])
async def test_restricted_authors(galleries: list[Gallery], action: str) -> None:
    """Photos of a limited author are in no list of strangers, those of a suspended one nowhere, until that ends."""
    api = galleries[0].api
    judge, reporter = await moderator(api), await api.user()
    decisions = []
    for gallery in galleries:
        await _fill_redis(gallery)
        await report(reporter, "user", gallery.author.id)
        decisions.append(await decide(judge, await case_about(judge, gallery.author.id), action))
    for gallery in galleries:
        await _check_reads(gallery, restricted=action)
        address = gallery.photos[next(iter(gallery.photos))]["urls"]["feed"].partition("?")[0]
        assert (await api.get(address)).status == (404 if action == "suspend" or gallery.private else 200)
    for decision in decisions:
        path = f"/moderation/decisions/{decision['id']}/reversal"
        (await judge.call("POST", path, json={"reason": "A mistake."})).expect(201)
    for gallery in galleries:
        if action == "suspend":
            await gallery.author.sign_in()
        await _fill_redis(gallery)
        await _check_reads(gallery)


async def _check_withheld_images(gallery: Gallery) -> None:
    """No URL that was given before shows an image, and those that the author gets now do."""
    for photo_id, former in gallery.photos.items():
        photo = (await gallery.author.call("GET", f"/photos/{photo_id}")).expect(200)
        assert photo["state"] == "hidden"
        assert photo["moderation"]["state"] in {"hidden", "held"}
        for address in (former["urls"]["feed"], former["urls"]["feed"].partition("?")[0]):
            assert (await gallery.api.get(address)).status == 404
        response = await gallery.api.get(photo["urls"]["feed"])
        assert (response.status, response.headers["Cache-Control"]) == (200, "private, no-store")
        path, _, query = photo["urls"]["feed"].partition("?")
        assert (await gallery.api.get(path)).status == 404
        # The signature for the author does not open the image under its usual path, nor the reverse.
        assert (await gallery.api.get(f"{path.replace('/review', '')}?{query}")).status == 404
        signed = former["urls"]["feed"].partition("?")[2]
        assert (await gallery.api.get(f"{path}?{signed}")).status == 404
        assert (await gallery.author.call("GET", photo["urls"]["original"])).status == 200


async def test_a_narrower_audience_hides_at_once(api: Api) -> None:
    """A photo that is given a narrower audience is gone before the response; with a wider one it is back.

    The number of photos on a profile does not show that there are photos for close friends, or for nobody.
    """
    gallery = await _gallery(api, "ann", private=False)
    close, author = gallery.viewers["close"], gallery.author
    (photo_id,) = (photo_id for photo_id, photo in gallery.photos.items() if photo["audience"] == "public")
    address = gallery.photos[photo_id]["urls"]["feed"]
    assert photo_id in {photo["id"] for photo in await close.feed()}
    for audience, shown in (("only_me", False), ("close_friends", True), ("followers", True), ("public", True)):
        (await author.call("PATCH", f"/photos/{photo_id}", json={"audience": audience})).expect(200)
        assert ((await close.call("GET", f"/photos/{photo_id}")).status == 200) is shown
        if not shown:
            assert photo_id not in {photo["id"] for photo in await close.feed()}
        assert (await gallery.api.get(address)).status == (200 if audience == "public" else 404)
        profile = (await gallery.viewers["stranger"].call("GET", f"/users/{author.id}")).expect(200)
        assert profile["photos"] == (2 if audience in {"public", "followers"} else 1)
    edited = (await author.call("GET", f"/photos/{photo_id}")).expect(200)
    assert edited["edited_at"] is None

    await _check_former_close_friend(gallery)


async def _check_former_close_friend(gallery: Gallery) -> None:
    """A removed close friend loses the photos for close friends at once, in the feed too, and keeps the others."""
    close, author = gallery.viewers["close"], gallery.author
    (photo_id,) = (photo_id for photo_id, photo in gallery.photos.items() if photo["audience"] == "close_friends")
    assert photo_id in {photo["id"] for photo in await close.feed()}
    for method, shown in (("DELETE", False), ("DELETE", False), ("PUT", True), ("PUT", True)):
        (await author.call(method, f"/users/{close.id}/close-friend")).expect(204)
        assert (photo_id in {photo["id"] for photo in await close.feed()}) is shown
        assert ((await close.call("GET", f"/photos/{photo_id}")).status == 200) is shown
        relation = (await author.call("GET", f"/users/{close.id}")).expect(200)["relation"]
        assert relation["close_friend"] is shown
    assert (await close.call("GET", f"/users/{author.id}")).expect(200)["relation"]["close_friend"] is False
    assert (await close.call("GET", "/notifications")).expect(200)["items"] == []


async def test_the_list_of_close_friends(api: Api) -> None:
    """The list has those who are not blocked and exist; a block ends it both ways, and only the owner reads it."""
    ann, bob, cal, dan = [await api.user() for _ in range(4)]
    for friend in (bob, cal, dan):
        (await ann.call("PUT", f"/users/{friend.id}/close-friend")).expect(204)
    (await bob.call("PUT", f"/users/{ann.id}/close-friend")).expect(204)
    listed = (await ann.call("GET", "/users/me/close-friends?limit=2")).expect(200)
    more = (await ann.call("GET", f"/users/me/close-friends?cursor={listed['next']}")).expect(200)
    assert [item["id"] for item in listed["items"] + more["items"]] == sorted((bob.id, cal.id, dan.id), reverse=True)
    (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
    (await ann.call("DELETE", f"/users/{bob.id}/block")).expect(204)
    (await dan.call("DELETE", "/users/me")).expect(202)
    for user, friends in ((ann, [cal.id]), (bob, [])):
        found = (await user.call("GET", "/users/me/close-friends")).expect(200)["items"]
        assert [item["id"] for item in found] == friends
    refused = (await ann.call("PUT", f"/users/{ann.id}/close-friend")).expect(409)
    assert refused["code"] == "not_your_own_friend"
    (await ann.call("PUT", f"/users/{bob.id}/block")).expect(204)
    for one, other in ((ann, bob), (bob, ann), (ann, dan)):
        assert (await one.call("PUT", f"/users/{other.id}/close-friend")).status == 404
    assert (await api.visitor.call("GET", "/users/me/close-friends")).status == 401


async def _check_images(gallery: Gallery) -> None:
    """Without its signature, only the URL of a photo that everyone may see gives the image."""
    for photo_id, photo in gallery.photos.items():
        address = photo["urls"]["feed"]
        public = photo_id in gallery.seen("visitor")
        assert ("?" in address) is not public
        assert (await gallery.api.get(address.partition("?")[0])).status == (200 if public else 404)
        response = await gallery.api.get(address)
        assert response.status == 200
        assert response.headers["Cache-Control"].startswith("public" if public else "private")
        (original,) = (url for name, url in photo["urls"].items() if name == "original")
        for viewer, user in gallery.viewers.items():
            assert ((await user.call("GET", original)).status == 200) is (viewer == "author")


async def _check_stores(gallery: Gallery) -> None:
    """The list from which feeds are built has no photo that the viewer may not see."""
    for viewer in VIEWERS[1:]:
        user_id = ids.decode(gallery.viewers[viewer].id)
        found = await photo_lists.home_ids(gallery.api.services.db, user_id, before=None, limit=100)
        assert {ids.encode(photo_id) for photo_id in found} == gallery.shown(viewer, Shows.FOLLOWED)


async def _check_live_permissions(gallery: Gallery) -> None:
    """The channel of a photo is for its audience, and the recovery of a feed leaves out what is not."""
    services = gallery.api.services
    authorizer = LiveAuthorizer(services.db, services.actions.presence, services.reads)
    stream = FeedStream(
        log=services.stores.feeds,
        cards=services.stores.cards,
        counter_cache=services.counter_cache,
        sign=services.media_urls.sign,
        db=services.db,
    )
    entries = [Entry(offset=1, id=ids.decode(photo_id), removed=False) for photo_id in gallery.photos]
    for viewer in VIEWERS[1:]:
        user_id = ids.decode(gallery.viewers[viewer].id)
        granted = set()
        for photo_id in gallery.photos:
            with suppress(PermissionDeniedError):
                await authorizer.authorize(Identity(user_id=user_id, session="", expires_at=0), f"photo:{photo_id}")
                granted.add(photo_id)
        assert granted == gallery.seen(viewer), viewer
        if viewer in {"follower", "close", "author"}:
            assert len(await stream.publications(user_id, entries)) == len(gallery.seen(viewer)), viewer


def _audiences(gallery: Gallery, found: set[str]) -> list[str]:
    return sorted(gallery.photos[photo_id]["audience"] for photo_id in found)
