"""The shipped configuration of nginx: what it caches, for whom, and what it passes on."""

from __future__ import annotations

import asyncio
import hashlib
import io
import subprocess
import time
from pathlib import Path

import pytest

from server.media.urls import MediaUrls
from tests.engines.nginx import Nginx, nginx_binary
from tests.integration.deploy.conftest import Edge
from tests.support.api import SECRET
from tests.support.eventually import DEADLINE, eventually
from tests.support.scripted_origin import Answer

pytestmark = pytest.mark.engines

SHA256 = hashlib.sha256(b"a photo").hexdigest()
PREFIX = f"/media/r1/{SHA256}/"
IMAGE = f"{PREFIX}320.webp"
MISSING = Answer(status=404, cache="public, max-age=1")
PRIVATE = Answer(cache="private, max-age=3000, immutable")
PURGE_KEY = "088203800700e99d3f8498069583a80e"  # of SECRET; see deploy/nginx/keys

_LOGGED = [["MISS", "200"], ["HIT", "200"], ["HIT", "200"], ["HIT", "304"]]


def signed(path: str = IMAGE, *, age: float = 0) -> str:
    """Return a path with a signature that was made `age` seconds ago."""
    urls = MediaUrls(SECRET, form="nginx", clock=lambda: time.time() - age)
    return f"{path}?{urls.sign(PREFIX)}"


