"""Abuse of input: each test states the attempt and the expected response."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage.ids import MAX_ID, encode
from tests.support.api import Api
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

NASTY = (
    "'; DROP TABLE users; --",
    '" OR "1"="1',
    "$1) RETURNING *; --",
    "%s %(x)s {0} ${x}",
    "\r\nSET hacked 1\r\n",
    "*3\r\n$3\r\nSET\r\n",
    "card:*",
    "{1}:feed",
    "<script>alert(1)</script>",
    "\\x00 \\u0000",
    "👩🏽‍🚀 ﷽ Ω≈ç√∫",
)


async def test_the_same_idempotency_key_has_one_effect(api: Api) -> None:
    """The same body is replayed, another body is a 422, and another user's key is independent."""
    ann, bob = await api.user(), await api.user()
    first = await ann.try_upload(photograph(), "one", key="k1")
    again = await ann.try_upload(photograph(), "one", key="k1")
    assert first.expect(201) == again.expect(201)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    for picture, caption in ((photograph(), "two"), (photograph("temple"), "one")):
        assert (await ann.try_upload(picture, caption, key="k1")).expect(422)["code"] == "idempotency_key_reused"
    other = (await bob.try_upload(photograph(), "one", key="k1")).expect(201)
    assert other["id"] != first.json["id"]
    assert len((await ann.call("GET", f"/users/{ann.id}/photos")).expect(200)["items"]) == 1


async def test_100_at_once_with_one_key_have_one_effect(api: Api) -> None:
    """Of a hundred simultaneous comments with one key one is created; the others replay it or get a 409."""
    ann = await api.user()
    photo = await ann.upload(photograph())
    path, headers = f"/photos/{photo['id']}/comments", {"Idempotency-Key": "k"}
    # More requests than the rate limit allows would be refused before the key is checked.
    responses = await asyncio.gather(
        *(ann.call("POST", path, json={"text": "once"}, headers=headers) for _ in range(100))
    )
    assert set(Counter(response.status for response in responses)) <= {201, 409}
    written = {response.json["id"] for response in responses if response.status == 201}
    assert len(written) == 1
    fresh = [item for item in responses if item.status == 201 and "Idempotent-Replayed" not in item.headers]
    assert len(fresh) == 1
    for response in responses:
        if response.status == 409:
            assert response.json["code"] == "idempotency_key_in_use"
            assert response.headers["Retry-After"] == "1"
    assert len((await ann.call("GET", path)).expect(200)["items"]) == 1


async def test_a_failed_creation_does_not_use_its_key(api: Api) -> None:
    """The key of a refused request can be used for the corrected one."""
    ann = await api.user()
    headers = {"Idempotency-Key": "k"}
    missing = f"/photos/{encode(5)}/comments"
    (await ann.call("POST", missing, json={"text": "x"}, headers=headers)).expect(404)
    (await ann.call("POST", missing, json={"text": "x"}, headers=headers)).expect(404)


async def test_a_malformed_key_is_a_400(api: Api) -> None:
    """An empty or too long key is a 400 that names the header."""
    ann = await api.user()
    for key in (" ", "x" * 256, "ü"):
        problem = await ann.call(
            "POST", f"/photos/{encode(5)}/comments", json={"text": "x"}, headers={"Idempotency-Key": key}
        )
        assert problem.expect(400)["errors"][0]["field"] == "Idempotency-Key", key


async def test_malformed_limits_are_400_with_the_field_s_name(api: Api) -> None:
    """A limit must be a number from 1 to 100."""
    ann = await api.user()
    for limit in ("0", "-1", "101", "9" * 21, "ten", "1.5", "", "1;DROP", "1_0", "+5", " 5", "5.0", "\u0665"):
        for path in ("/feed", "/photos", "/notifications", "/lists", f"/users/{ann.id}/followers"):
            problem = (await ann.call("GET", path, params={"limit": limit})).expect(400)
            assert problem["errors"][0]["field"] == "limit", (path, limit)


