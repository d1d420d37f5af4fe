"""Search over the API: shapes, pages, and input that means harm."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from server.actions.search import Results, SearchActions
from storage.postgres.database import Database
from storage.postgres.reads import PrimaryReads
from storage.search_text import parse
from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.community import new_user, ready_photo
from tests.support.eventually import DEADLINE, PROMPTLY, eventually
from tests.support.pictures import photograph
from workers.jobs.discovery.search_index import SearchIndexer

pytestmark = pytest.mark.engines


async def search(user: ApiUser, q: str, **query: str) -> Any:
    """Return the JSON of a search."""
    return (await user.call("GET", "/search", params={"q": q, **query})).expect(200)


async def test_a_search_finds_users_tags_and_photos(api: Api) -> None:
    """All kinds come together, or one kind as a list; users say whether the viewer follows them."""
    ann, bob = await api.user("seaside"), await api.user("bob")
    photo = await ann.upload(photograph(), "The sea")
    edited = await ann.call("PATCH", f"/photos/{photo['id']}", json={"tags": ["seagull"], "caption": "By the sea"})
    edited.expect(200)
    await api.finish(photo)
    await SearchIndexer(api.services.db).count_tags()
    await bob.follow(ann)
    found = await search(bob, "sea")
    user = {key: found["users"][0][key] for key in ("id", "username", "following")}
    assert user == {"id": ann.id, "username": "seaside", "following": True}
    assert found["tags"] == [{"tag": "seagull", "photos": 1}]
    assert [(item["id"], item["author"]["username"]) for item in found["photos"]] == [(photo["id"], "seaside")]
    assert found["partial"] is False
    for kind in ("users", "tags", "photos"):
        page = await search(bob, "sea", type=kind)
        assert page == {"items": found[kind], "next": None, "partial": False}
    assert (await search(api.visitor, "sea"))["users"][0]["following"] is False
    assert await search(bob, "nothing") == {"users": [], "tags": [], "photos": [], "partial": False}


@pytest.mark.parametrize("kind", ["users", "tags", "photos"])
async def test_pages_of_a_search_have_each_result_once(api: Api, kind: str) -> None:
    """The pages of a list, one after the other, are the list; a cursor belongs to its text and type."""
    db = api.services.db
    authors = [await new_user(db, f"sea_{number}") for number in range(5)]
    for author in authors:
        await ready_photo(db, author, caption="sea", tags=[f"sea{author.username[-1]}"])
    await SearchIndexer(db).count_tags()
    whole = (await search(api.visitor, "sea", type=kind))["items"]
    assert len(whole) == 5
    items: list[Any] = []
    cursor, cursors = None, []
    while cursor is not None or not items:
        page = await search(api.visitor, "sea", type=kind, limit="2", **({"cursor": cursor} if cursor else {}))
        items += page["items"]
        cursor = page["next"]
        cursors.append(cursor)
    assert items == whole
    assert len(cursors) == 3
    other = "tags" if kind == "users" else "users"
    for query in ({"q": "sea", "type": other}, {"q": "se", "type": kind}, {"q": "sea"}):
        refused = await api.visitor.call("GET", "/search", params={**query, "cursor": cursors[0]})
        assert refused.expect(400)["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize(
    ("q", "status"),
    [
        ("", 400),
        (" \u200b ", 400),
        ("a" * 100, 200),
        ("a" * 101, 400),
        ("x" * 8_000, 400),
        ("a\0b", 400),
        ("\u202eabc", 400),  # reverses what follows
        ("a" + "\u0301" * 9, 400),
        ("%%%%", 200),
        ("_%_\\%", 200),
        ("'\"`;--", 200),
        ("'); DROP TABLE users; --", 200),
        ("& | ! <-> :* ( )", 200),
        ("مرحبا بالعالم", 200),
        ("👩🏽‍🚀 ﷽ Ω≈ç√∫", 200),
        ("\U0010ffff\ue000", 200),
        ("*" * 100, 200),
        (" ".join("abcdefghijklmnopqrstuvwxyz"), 200),
    ],
)
async def test_any_text_is_searched_for_or_refused(api: Api, q: str, status: int) -> None:
    """No text is an error of the service, and none is a pattern."""
    await new_user(api.services.db, "ann")
    for kind in ("all", "users", "tags", "photos"):
        response = await api.visitor.call("GET", "/search", params={"q": q, "type": kind})
        response.expect(status)
        if status == 200 and kind == "users" and "a" not in q:
            assert response.json["items"] == []
    for query in ({"q": "ann", "type": "people"}, {"q": "ann", "limit": "101"}, {"type": "users"}):
        (await api.visitor.call("GET", "/search", params=query)).expect(400)


async def test_a_repeated_search_is_not_sent_again(api: Api) -> None:
    """A client that has the results gets a 304, until they change."""
    await new_user(api.services.db, "ann")
    first = await api.visitor.call("GET", "/search", params={"q": "ann"})
    again = {"If-None-Match": first.headers["ETag"]}
    same = await api.visitor.call("GET", "/search", params={"q": "ann"}, headers=again)
    assert (same.status, same.body, same.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert first.headers["Cache-Control"] == same.headers["Cache-Control"] == "private, no-cache"
    await new_user(api.services.db, "anna")
    changed = await api.visitor.call("GET", "/search", params={"q": "ann"}, headers=again)
    assert len(changed.expect(200)["users"]) == 2


async def test_an_unsearchable_account_is_found_by_nobody(api: Api) -> None:
    """The setting hides it from both searches, and its profile can still be opened."""
    ann = await api.user("ann")
    assert (await ann.call("GET", "/users/me")).expect(200)["searchable"] is True
    assert (await ann.call("PATCH", "/users/me", json={"searchable": False})).expect(200)["searchable"] is False
    assert (await search(ann, "ann", type="users"))["items"] == []
    assert (await api.visitor.call("GET", "/users?query=ann")).expect(200)["items"] == []
    (await api.visitor.call("GET", "/users/ann")).expect(200)


class Recorded:
    """Metrics that keep what they are given."""

    def __init__(self) -> None:
        self.searches: list[tuple[str, bool]] = []

    def search_done(self, *, kind: str, seconds: float, partial: bool) -> None:
        """Keep the kind, and whether the results are partial."""
        assert 0 <= seconds < DEADLINE
        self.searches.append((kind, partial))


async def test_what_takes_too_long_is_left_out(database: Database) -> None:
    """The statement is cancelled in the database, the results so far are returned, and the connection stays usable."""
    ann = await new_user(database, "ann")
    await ready_photo(database, ann, caption="ann")
    metrics, results = Recorded(), Results()
    actions = SearchActions(PrimaryReads(database), metrics, timeout=0.2)
    patient = SearchActions(PrimaryReads(database), metrics, timeout=DEADLINE)
    await patient.users(parse("ann"), results, None)
    async with database.transaction() as tx:
        await tx.execute("LOCK TABLE photo_text IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        await actions.photos(parse("ann"), results, None, before=None, limit=5)
        assert time.monotonic() - started < PROMPTLY
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%photo_text%'"
        await eventually(lambda: _is_zero(database, waiting))
    assert ([one.user.username for one in results.users], results.photos, results.partial) == (["ann"], [], True)
    again = Results()
    await asyncio.gather(*(patient.photos(parse("ann"), again, None, before=None, limit=5) for _ in range(10)))
    assert (len(again.photos), again.partial) == (1, False)
    assert metrics.searches[:2] == [("users", False), ("photos", True)]


async def _is_zero(database: Database, sql: str) -> bool:
    return bool(await database.fetchval(sql) == 0)
