"""Purges of one nginx by the adapter that the worker uses, and of CDNs by the hook."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from storage.blobs.variants import VariantRegistry
from tests.engines.private import free_port
from tests.integration.deploy.conftest import Edge
from tests.support.api import SECRET
from tests.support.eventually import eventually
from tests.support.scripted_origin import Answer
from tests.support.scripted_peer import Behaviour, repeats, reset, responds, scripted_peer, sends
from workers.caches.hook import PurgeHook
from workers.caches.nginx import NginxCache, purge_key
from workers.caches.port import CacheError, HiddenImages
from workers.outbound.client import OutboundClient
from workers.outbound.policy import TRUSTED

pytestmark = pytest.mark.engines

SHA256 = hashlib.sha256(b"a photo").hexdigest()
HOOK_SECRET = f"whsec_{base64.b64encode(b'k' * 24).decode()}"
IMAGE = f"/media/r1/{SHA256}/320.webp"
HIDDEN = [HiddenImages(sha256=SHA256, signed=False)]
FEW = VariantRegistry(squares=(), sizes=(320,), formats=("jpg", "webp"), eager=())


def cache_at(
    url: str,
    session: aiohttp.ClientSession,
    *,
    registry: VariantRegistry = FEW,
    key: str = purge_key(SECRET),
    timeout: float = 5.0,
) -> NginxCache:
    """Return the cache at an address."""
    return NginxCache(url, session, registry, host="photos.example.com", key=key, timeout=timeout)


@pytest.fixture
async def received() -> list[tuple[web.Request, bytes]]:
    """What a scripted server has received."""
    return []


@pytest.fixture
async def server(received: list[tuple[web.Request, bytes]]) -> AsyncIterator[TestServer]:
    """A server that answers with the status in its path, or not at all."""

    async def handle(request: web.Request) -> web.Response:
        received.append((request, await request.read()))
        if request.path.endswith("/stalled") or "/media/" in request.path:
            await asyncio.Event().wait()
        return web.Response(status=int(request.path[1:]))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    server = TestServer(app)
    await server.start_server(access_log=None, shutdown_timeout=0.01)
    yield server
    await server.close()


@pytest.fixture
async def client() -> AsyncIterator[OutboundClient]:
    """The client of the hook."""
    async with OutboundClient(TRUSTED, name="purge:hook") as client:
        yield client


async def test_a_purge_of_many_images_has_more_time(edge: Edge) -> None:
    """The time limit grows with the number of requests, so the photos of an account do not fail for their number."""
    many = [HiddenImages(sha256=f"{number:064x}", signed=False) for number in range(100)]
    await cache_at(edge.nginx.url, edge.session, timeout=0.001).forget(many)


async def test_a_response_that_was_on_its_way_is_hidden_and_purged(edge: Edge) -> None:
    """Nginx keeps a response that comes after its original was hidden, but serves it to nobody until it is purged."""
    cache = cache_at(edge.nginx.url, edge.session)
    edge.origin.answers[IMAGE] = Answer()
    edge.origin.gate.clear()
    on_its_way = asyncio.create_task(edge.get(IMAGE))
    await eventually(lambda: edge.origin.count(IMAGE) == 1)
    await cache.hide([SHA256])
    edge.origin.gate.set()
    assert (await on_its_way).status == 200
    edge.origin.answers[IMAGE] = Answer(status=404)
    assert ((reply := await edge.get(IMAGE)).status, reply.cache) == (404, "")
    await cache.forget(HIDDEN)
    assert ((reply := await edge.get(IMAGE)).status, reply.cache) == (404, "HIT")


async def test_an_image_that_is_public_again_is_cached_again(edge: Edge) -> None:
    """A purge ends what hiding has begun."""
    cache = cache_at(edge.nginx.url, edge.session)
    edge.origin.answers[IMAGE] = Answer()
    await cache.hide([SHA256])
    await cache.forget(HIDDEN)

    async def is_cached() -> bool:
        reply = await edge.get(IMAGE)
        return (reply.status, reply.cache) == (200, "HIT")

    await eventually(is_cached)


async def test_the_requests_of_a_purge(edge: Edge) -> None:
    """Hiding takes one for each original, whatever the number of sizes and formats; marks are removed at the end."""
    hashes, methods, trace = [f"{number:064x}" for number in range(20)], [], aiohttp.TraceConfig()

    async def record(_session: object, _context: object, request: aiohttp.TraceRequestStartParams) -> None:
        methods.append(request.method)

    trace.on_request_start.append(record)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        cache = cache_at(edge.nginx.url, session)
        await cache.hide(hashes)
        await cache.forget([HiddenImages(sha256=sha256, signed=False) for sha256 in hashes])
    assert methods == [*["PUT"] * 20, *["GET"] * 20 * 6, *["DELETE"] * 20]


@pytest.mark.parametrize("cause", ["an earlier configuration", "a directory that is missing"])
async def test_what_cannot_be_marked_is_purged(edge: Edge, cause: str) -> None:
    """At once, and it is not forgotten afterwards that there is no mark; the log says so once."""
    edge.origin.answers[IMAGE] = Answer()
    await edge.get(IMAGE)
    if cause == "an earlier configuration":
        await edge.nginx.stop()
        config = edge.nginx.folder / "picshare" / "server.conf"
        config.write_text(config.read_text().replace('location ~ "^/picshare-marks/', 'location ~ "^/unused/'))
        await edge.nginx.start()
    else:
        (edge.nginx.folder / "picshare-marks").rmdir()
    cache = cache_at(edge.nginx.url, edge.session)
    with capture_logs() as logs:
        await cache.hide([SHA256])
        await cache.hide([SHA256])
    assert ((reply := await edge.get(IMAGE)).status, reply.cache) == (404, "HIT")
    assert [log["event"] for log in logs] == ["cache_not_marked"]
    await cache.forget(HIDDEN)


async def test_a_mark_that_is_not_removed_is_a_failure(edge: Edge) -> None:
    """Otherwise the image would not be cached any more."""
    (edge.nginx.folder / "picshare-marks" / SHA256).mkdir()
    with pytest.raises(CacheError, match="mark"):
        await cache_at(edge.nginx.url, edge.session).forget(HIDDEN)


async def test_a_cache_fetches_images_in_advance(edge: Edge) -> None:
    """They are cached afterwards, and the requests are not in the log from which the hit rate is computed."""
    cache = cache_at(edge.nginx.url, edge.session)
    edge.origin.answers[IMAGE] = Answer()
    assert await cache.fetch([IMAGE, IMAGE.replace("320", "640")]) == {"fetched": 1, "failed": 1}
    assert await cache.fetch([IMAGE]) == {"present": 1}
    assert (await edge.get(IMAGE)).cache == "HIT"
    await eventually(lambda: [line.split()[0] for line in edge.nginx.log.read_text().splitlines()] == ["HIT"])
    with pytest.raises(CacheError):
        await cache_at(f"http://127.0.0.1:{free_port()}", edge.session).fetch([IMAGE])


async def test_a_wrong_key_is_a_failure(edge: Edge) -> None:
    """Nginx answers as to anybody, and the image stays; the error names the likely reason."""
    edge.origin.answers[IMAGE] = Answer()
    assert (await edge.get(IMAGE)).status == 200
    wrong = cache_at(edge.nginx.url, edge.session, key="0" * 32)
    for call in (wrong.forget(HIDDEN), wrong.hide([SHA256])):
        with pytest.raises(CacheError, match="X-Picshare-Purged"):
            await call
    assert (await edge.get(IMAGE)).cache == "HIT"


async def test_a_cache_is_asked_over_tls_by_the_name_of_the_service(edge: Edge) -> None:
    """A certificate that is not that of the service is refused."""
    url = f"https://127.0.0.1:{edge.nginx.tls_port}"
    with pytest.raises(CacheError, match=r"photos\.example\.com|certificate"):
        await cache_at(url, edge.session).forget(HIDDEN)


async def test_a_cache_that_is_gone_or_stalls_is_a_failure(
    session: aiohttp.ClientSession, server: TestServer, received: list[tuple[web.Request, bytes]]
) -> None:
    """Neither takes longer than the time limit; the requests name the service as their host."""
    gone = cache_at(f"http://127.0.0.1:{free_port()}", session)
    for call in (gone.forget(HIDDEN), gone.hide([SHA256])):
        with pytest.raises(CacheError):
            await call
    with pytest.raises(CacheError, match=r"0\.32 s"):
        await cache_at(str(server.make_url("")), session, timeout=0.2).forget(HIDDEN)
    assert {request.headers["Host"] for request, _ in received} == {"photos.example.com"}


async def test_the_hook_gets_keys_and_urls_with_a_signature(
    client: OutboundClient, server: TestServer, received: list[tuple[web.Request, bytes]]
) -> None:
    """One request for all images of a purge; each repetition has an id of its own."""
    url = str(server.make_url("/204"))
    hook = PurgeHook(url, client, FEW, public_url="https://photos.example.com", secret=HOOK_SECRET)
    await hook.hide([SHA256])
    await hook.forget(HIDDEN)
    (request, body), (repeated, _) = received
    assert json.loads(body) == {
        "type": "media.purge",
        "surrogate_keys": [SHA256],
        "urls": [
            f"https://photos.example.com/media/{path}"
            for path in (
                f"r1/{SHA256}/320.jpg",
                f"r1/{SHA256}/320.webp",
                f"r1/{SHA256}/motion.webp",
                f"r1/{SHA256}/video.mp4",
                f"{SHA256}/thumb.jpg",
                f"{SHA256}/feed.jpg",
            )
        ],
    }
    signed = b"%s.%s.%s" % (request.headers["webhook-id"].encode(), request.headers["webhook-timestamp"].encode(), body)
    digest = hmac.digest(b"k" * 24, signed, "sha256")
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert request.headers["webhook-id"] != repeated.headers["webhook-id"]


@pytest.mark.parametrize(
    ("behave", "reason"),
    [(reset, "reset"), (sends(b"garbage\r\n\r\n"), "bad_response"), (responds(status="302 Found"), "status")],
    ids=["resets", "garbage", "redirects"],
)
async def test_a_hook_that_fails(client: OutboundClient, behave: Behaviour, reason: str) -> None:
    """Whatever the hook does is a failure of the purge, with its reason."""
    async with scripted_peer(behave) as peer:
        with pytest.raises(CacheError) as caught:
            await PurgeHook(f"http://localhost:{peer.port}/", client, FEW, public_url="", secret=HOOK_SECRET).hide(
                [SHA256]
            )
    assert caught.value.reason == reason


async def test_a_hook_with_an_endless_response(client: OutboundClient) -> None:
    """Its status is enough, and the rest is not read."""
    async with scripted_peer(repeats(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536)) as peer:
        await PurgeHook(f"http://localhost:{peer.port}/", client, FEW, public_url="", secret=HOOK_SECRET).forget(HIDDEN)


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_another_status_of_the_hook_is_a_failure(client: OutboundClient, server: TestServer, status: int) -> None:
    """Only 2xx says that the purge is carried out."""
    url = str(server.make_url(f"/{status}"))
    with pytest.raises(CacheError, match=str(status)):
        await PurgeHook(url, client, FEW, public_url="", secret=HOOK_SECRET).forget(HIDDEN)
