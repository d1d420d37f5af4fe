"""The API while an engine is away, as the table in docs/operation.md says."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from storage import ids
from storage.blobs.keys import variant_key
from storage.cache.cards import card_key
from storage.models import PhotoAudience
from storage.stores.accounts import users
from tests.engines.private import free_port
from tests.support.api_user import PASSWORD, ApiUser, Response
from tests.support.community import ready_photo
from tests.support.documents import codes_in, table_rows
from tests.support.eventually import eventually
from tests.support.pictures import PHOTOS
from tests.support.proxied_process import ProxiedProcess, proxied_process

pytestmark = pytest.mark.engines

DATA = (PHOTOS / "cat.jpg").read_bytes()
SHA256 = hashlib.sha256(DATA).hexdigest()
COLUMNS = ("home feed", "other pages", "images", "likes", "uploads", "sign-in", "token refresh", "sign-out")
TABLE = {row[0]: row[1:] for row in table_rows("docs/operation.md", "Degraded modes")}
# What is away, and how: the engines behind proxies refuse connections, or are silent.
CASES = [("nothing", ""), ("RabbitMQ", ""), ("the object store", "")]
CASES += [(mode, how) for mode in ("Redis", "PostgreSQL", "Redis and PostgreSQL") for how in ("away", "frozen")]


@pytest.fixture
def redis_url(real_redis_url: str) -> str:
    """One engine is enough here."""
    return real_redis_url


@pytest.fixture
async def process(database_dsn: str, redis: Any, redis_url: str, tmp_path: Path) -> AsyncIterator[ProxiedProcess]:
    """A process on empty engines."""
    async with proxied_process(database_dsn, redis_url, tmp_path) as process:
        yield process


async def photo_of(process: ProxiedProcess, author: ApiUser, **fields: Any) -> str:
    """Create a photo without the workers, with an image of one size; return its id."""
    account = await users.get(process.stores.db, ids.decode(author.id))
    photo = await ready_photo(process.stores.db, account, **fields)
    key = variant_key(photo.sha256, 1, "320.jpg")
    await process.stores.blobs.put(key, b"variant", content_type="image/jpeg")
    return ids.encode(photo.id)


def expect_refusal(response: Response) -> None:
    """Check that a 503 is a problem that says when to try again."""
    assert response.json["code"] in {"unavailable", "busy"}, response.body
    assert int(response.headers["Retry-After"]) > 0


def test_the_table_has_every_case() -> None:
    """Each row of the table is tested, and each tested mode is a row."""
    assert list(TABLE) == sorted({mode for mode, _ in CASES}, key=list(TABLE).index)
    assert all(len(row) == len(COLUMNS) + 1 for row in TABLE.values())


@pytest.mark.parametrize("case", CASES, ids=[f"{mode} {how}".strip().replace(" ", "-") for mode, how in CASES])
async def test_the_table_is_true(
    case: tuple[str, str], database_dsn: str, redis_url: str, redis: Any, tmp_path: Path
) -> None:
    """Each kind of request has the status of the table, within the time limits of the engines."""
    mode, how = case
    blobs = {"url": f"file:{tmp_path / 'blobs'}"}
    away = {"url": f"s3://photos?endpoint=http://127.0.0.1:{free_port()}", "access_key": "id", "secret_key": "secret"}
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(proxied_process(database_dsn, redis_url, tmp_path, blobs=blobs))
        user = await process.user()
        shown = await photo_of(process, user, sha256=SHA256)
        (await user.call("GET", "/feed")).expect(200)
        if mode == "the object store":
            process = await stack.enter_async_context(proxied_process(database_dsn, redis_url, tmp_path, blobs=away))
            user.url = process.url
        for name, engine in (("Redis", process.redis), ("PostgreSQL", process.database)):
            if name in mode:
                await engine.leave(how)
        async with asyncio.timeout(60):
            answers = await all_kinds(user, shown)
            status, missing = await process.readiness()
        assert {name: str(answer.status) for name, answer in answers.items()} == dict(
            zip(COLUMNS, TABLE[mode], strict=False)
        )
        for answer in answers.values():
            if answer.status == 503:
                expect_refusal(answer)
        assert missing == codes_in(TABLE[mode][-1])
        assert status == (503 if len(missing) == 2 else 200)
        await process.watch.measure()
        up = await process.values("picshare_dependency_up", "dependency")
        assert sorted(name for name, value in up.items() if not value) == missing


async def all_kinds(user: ApiUser, photo_id: str) -> dict[str, Response]:
    """Send a request of each kind, and return the answers by the columns of the table."""
    credentials = {"username": user.name, "password": PASSWORD}
    visitor = ApiUser(user._session, user.url, "visitor")
    refresh = {"refresh_token": user._refresh}
    calls = {
        "home feed": user.call("GET", "/feed"),
        "other pages": pages(user, visitor, photo_id),
        "images": user.call("GET", f"/media/r1/{SHA256}/320.jpg"),
        "likes": user.call("PUT", f"/photos/{photo_id}/like"),
        "uploads": user.try_upload(DATA),
        "sign-in": visitor.call("POST", "/tokens", json=credentials),
        "token refresh": visitor.call("POST", "/tokens/refresh", json=refresh),
    }
    found = dict(zip(calls, await asyncio.gather(*calls.values()), strict=True))
    return found | {"sign-out": await user.call("DELETE", "/tokens/current")}


async def pages(user: ApiUser, visitor: ApiUser, photo_id: str) -> Response:
    """Request pages of each kind, which must have one status; return one of the answers."""
    paths = (f"/users/{user.name}", f"/users/{user.id}/photos", f"/photos/{photo_id}", f"/photos/{photo_id}/comments")
    calls = [reader.call("GET", path) for reader in (user, visitor) for path in (*paths, "/photos")]
    calls += [user.call("GET", path) for path in ("/notifications", "/notifications/counters", "/users/me")]
    answers = await asyncio.gather(*calls)
    assert len({answer.status for answer in answers}) == 1, [(item.status, item.body[:200]) for item in answers]
    return answers[0]


async def test_the_same_page_from_the_database(process: ProxiedProcess) -> None:
    """Without Redis a page has the same photos, likes and links to the next page, and says that it is degraded."""
    ann, ben = await process.user(), await process.user()
    await ben.follow(ann)
    photos = [await photo_of(process, ann, caption=f"number {number}") for number in range(5)]
    await photo_of(process, ann, audience=PhotoAudience.ONLY_ME)
    (await ben.call("PUT", f"/photos/{photos[1]}/like")).expect(200)
    expected = await all_pages(ben)
    assert [item["id"] for item in expected] == photos[::-1]
    await process.redis.leave("away")
    assert await all_pages(ben) == expected
    response = await ben.call("GET", "/feed")
    assert (response.headers["PicShare-Degraded"], response.json["stream"]) == ("redis", None)
    profile = (await ben.call("GET", f"/users/{ann.id}/photos")).expect(200)["items"]
    assert profile == expected
    await process.redis.come_back()

    async def whole() -> bool:
        return "PicShare-Degraded" not in (await ben.call("GET", "/feed")).headers

    await eventually(whole, within=30)
    assert await all_pages(ben) == expected
    (await ben.call("DELETE", f"/photos/{photos[1]}/like")).expect(200)


async def test_sessions_that_have_ended_without_redis(process: ProxiedProcess) -> None:
    """A session that ended before Redis left, or meanwhile, is refused at once; others of the user go on."""
    user = await process.user()
    tokens = [user.token]
    for _ in range(2):
        await user.sign_in()
        tokens.append(user.token)
    user.token = tokens[0]
    (await user.call("DELETE", "/tokens/current")).expect(204)
    await process.redis.leave("away")
    user.token = tokens[1]
    (await user.call("GET", "/users/me")).expect(200)
    (await user.call("DELETE", "/tokens/current")).expect(204)
    statuses = []
    for user.token in tokens:
        statuses += [(await user.call("GET", path)).status for path in ("/users/me", "/feed")]
    assert statuses == [401, 401, 401, 401, 200, 200]


async def test_limits_of_reads_without_redis(database_dsn: str, redis_url: str, redis: Any, tmp_path: Path) -> None:
    """The process counts for itself: users and visitors are refused as before, each by their limit."""
    limits = {"reads": "3/m", "anonymous": "4/m"}
    async with proxied_process(database_dsn, redis_url, tmp_path, limits=limits) as process:
        user = await process.user()
        await process.redis.leave("away")
        found = [await user.call("GET", path) for path in ("/feed", "/users/me", "/feed", "/users/me")]
        assert [response.status for response in found] == [200, 200, 200, 429]
        assert found[2].headers["RateLimit"].startswith('"reads";r=0;')
        assert int(found[3].headers["Retry-After"]) > 0
        user.token = ""
        assert [(await user.call("GET", "/photos")).status for _ in range(5)] == [200] * 4 + [429]


async def test_a_page_without_the_database_lacks_what_must_be_checked(process: ProxiedProcess) -> None:
    """Photos for close friends are left out, as are those without a card; the page says so."""
    ann, ben = await process.user(), await process.user()
    await ben.follow(ann)
    (await ann.call("PUT", f"/users/{ben.id}/close-friend")).expect(204)
    shown = await photo_of(process, ann, caption="for all")
    circle = await photo_of(process, ann, audience=PhotoAudience.CLOSE_FRIENDS)
    uncached = await photo_of(process, ann, caption="its card is lost")
    assert [item["id"] for item in await ben.feed()] == [uncached, circle, shown]
    await process.stores.redis.execute_command("DEL", card_key(ids.decode(uncached)))
    await process.database.leave("away")
    response = await ben.call("GET", "/feed")
    assert [item["id"] for item in response.expect(200)["items"]] == [shown]
    assert response.headers["PicShare-Degraded"] == "database"
    await process.database.come_back()

    async def whole() -> bool:
        response = await ben.call("GET", "/feed")
        return "PicShare-Degraded" not in response.headers and len(response.json["items"]) == 3

    await eventually(whole, within=30)


async def test_a_slow_redis_is_not_away(process: ProxiedProcess) -> None:
    """Answers that take a while are waited for, and one that has lost its data is filled as it is read."""
    ann = await process.user()
    photo = await photo_of(process, ann)
    process.redis.proxy.delay_by(0.1)
    await process.redis.proxy.cut()
    response = await ann.call("GET", "/feed")
    assert [item["id"] for item in response.expect(200)["items"]] == [photo]
    assert "PicShare-Degraded" not in response.headers
    (await ann.call("PUT", f"/photos/{photo}/like")).expect(200)
    await process.stores.redis.execute_command("FLUSHALL")
    response = await ann.call("GET", "/feed")
    assert [item["likes"] for item in response.expect(200)["items"]] == [1]
    assert "PicShare-Degraded" not in response.headers


async def all_pages(user: ApiUser) -> list[dict[str, Any]]:
    """Return the home feed, read two photos at a time."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await user.call("GET", "/feed", params=query)).expect(200)
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found
