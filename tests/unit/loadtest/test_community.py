"""Follows, uploads, token files, and the REST client."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from loadtest.community.layout import MAX_AUTHORS, MAX_OWNERS, make_layout
from loadtest.community.pictures import DEFAULT, Pictures
from loadtest.community.rest import NoResponseError, RestClient
from loadtest.community.token_file import read_tokens, write_tokens
from loadtest.errors import LoadTestError
from loadtest.measures.measures import Measures


def test_authors_are_spread_over_a_ring() -> None:
    """Of 30 users every third uploads, followed by the next two; the last author's followers wrap around."""
    layout = make_layout(30, followers=2, uploads=True, likes=True)
    assert list(layout.followers) == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
    assert layout.followers[27] == (28, 29)
    assert layout.recipients(3) == (3, 4, 5)
    assert layout.owners == tuple(range(30))
    assert make_layout(3, followers=2, uploads=True, likes=False).followers[2] == (0, 1)


@given(st.integers(2, 400), st.integers(0, 500))
def test_no_user_follows_itself_or_another_one_twice(users: int, followers: int) -> None:
    """This holds for any number of users and followers."""
    layout = make_layout(users, followers=followers, uploads=True, likes=True)
    assert len(layout.followers) == min(users, MAX_AUTHORS)
    assert len(set(layout.owners)) == min(users, MAX_OWNERS)
    for author, fans in layout.followers.items():
        assert len({author, *fans}) == 1 + min(followers, users - 1)
        assert all(0 <= fan < users for fan in fans)


def test_a_profile_creates_only_what_it_needs() -> None:
    """Without uploads there are no follows, and without likes no photos to like."""
    layout = make_layout(10, followers=5, uploads=False, likes=False)
    assert (layout.followers, layout.owners) == ({}, ())


def test_variants_of_a_photo_differ_and_are_valid() -> None:
    """Each has other bytes, and decodes to the same picture."""
    pictures = Pictures.read(DEFAULT, "salt")
    first, second = pictures.next(), pictures.next()
    assert first != second
    assert first != Pictures.read(DEFAULT, "other").next()
    with Image.open(io.BytesIO(first)) as one, Image.open(io.BytesIO(second)) as other:
        assert one.size == (640, 427)
        assert one.tobytes() == other.tobytes()


def test_a_file_that_is_not_a_jpeg_is_refused(tmp_path: Path) -> None:
    """A missing file and a PNG give one sentence with the name."""
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    for name, words in (("picture.png", "not a JPEG"), ("none.jpg", "No such file")):
        with pytest.raises(LoadTestError, match=words):
            Pictures.read(tmp_path / name, "")


def test_tokens_are_read_as_they_were_written(tmp_path: Path) -> None:
    """One user per line, readable only by the owner of the file; comments and empty lines are ignored."""
    file = tmp_path / "tokens"
    write_tokens(file, [("a", "ra"), ["b", ""]])
    assert file.stat().st_mode & 0o077 == 0
    file.write_text(f"# users\n\n{file.read_text()}")
    assert read_tokens(file) == (("a", "ra"), ("b", ""))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "contains no tokens"), (b"a b c\n", "Line 1"), (b"\xff\xfe", "not text"), (None, "No such file")],
)
def test_an_invalid_token_file_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    """An empty, malformed, binary or missing file gives one sentence."""
    file = tmp_path / "tokens"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LoadTestError, match=words):
        read_tokens(file)


class Scripted:
    """A REST API that sends the responses of a list in order."""

    def __init__(self, *responses: web.Response) -> None:
        self.responses = list(responses)
        self.paths: list[str] = []

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[tuple[RestClient, Measures]]:
        """Serve on a free port until the end of the block."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._response)
        server, measures = TestServer(app), Measures()
        await server.start_server(access_log=None)
        rest = RestClient(str(server.make_url("")).rstrip("/"), None, measures)
        try:
            yield rest, measures
        finally:
            await rest.close()
            await server.close()

    async def _response(self, request: web.Request) -> web.Response:
        self.paths.append(f"{request.method} {request.path}")
        return self.responses.pop(0)


def limited(policy: str | None, after: str = "0") -> web.Response:
    """Return a 429."""
    headers = {"Retry-After": after, **({"RateLimit-Policy": policy} if policy else {})}
    return web.json_response({"detail": "come back later"}, status=429, headers=headers)


async def test_a_retried_request_waits_for_a_limit_and_names_the_setting() -> None:
    """It is repeated after 429 and 503; meanwhile the notice names the setting to raise."""
    script = Scripted(
        limited('"sign_up_address";q=1000;w=3600'),
        limited(None),
        web.Response(status=503, headers={"Retry-After": "0"}),
        web.json_response({"id": 1}, status=201),
    )
    notices: list[str] = []
    async with script.serving() as (rest, measures):
        original = rest.request

        async def ask(*request: object, **options: object) -> object:
            notices.append(rest.notice)
            return await original(*request, **options)  # type: ignore[arg-type]

        rest.request = ask  # type: ignore[method-assign,assignment]
        response = await rest.request_with_retry("POST", "/users", json={})
        assert (response.status, rest.notice) == (201, "")
    assert "raise limits.sign_up_address (PICSHARE_LIMITS__SIGN_UP_ADDRESS)" in notices[1]
    assert "in front of PicShare" in notices[2]
    assert "busy" in notices[3]
    assert measures.counts == {"limited sign_up_address": 1, "limited unknown": 1}
    assert script.paths == ["POST /api/v1/users"] * 4


async def test_a_measured_request_is_not_repeated() -> None:
    """A measured request is sent once; its duration counts only if it succeeds."""
    async with Scripted(limited('"likes";q=1;w=60', "7"), web.json_response({})).serving() as (rest, measures):
        response = await rest.request("PUT", "/photos/p/like", name="request like")
        assert (response.status, response.limit, response.retry_after) == (429, "likes", 7.0)
        assert measures.duration("request like").number == 0
        await rest.request("PUT", "/photos/p/like", name="request like")
        assert measures.duration("request like").number == 1


async def test_a_missing_response_has_a_reason() -> None:
    """A port without a server is a refused connection."""
    rest = RestClient("http://127.0.0.1:1", None, Measures())
    try:
        with pytest.raises(NoResponseError, match=r"^connection refused$"):
            await rest.request("GET", "/feed")
    finally:
        await rest.close()