def test_nginx_accepts_the_files_without_a_warning(short_dir: Path) -> None:
    """The check that operators do before a reload."""
    config = Nginx(short_dir, api=[1, 2, 3], live=[4, 5], secret=SECRET.decode()).write()
    command = [nginx_binary(), "-t", "-p", str(short_dir), "-c", str(config), "-e", "stderr"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "[warn]" not in result.stderr


async def test_an_image_is_cached_under_its_path(edge: Edge) -> None:
    """The first request asks the origin, the next ones do not, whatever their query; cookies are not kept."""
    edge.origin.answers[IMAGE] = Answer(headers={"ETag": '"abc"'})
    replies = [await edge.get(path) for path in (IMAGE, IMAGE, f"{IMAGE}?x=1")]
    assert [reply.cache for reply in replies] == ["MISS", "HIT", "HIT"]
    assert {reply.body for reply in replies} == {b"image"}
    assert (await edge.get(IMAGE, If_None_Match='"abc"')).status == 304
    assert edge.origin.count(IMAGE) == 1
    await eventually(lambda: [line.split()[:2] for line in edge.nginx.log.read_text().splitlines()] == _LOGGED)


async def test_first_requests_at_once_are_one_for_the_origin(edge: Edge) -> None:
    """Of fifty first requests for an image, the origin gets one."""
    edge.origin.answers[IMAGE] = Answer()
    edge.origin.gate.clear()
    requests = [asyncio.create_task(edge.get(IMAGE)) for _ in range(50)]
    await eventually(lambda: edge.origin.count(IMAGE) > 0)
    edge.origin.gate.set()
    assert {reply.status for reply in await asyncio.gather(*requests)} == {200}
    assert edge.origin.count(IMAGE) == 1


async def test_a_range_is_served_from_the_cache(edge: Edge) -> None:
    """The origin is asked for the whole image, and the client gets its range."""
    edge.origin.answers[IMAGE] = Answer(body=b"0123456789")
    for state in ("MISS", "HIT"):
        reply = await edge.get(IMAGE, Range="bytes=2-4")
        assert (reply.status, reply.body, reply.cache) == (206, b"234", state)
    assert "Range" not in edge.origin.requests[0].headers


async def test_a_video_is_cached_whole_and_served_in_parts(edge: Edge) -> None:
    """Players ask for ranges: the first one fills the cache, public or signed, and the others are served from it."""
    path = f"{PREFIX}video.mp4"
    edge.origin.answers[path] = Answer(body=b"0123456789")
    for wanted, body, state in (("bytes=0-1", b"01", "MISS"), ("bytes=8-", b"89", "HIT"), ("bytes=-3", b"789", "HIT")):
        reply = await edge.get(path, Range=wanted)
        assert (reply.status, reply.body, reply.cache) == (206, body, state)
    edge.origin.answers[path] = Answer(body=b"0123456789", cache=PRIVATE.cache)
    for state in ("MISS", "HIT"):
        reply = await edge.get(signed(path), Range="bytes=2-4")
        assert (reply.status, reply.body, reply.cache) == (206, b"234", state)


async def test_old_images_are_served_while_the_origin_is_dead(edge: Edge) -> None:
    """What is in the cache is served although its time is over; what is not is 503, which is not kept."""
    edge.origin.answers[IMAGE] = Answer(cache="public, max-age=1")
    await edge.get(IMAGE)
    await edge.origin.stop()

    async def is_stale() -> bool:
        reply = await edge.get(IMAGE)
        assert reply.status == 200
        return reply.cache == "STALE"

    await eventually(is_stale)
    other = f"{PREFIX}1080.webp"
    assert (await edge.get(other)).status == 503
    edge.origin.answers[other] = Answer()
    await edge.origin.start()

    async def is_back() -> bool:
        return (await edge.get(other)).status == 200

    await eventually(is_back)


async def test_an_image_is_updated_in_the_background(edge: Edge) -> None:
    """An image that may be stale is served at once while the origin is asked."""
    edge.origin.answers[IMAGE] = Answer(cache="public, max-age=1, stale-while-revalidate=60")
    await edge.get(IMAGE)
    edge.origin.gate.clear()
    edge.origin.answers[IMAGE] = Answer(body=b"new")

    async def is_stale() -> bool:
        return (await edge.get(IMAGE)).cache == "STALE"

    await eventually(is_stale)
    edge.origin.gate.set()

    async def is_new() -> bool:
        return (await edge.get(IMAGE)).body == b"new"

    await eventually(is_new)


async def test_a_404_is_cached_for_its_time_and_not_longer(edge: Edge) -> None:
    """A missing image is asked for once; when its time is over no client gets the 404 any more."""
    edge.origin.answers[IMAGE] = MISSING
    assert [(reply.status, reply.cache) for reply in (await edge.get(IMAGE), await edge.get(IMAGE))] == [
        (404, "MISS"),
        (404, "HIT"),
    ]
    edge.origin.answers[IMAGE] = Answer()
    states = []

    async def is_there() -> bool:
        reply = await edge.get(IMAGE)
        states.append(reply.cache)
        return reply.status == 200

    await eventually(is_there)
    assert set(states) == {"HIT", "EXPIRED"}


async def test_nginx_verifies_the_signature_of_a_private_image(edge: Edge) -> None:
    """With a valid signature, of whatever time, the image comes from the cache; without one it never does."""
    edge.origin.answers[IMAGE] = PRIVATE
    first, second = await edge.get(signed()), await edge.get(signed(age=1300))
    assert [(reply.status, reply.cache) for reply in (first, second)] == [(200, "MISS"), (200, "HIT")]
    assert "exp=" in edge.origin.requests[0].query_string
    assert second.headers["Cache-Control"] == "private, max-age=600, immutable"

    edge.origin.answers[IMAGE] = MISSING
    forged, expired = signed()[:-4] + "AAAA", signed(age=8000)
    assert [(await edge.get(path)).status for path in (IMAGE, expired, forged)] == [404, 404, 404]
    # The 404s of the others do not hide the image from the holder of a signature.
    assert (await edge.get(signed())).cache == "HIT"


async def test_signatures_that_nginx_cannot_verify_are_left_to_picshare(edge: Edge) -> None:
    """What PicShare answers to them is passed on, and nothing of it is kept."""
    edge.origin.answers[IMAGE] = PRIVATE
    other = f"{IMAGE}?{MediaUrls(SECRET, form='picshare').sign(PREFIX)}"
    former = f"/media/{SHA256}/thumb.jpg"
    edge.origin.answers[former] = PRIVATE
    for path in (other, other, f"{former}?exp=1&sig=AAAA"):
        reply = await edge.get(path)
        assert (reply.status, reply.cache) == (200, "")
    assert edge.origin.requests[-1].query_string == "exp=1&sig=AAAA"
    edge.origin.answers[IMAGE] = MISSING
    assert (await edge.get(IMAGE)).status == 404


@pytest.mark.parametrize("origin", ["alive", "dead"])
async def test_a_purge_replaces_the_cached_image(edge: Edge, origin: str) -> None:
    """A request with the key makes the cache forget an image, public or signed, without a question to the origin."""
    for path, answer in ((IMAGE, Answer()), (signed(), PRIVATE)):
        edge.origin.answers[IMAGE] = answer
        await edge.get(path)
        assert (await edge.get(path)).cache == "HIT"
    asked = len(edge.origin.requests)
    wrong = await edge.get(IMAGE, X_Picshare_Purge="A" * 32)
    assert (wrong.status, wrong.cache, "X-Picshare-Purged" in wrong.headers) == (200, "HIT", False)
    if origin == "dead":
        await edge.origin.stop()
    for path in (IMAGE, signed()):
        purge = await edge.get(path, X_Picshare_Purge=PURGE_KEY)
        assert (purge.status, purge.headers["X-Picshare-Purged"]) == (404, "1")
        reply = await edge.get(path)
        assert (reply.status, reply.cache, "X-Picshare-Purged" in reply.headers) == (404, "HIT", False)
    assert len(edge.origin.requests) == asked
    if origin == "alive":
        # A photo that is public again is served again.
        async def is_there() -> bool:
            return (await edge.get(IMAGE)).status == 200

        await eventually(is_there)


async def mark(
    edge: Edge, method: str, key: str = PURGE_KEY, path: str = f"/picshare-marks/{SHA256}"
) -> tuple[int, bool]:
    """Set or remove a mark; return the status, and whether nginx answered to the right key."""
    async with edge.session.request(method, edge.nginx.url + path, headers={"X-Picshare-Purge": key}) as response:
        return response.status, response.headers.get("X-Picshare-Purged") == "1"


async def test_nothing_of_a_marked_original_comes_from_the_cache(edge: Edge) -> None:
    """All its images at once, public or signed: PicShare decides, and the images that it sends are not kept."""
    other = f"/media/r1/{'f' * 64}/320.webp"
    former = f"/media/{SHA256}/thumb.jpg"
    for path, answer in ((IMAGE, Answer()), (signed(), PRIVATE), (former, Answer()), (other, Answer())):
        edge.origin.answers[path.partition("?")[0]] = answer
        await edge.get(path)
        assert (await edge.get(path)).cache == "HIT"
    assert await mark(edge, "PUT") == (201, True)
    assert await mark(edge, "PUT") == (204, True)
    edge.origin.answers[IMAGE] = Answer(body=b"shown")
    assert [((reply := await edge.get(IMAGE)).body, reply.cache) for _ in range(2)] == [(b"shown", "")] * 2
    edge.origin.answers[IMAGE] = edge.origin.answers[former] = MISSING
    for path in (IMAGE, signed(), former):
        assert [((reply := await edge.get(path)).status, reply.cache) for _ in range(2)] == [(404, "")] * 2
    assert (await edge.get(other)).cache == "HIT"

    assert await mark(edge, "DELETE") == (204, True)
    assert await mark(edge, "DELETE") == (404, True)
    assert (await edge.get(IMAGE)).cache == "HIT"


async def test_many_requests_for_a_marked_image_are_few_to_the_origin(edge: Edge) -> None:
    """A 404 is kept for a second, whatever PicShare says; that of a missing signature is not that of a valid one."""
    edge.origin.answers[IMAGE] = MISSING
    await mark(edge, "PUT")
    assert [(await edge.get(IMAGE)).status for _ in range(50)] == [404] * 50
    assert edge.origin.count(IMAGE) <= 5
    edge.origin.answers[IMAGE] = PRIVATE
    assert (await edge.get(signed())).status == 200

    async def is_asked_again() -> bool:
        return (await edge.get(IMAGE)).status == 200

    await eventually(is_asked_again)


async def test_a_marked_image_is_not_served_while_the_origin_is_dead(edge: Edge) -> None:
    """Not even as an old one; a restart of nginx keeps the mark."""
    edge.origin.answers[IMAGE] = Answer()
    await edge.get(IMAGE)
    await mark(edge, "PUT")
    await edge.nginx.stop()
    await edge.origin.stop()
    await edge.nginx.start()
    assert (await edge.get(IMAGE)).status == 503


async def test_a_purge_reaches_the_cache_of_a_marked_original(edge: Edge) -> None:
    """So what the mark has hidden is gone when it is removed."""
    edge.origin.answers[IMAGE] = Answer()
    await edge.get(IMAGE)
    await mark(edge, "PUT")
    purge = await edge.get(IMAGE, X_Picshare_Purge=PURGE_KEY)
    assert (purge.status, purge.headers["X-Picshare-Purged"]) == (404, "1")
    await mark(edge, "DELETE")
    assert ((reply := await edge.get(IMAGE)).status, reply.cache) == (404, "HIT")


async def test_only_the_key_sets_marks_and_only_of_originals(edge: Edge) -> None:
    """Without the key nginx answers 404; with it there are no other files, and none with contents."""
    edge.origin.answers[IMAGE] = Answer()
    await edge.get(IMAGE)
    for method in ("PUT", "DELETE", "GET"):
        assert await mark(edge, method, key="A" * 32) == (404, False)
    assert (await edge.get(IMAGE)).cache == "HIT"
    for path in ("/picshare-marks/x", f"/picshare-marks/{SHA256}/x", f"/picshare-marks/{SHA256}x", "/picshare-marks/"):
        assert await mark(edge, "PUT", path=path) == (404, False)
    assert await mark(edge, "DELETE", path="/picshare-marks/%2e%2e/site.conf") == (404, False)
    headers = {"X-Picshare-Purge": PURGE_KEY}
    async with edge.session.put(f"{edge.nginx.url}/picshare-marks/{SHA256}", data=b"ab", headers=headers) as response:
        assert response.status == 413
    assert list((edge.nginx.folder / "picshare-marks").iterdir()) == []
    assert (edge.nginx.folder / "site.conf").exists()


async def test_a_cut_upload_leaves_its_bytes(edge: Edge) -> None:
    """The origin of a resumable upload has read what was sent before the connection was cut."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(edge.nginx.url.rsplit(":", 1)[1]))
    head = (
        "PATCH /api/v1/uploads/tus/1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: x\r\nContent-Length: 9000000\r\n\r\n"
    )
    writer.write(head.encode() + bytes(5_000_000))
    await writer.drain()
    await eventually(lambda: edge.origin.received == 5_000_000)
    writer.close()


async def test_bodies_are_limited_and_other_bodies_are_buffered(edge: Edge) -> None:
    """A photo of 25 MB and its form fit; larger bodies are refused before PicShare gets any of them."""
    for size, status in ((25_100_000, 404), (27_300_000, 413)):
        body, headers = io.BytesIO(bytes(size)), {"Authorization": "Bearer x"}
        async with edge.session.post(edge.nginx.url + "/api/v1/photos", data=body, headers=headers) as response:
            assert response.status == status
    assert edge.origin.count("/api/v1/photos") == 1


async def test_a_websocket_passes(edge: Edge) -> None:
    """The upgrade reaches the live process, with the host, the client's address and an id for the logs."""
    async with edge.session.ws_connect(edge.nginx.url + "/connection/websocket") as socket:
        await socket.send_str("hello")
        assert await socket.receive_str(timeout=DEADLINE) == "hello"
    headers = edge.origin.requests[0].headers
    assert headers["Host"] == edge.nginx.url.removeprefix("http://")
    assert (headers["X-Forwarded-For"], headers["X-Forwarded-Proto"]) == ("127.0.0.1", "http")
    assert len(headers["X-Request-Id"]) == 32


async def test_tls_and_the_paths_of_single_processes(edge: Edge) -> None:
    """Pages and images are served over TLS, and browsers stay with it; what each process tells its monitor is not."""
    hsts = "max-age=31536000"
    edge.origin.answers["/"] = Answer(body=b"page", headers={"Strict-Transport-Security": hsts})
    edge.origin.answers[IMAGE] = Answer(body=b"image", headers={"Strict-Transport-Security": hsts})
    edge.origin.answers["/metrics"] = Answer()
    url = f"https://127.0.0.1:{edge.nginx.tls_port}"
    for path, body in (("/", b"page"), (IMAGE, b"image"), (f"{PREFIX}1.jpg", None)):
        async with edge.session.get(url + path, ssl=False) as response:
            assert response.status == (404 if body is None else 200)
            assert body is None or await response.read() == body
            assert response.headers.getall("Strict-Transport-Security") == [hsts]
    assert "Strict-Transport-Security" not in (await edge.get(IMAGE)).headers
    for path in ("/metrics", "/healthz", "/readyz"):
        async with edge.session.get(url + path, ssl=False) as response:
            assert response.status == 404
