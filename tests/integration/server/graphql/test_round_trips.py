"""A query takes as many statements and commands for twenty photos as for one."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from storage import ids
from storage.stores.accounts import users
from storage.stores.comments import comments
from storage.stores.photos import likes
from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.commandstats import calls
from tests.support.community import follow, new_user, ready_photo
from tests.support.graphql_requests import query, send
from tests.support.statements import StatementLog

pytestmark = pytest.mark.engines

PHOTOS = 20
_COMMANDS = ("mget", "evalsha", "hmget")
# Every field that reads, below each photo, its author, and its comments.
_NESTED = """
    id saved captionEntities { user { username } }
    author { username bio followerCount relation { following } followers(first: 1) { nodes { username } }
        following(first: 1) { nodes { username } } photos(first: 2) { nodes { caption saved } }
        collections(first: 1) { nodes { title cover { id } photos(first: 1) { nodes { id } } } } }
    likes(first: 2) { nodes { username bio } }
    comments(first: 2) { nodes {
        text author { username followerCount } photo { caption } replyTo { text }
        replies(first: 1) { nodes { text author { bio } replyTo { author { username } } } }
    } }
"""
_FEED = f"query($first: Int!) {{ viewer {{ feed(first: $first) {{ nodes {{ {_NESTED} }} }} }} }}"
_NODES = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Photo {{ {_NESTED} }} }} }}"


async def _world(api: Api, viewer: ApiUser) -> list[str]:
    """Let a user follow the authors of twenty photos, each with comments, replies and likes; return the photos."""
    db = api.services.db
    me = await users.get(db, ids.decode(viewer.id))
    found = []
    for number in range(PHOTOS):
        author = await new_user(db, f"author{number}")
        await follow(db, me, author)
        photo = await ready_photo(db, author, caption=f"for @author{number}")
        async with db.transaction() as tx:
            for text in ("one", "two"):
                comment, _ = await comments.add(tx, photo_id=photo.id, author_id=author.id, text=text)
                await comments.add(tx, photo_id=photo.id, author_id=me.id, text="yes", reply_to=comment.id)
            await likes.add(tx, photo_id=photo.id, user_id=author.id)
        found.append(f"P-{ids.encode(photo.id)}")
    return found


async def test_a_level_of_a_query_is_read_together(api: Api) -> None:
    """Twenty photos with all that is below them take the statements and commands of one photo."""
    viewer = await api.user("viewer")
    photo_ids = await _world(api, viewer)
    documents: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        (_FEED, {"first": 1}, {"first": PHOTOS}),
        (_NODES, {"ids": photo_ids[:1]}, {"ids": photo_ids}),
    ]
    # What is cached, and each statement's preparation, are not what this is about.
    for document, *several in documents:
        for variables in several:
            await query(viewer, document, **variables)
    log = await StatementLog.open(api.services.db, connections=8)
    for document, one, many in documents:
        counted = []
        for variables in (one, many):
            before = [await calls(api.services.stores.redis, name) for name in _COMMANDS]
            await log.take()
            data = await query(viewer, document, **variables)
            await asyncio.sleep(0)
            # Each connection asks for the type of an array, when it first has one.
            sent = [sql for sql in await log.take() if "typeinfo_tree" not in sql and "'jit'" not in sql]
            statements = Counter(sent)
            after = [await calls(api.services.stores.redis, name) for name in _COMMANDS]
            counted.append((statements, [end - start for start, end in zip(before, after, strict=True)]))
            photos = data["nodes"] if "nodes" in data else data["viewer"]["feed"]["nodes"]
            assert len(photos) == (1 if variables is one else PHOTOS)
            assert all(len(photo["comments"]["nodes"]) == 2 and photo["likes"]["nodes"] for photo in photos)
        assert counted[0] == counted[1]
        assert sum(counted[0][0].values()) < 40


async def test_a_page_of_the_feed_is_one_round_trip(api: Api) -> None:
    """The page, the rate limit and the revocation of the session come with one script, as over REST."""
    viewer = await api.user("viewer")
    document = "{ viewer { feed { nodes { id urls { feed } author { username } } pageInfo { hasNextPage } } } }"
    counted = []
    for text in (document, document, document.replace("feed {", 'feed(after: "x") {', 1), "{ viewer { __typename } }"):
        before = await calls(api.services.stores.redis, "evalsha")
        response = (await send(viewer, text)).expect(200)
        counted.append((await calls(api.services.stores.redis, "evalsha") - before, "errors" in response))
    # The first time a document is charged for its check as well, and the feed is built.
    assert counted[1:] == [(1, False), (2, True), (1, False)]