async def test_malformed_ids_are_400_with_the_field_s_name(api: Api) -> None:
    """An id must have 13 characters of its alphabet and at most 63 bits."""
    ann = await api.user()
    for text in ("1", "-1", "0" * 14, "ILOU000000000", "ZZZZZZZZZZZZZ", "'%20OR%201=1--", "%00", "🙂"):
        for method, path in (
            ("GET", "/photos/{}"),
            ("DELETE", "/photos/{}"),
            ("PUT", "/photos/{}/like"),
            ("GET", "/photos/{}/comments"),
            ("DELETE", "/comments/{}"),
            ("PUT", "/comments/{}/like"),
            ("PUT", "/comments/{}/pin"),
            ("GET", "/comments/{}/replies"),
            ("PUT", "/users/{}/follow"),
            ("GET", "/lists/{}"),
            ("DELETE", "/lists/{}"),
            ("GET", "/lists/{}/accounts"),
            ("GET", "/users/{}/lists"),
        ):
            problem = (await ann.call(method, path.format(text))).expect(400)
            assert problem["errors"][0]["field"] == "id", (method, path, text)
        assert (await ann.call("GET", f"/users/{text}")).status == 404
    assert (await ann.call("GET", f"/photos/{encode(MAX_ID)}")).status == 404


async def test_malformed_cursors_are_400_with_the_field_s_name(api: Api) -> None:
    """A cursor that was invented, truncated, changed, or taken from another list is refused."""
    ann, bob = await api.user(), await api.user()
    for _ in range(2):
        await api.finish(await ann.upload(photograph()))
    mine = (await api.visitor.call("GET", "/photos?limit=1")).expect(200)["next"]
    feed = (await ann.call("GET", "/feed?limit=1")).expect(200)["next"]
    hers = (await ann.call("GET", f"/users/{ann.id}/photos?limit=1")).expect(200)["next"]
    assert len({mine, feed, hers}) == 3
    wrong = {
        "/photos": [
            feed,
            hers,
            mine[:-1],
            mine + "A",
            mine[:8] + ("A" if mine[8] != "A" else "B") + mine[9:],
            "-1",
            "0",
            "x" * 5000,
            "é",
            "",
        ],
        "/feed": [mine, hers],
        f"/users/{bob.id}/photos": [hers],
        "/photos?tag=x": [mine],
        "/notifications": [feed],
        f"/users/{ann.id}/followers": [mine],
        "/users?query=a": [mine],
    }
    for path, cursors in wrong.items():
        for cursor in cursors:
            joint = "&" if "?" in path else "?"
            problem = (await ann.call("GET", f"{path}{joint}cursor={cursor}")).expect(400)
            assert problem["errors"][0]["field"] == "cursor", (path, cursor)
    (await api.visitor.call("GET", f"/photos?cursor={mine}")).expect(200)


async def test_stored_script_is_data_under_a_strict_policy(api: Api) -> None:
    """Scripts in captions, names, comments and tags are returned unchanged, as JSON that browsers do not run."""
    ann = await api.user()
    script = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    (await ann.call("PATCH", "/users/me", json={"display_name": script, "bio": script})).expect(200)
    photo = await ann.upload(photograph(), script)
    response = await ann.call("POST", f"/photos/{photo['id']}/comments", json={"text": script})
    assert response.expect(201)["text"] == script
    assert response.headers["Content-Type"].startswith("application/json")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    found = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)
    assert (found["caption"], found["author"]["display_name"]) == (script, script)
    (await ann.call("PATCH", f"/photos/{photo['id']}", json={"tags": [script]})).expect(422)


async def test_sql_and_redis_keys_cannot_be_injected(api: Api) -> None:
    """Hostile texts in every field are stored as text or refused, without any other effect."""
    ann = await api.user()
    photo = await ann.upload(photograph())
    for text in NASTY:
        line = " ".join(text.split())
        change = {"caption": text, "alt_text": text}
        changed = (await ann.call("PATCH", f"/photos/{photo['id']}", json=change)).expect(200)
        assert changed["caption"] == text.replace("\r\n", "\n").strip()
        me: dict[str, Any] = {"bio": text, "settings": {"key": text}}
        assert (await ann.call("PATCH", "/users/me", json=me)).expect(200)["settings"] == {"key": text}
        comment = await ann.call("POST", f"/photos/{photo['id']}/comments", json={"text": text})
        assert comment.expect(201)["text"] == text.replace("\r\n", "\n").strip()
        for path, name in (("/users", "query"), ("/photos", "tag")):
            response = await ann.call("GET", path, params={name: line})
            assert response.status in {200, 400}, (path, text)
        (await ann.call("POST", "/tokens", json={"username": text, "password": text})).expect(401)
        key = {"Idempotency-Key": line.encode("ascii", "replace").decode().replace(" ", "_")}
        again = await ann.call("POST", f"/photos/{photo['id']}/comments", json={"text": "x"}, headers=key)
        again.expect(201)
    (await ann.call("GET", "/users/me")).expect(200)
    assert (await ann.call("GET", f"/users/{ann.id}")).expect(200)["photos"] == 0


async def test_nul_and_broken_unicode_are_refused_everywhere(api: Api) -> None:
    """Text that PostgreSQL cannot store is a 4xx, never a 500."""
    ann = await api.user()
    photo = await ann.upload(photograph())
    bodies: list[tuple[str, str, Any]] = [
        ("PATCH", "/users/me", {"display_name": "a\x00"}),
        ("PATCH", "/users/me", {"bio": "a\x00"}),
        ("PATCH", "/users/me", {"settings": {"a": "\x00"}}),
        ("PATCH", "/users/me", {"settings": {"\x00": 1}}),
        ("PATCH", f"/photos/{photo['id']}", {"caption": "a\x00"}),
        ("PATCH", f"/photos/{photo['id']}", {"tags": ["a\x00"]}),
        ("PATCH", f"/photos/{photo['id']}", {"location": "a\x00"}),
        ("POST", f"/photos/{photo['id']}/comments", {"text": "a\x00"}),
        ("POST", "/lists", {"title": "a\x00"}),
        ("POST", "/tokens", {"username": "a\x00", "password": "a\x00"}),
    ]
    for method, path, body in bodies:
        assert (await ann.call(method, path, json=body)).status in {401, 422}, (method, path, body)
    for raw in (b'{"bio": "\\ud800"}', b'{"bio": "\xff"}', b"[1", b'"text"', b"null", b"[" * 10_000, b'{"a": NaN}'):
        response = await ann.call("PATCH", "/users/me", data=raw, headers={"Content-Type": "application/json"})
        assert response.status in {400, 422}, raw[:20]
    for path in ("/users?query=%00", "/photos?tag=%00", "/users/a%00b", "/photos?cursor=%00", "/users?query=%ff"):
        assert (await ann.call("GET", path)).status in {200, 400, 404}, path


async def test_a_compressed_json_body_is_refused(api: Api) -> None:
    """It is a 415, also where aiohttp could expand it."""
    ann = await api.user()
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = await ann.call("PATCH", "/users/me", data=gzip.compress(b'{"bio": "x"}'), headers=headers)
    assert response.expect(415)["code"] == "unsupported_encoding"


async def in_chunks() -> AsyncIterator[bytes]:
    """Yield a JSON body of 100 KB, which is sent without a declared length."""
    yield b'{"bio": "'
    for _ in range(10):
        yield b"x" * 10_000
    yield b'"}'


async def test_a_huge_or_deep_body_is_refused(api: Api) -> None:
    """A body beyond 64 KB is a 413, and settings beyond their own limit are a 422."""
    ann = await api.user()
    response = await ann.call("PATCH", "/users/me", json={"bio": "x" * 100_000})
    assert response.expect(413)["code"] == "body_too_large"
    response = await ann.call("PATCH", "/users/me", data=in_chunks(), headers={"Content-Type": "application/json"})
    assert response.expect(413)["code"] == "body_too_large"
    (await ann.call("PATCH", "/users/me", json={"settings": {"a": "x" * 10_000}})).expect(422)
    deep = json.loads("[" * 500 + "]" * 500)
    assert (await ann.call("PATCH", "/users/me", json={"settings": {"a": deep}})).status in {200, 422}
