"""Object stores that fail: each fault is a typed error within 7 seconds, and never a wrong answer."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from storage.blobs import s3, s3_client
from storage.blobs.port import Blobs, check_answers
from storage.blobs.s3 import CHUNK, S3Blobs
from storage.blobs.s3_address import S3Address, S3Keys
from storage.errors import FullError, NotFoundError, UnavailableError
from tests.support.eventually import eventually
from tests.support.faulty_store import FaultyStore, Respond, close, faulty_store, stall, status

KEY, TARGET = "original/aa/x", "original/aa/y"
KEYS = S3Keys(access_key="id", secret_key="the-secret-key")
LIMIT = 7.0  # seconds
NO_BUCKET = status(404, "NoSuchBucket")

Call = Callable[[Blobs], Awaitable[object]]
CALLS: dict[str, Call] = {
    "open": lambda blobs: blobs.open(KEY),
    "head": lambda blobs: blobs.head(KEY),
    "put": lambda blobs: blobs.put(KEY, b"data", content_type="image/png"),
    "copy": lambda blobs: blobs.copy(KEY, TARGET),
    "delete": lambda blobs: blobs.delete([KEY]),
    "list": check_answers,
}


WRITES = ("put", "copy")


def blobs_of(store: FaultyStore) -> S3Blobs:
    """Return the client of a store."""
    return S3Blobs(store.address, KEYS)


def object_of(size: int, etag: str = '"one"') -> Respond:
    """Return a function that serves ranges of an object of zeros."""

    async def respond(request: web.Request) -> web.StreamResponse:
        if request.headers.get("If-Match", etag) != etag:
            return web.Response(status=412)
        wanted = request.http_range
        start, end = wanted.start or 0, min(size, wanted.stop or size)
        headers = {
            "Content-Range": f"bytes {start}-{end - 1}/{size}",
            "ETag": etag,
            "Last-Modified": format_datetime(datetime(2026, 1, 1, tzinfo=UTC), usegmt=True),
            "Content-Type": "image/png",
        }
        return web.Response(status=206, body=bytes(end - start), headers=headers)

    return respond


async def test_a_stalled_store_is_given_up() -> None:
    """Every call to a store that answers nothing ends within 7 seconds, and the event loop stays free meanwhile."""
    gaps: list[float] = []

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            gaps.append(time.perf_counter() - before)

    async def timed(call: Call, blobs: Blobs) -> float:
        started = time.perf_counter()
        with pytest.raises(UnavailableError):
            await call(blobs)
        return time.perf_counter() - started

    async with faulty_store(stall) as store:
        blobs, watching = blobs_of(store), asyncio.create_task(watch())
        times = await asyncio.gather(*(timed(call, blobs) for call in CALLS.values()))
        watching.cancel()
    assert max(times) < LIMIT, dict(zip(CALLS, times, strict=True))
    assert max(gaps) < 1.0


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("respond", "kind"),
    [
        (status(503, "SlowDown"), UnavailableError),
        (status(403, "AccessDenied"), UnavailableError),
        (status(507, "InsufficientStorage"), FullError),
        (close, UnavailableError),
        (NO_BUCKET, UnavailableError),
    ],
    ids=["503", "403", "507", "closed", "no bucket"],
)
async def test_a_fault_is_typed(name: str, respond: Respond, kind: type[UnavailableError]) -> None:
    """Each fault is one of our errors, names its cause and has no secret."""
    async with faulty_store(respond) as store:
        # The response to HEAD has no body, so that a missing bucket cannot be distinguished from a missing object.
        expected = NotFoundError if name == "head" and respond is NO_BUCKET else kind
        with pytest.raises(expected) as caught:
            await asyncio.wait_for(CALLS[name](blobs_of(store)), LIMIT)
        assert type(caught.value) is expected
        assert KEYS.secret_key not in str(caught.value)
        assert "\n" not in str(caught.value)


async def test_the_text_of_a_fault_is_short() -> None:
    """It names the request, the status and the store's own code, and no other part of the response."""
    async with faulty_store(status(400, "NotForUs")) as store:
        for key in (KEY, f"original/{'/'.join(['x' * 100] * 5)}"):
            with pytest.raises(UnavailableError) as caught:
                await blobs_of(store).put(key, b"data", content_type="image/png")
            text = str(caught.value)
            assert f"PUT {store.address.endpoint}/photos/{key[:50]}" in text
            assert text.endswith("status code: 400 Bad Request (NotForUs)" if key == KEY else "x (NotForUs)")
            assert len(text) < 400


@pytest.mark.parametrize("end", ["507", "416"])
async def test_a_key_is_no_status(end: str) -> None:
    """A key that ends like a status, as one in 2,000 hashes does, changes nothing about a fault."""
    async with faulty_store(status(403, "AccessDenied")) as store:
        for call in (blobs_of(store).open(KEY + end), blobs_of(store).put(KEY + end, b"x", content_type="image/png")):
            with pytest.raises(UnavailableError) as caught:
                await call
            assert type(caught.value) is UnavailableError


async def test_a_file_that_could_not_be_stored_stays(tmp_path: Path) -> None:
    """The fault is typed like that of bytes, and the file can be stored again."""
    path = tmp_path / "upload"
    path.write_bytes(b"data")
    async with faulty_store(status(403, "AccessDenied")) as store:
        with pytest.raises(UnavailableError, match="AccessDenied"):
            await blobs_of(store).put_file(KEY, path, content_type="image/png")
    assert path.read_bytes() == b"data"


async def test_every_operation_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends all but those whose time depends on the size of an object, whatever the limits of their requests."""
    monkeypatch.setattr(s3, "DEADLINE", 0.2)

    async def ends(call: Call, blobs: Blobs) -> None:
        with pytest.raises(UnavailableError, match=r"no response within 0\.2 s"):
            await call(blobs)

    async with faulty_store(stall) as store:
        await asyncio.gather(*(ends(call, blobs_of(store)) for name, call in CALLS.items() if name not in WRITES))


def slow_write(*, answers: int) -> Respond:
    """Return a function that ends a write after it has answered so many other requests."""
    answered = 0
    enough = asyncio.Event()

    async def respond(request: web.Request) -> web.StreamResponse:
        nonlocal answered
        if request.method == "HEAD":
            answered += 1
            if answered >= answers:
                enough.set()
            return web.Response(status=404)
        await enough.wait()
        body = "<CopyObjectResult><ETag>&quot;one&quot;</ETag></CopyObjectResult>"
        return web.Response(text=body, content_type="application/xml", headers={"ETag": '"one"'})

    return respond


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Limits of time that are over soon."""
    for name, seconds in {"REQUEST_TIMEOUT": 0.3, "DEADLINE": 0.3, "ASK_AFTER": 0.1, "ANSWER_TIMEOUT": 1.0}.items():
        monkeypatch.setattr(s3, name, seconds)
    return monkeypatch


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", WRITES)
async def test_a_write_may_be_slow(name: str) -> None:
    """A slow network, or many writes at once, are no failure as long as the store answers; it gets the bytes once."""
    async with faulty_store(slow_write(answers=5)) as store:
        await CALLS[name](blobs_of(store))
        assert [request.method for request in store.requests].count("PUT") == 1


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("fault", ["stalls", "answers 503"])
async def test_a_write_ends_when_the_store_does_not_answer_any_more(
    impatient: pytest.MonkeyPatch, name: str, fault: str
) -> None:
    """Long before its own limit of time."""
    impatient.setattr(s3, "WRITE_TIMEOUT", 3600.0)
    impatient.setattr(s3, "ANSWER_TIMEOUT", 0.2 if fault == "stalls" else 3600.0)

    async def respond(request: web.Request) -> web.StreamResponse:
        failing = status(503, "SlowDown") if fault == "answers 503" and request.method == "HEAD" else stall
        return await failing(request)

    async with faulty_store(respond) as store:
        with pytest.raises(UnavailableError, match="does not answer"):
            await asyncio.wait_for(CALLS[name](blobs_of(store)), LIMIT)


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_has_a_limit_all_the_same(impatient: pytest.MonkeyPatch, name: str) -> None:
    """A store that answers other requests, and never this one, does not keep its caller for ever."""
    impatient.setattr(s3, "WRITE_TIMEOUT", 0.4)
    impatient.setattr(s3_client, "RETRIES", 0)
    async with faulty_store(slow_write(answers=1_000_000)) as store:
        with pytest.raises(UnavailableError):
            await asyncio.wait_for(CALLS[name](blobs_of(store)), LIMIT)


@pytest.mark.usefixtures("impatient")
async def test_a_slow_write_can_be_cancelled() -> None:
    """Neither the write nor the questions to the store go on."""
    async with faulty_store(slow_write(answers=1_000_000)) as store:
        write = asyncio.create_task(blobs_of(store).put(KEY, b"data", content_type="image/png"))
        await eventually(lambda: len(store.requests) > 2)
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
        assert [task for task in asyncio.all_tasks() if "put" in repr(task.get_coro())] == []


async def test_a_deletion_is_repeated_after_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client does not repeat it by itself; after any other fault it is not repeated."""
    monkeypatch.setattr(s3, "REQUEST_TIMEOUT", 0.2)
    first = iter([stall])

    async def respond(request: web.Request) -> web.StreamResponse:
        return await next(first, _deleted)(request)

    async with faulty_store(respond) as store:
        await blobs_of(store).delete([KEY])
        assert len(store.requests) == 2
    async with faulty_store(status(400, "MalformedXML")) as store:
        with pytest.raises(UnavailableError, match="MalformedXML"):
            await blobs_of(store).delete([KEY])
        assert len(store.requests) == 1


async def _deleted(_request: web.Request) -> web.StreamResponse:
    return web.Response(
        text="<DeleteResult><Deleted><Key>x</Key></Deleted></DeleteResult>", content_type="application/xml"
    )


async def test_what_is_gone_is_deleted() -> None:
    """A store may say that there is no such object."""
    async with faulty_store(status(404, "NoSuchKey")) as store:
        await blobs_of(store).delete([KEY])
        assert len(store.requests) == 1


async def test_a_thousand_objects_are_deleted_by_a_request() -> None:
    """More are more requests, because S3 refuses them otherwise; what is no key is in none."""
    sizes: list[int] = []

    async def respond(request: web.Request) -> web.StreamResponse:
        sizes.append((await request.read()).count(b"<Key>"))
        return await _deleted(request)

    async with faulty_store(respond) as store:
        await blobs_of(store).delete(["../x", *(f"original/aa/{number}" for number in range(2001))])
    assert sizes == [1000, 1000, 1]


@pytest.mark.parametrize("token", [None, "the-token"])
async def test_temporary_keys(token: str | None) -> None:
    """Keys that have a session token are sent with it."""
    keys = S3Keys(access_key="id", secret_key="the-secret-key", session_token=token)
    async with faulty_store(object_of(10)) as store:
        await S3Blobs(store.address, keys).open(KEY)
        assert store.requests[0].headers.get("x-amz-security-token") == token


async def test_the_environment_names_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket without an endpoint is Amazon's, although the client would take one from the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    blobs = S3Blobs(S3Address.parse("s3://my-photos?region=eu-west-1"), KEYS)
    assert blobs._store.config.get("endpoint") == "https://my-photos.s3.eu-west-1.amazonaws.com"


async def test_the_spool_is_swept(tmp_path: Path) -> None:
    """Old files of the spool are deleted and counted; without a spool there are none."""
    address, old = S3Address.parse("s3://my-photos?region=eu-west-1"), tmp_path / "old"
    for path, age in ((old, 7200), (tmp_path / "young", 0)):
        path.write_bytes(b"x")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    assert await S3Blobs(address, KEYS).sweep(3600) == 0
    assert await S3Blobs(address, KEYS, spool=tmp_path).sweep(3600) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["young"]


async def test_a_copy_of_nothing_to_an_object_finds_nothing() -> None:
    """A store that looks at the target first says that it is there, although the source is missing."""
    head = {"ETag": '"one"', "Last-Modified": format_datetime(datetime(2026, 1, 1, tzinfo=UTC), usegmt=True)}

    async def respond(request: web.Request) -> web.StreamResponse:
        if request.method == "PUT":
            return await status(412, "PreconditionFailed")(request)
        return web.Response(body=b"x", headers=head) if request.path.endswith(TARGET) else web.Response(status=404)

    async with faulty_store(respond) as store:
        assert not await blobs_of(store).copy(TARGET, TARGET)
        with pytest.raises(NotFoundError):
            await blobs_of(store).copy(KEY, TARGET)


async def test_a_short_fault_is_not_noticed() -> None:
    """A request that failed once is repeated."""
    good, failures = object_of(10), iter([status(503, "SlowDown"), close])

    async def respond(request: web.Request) -> web.StreamResponse:
        return await next(failures, good)(request)

    async with faulty_store(respond) as store:
        blob = await blobs_of(store).open(KEY)
        assert [chunk async for chunk in blob.chunks()] == [bytes(10)]
        assert len(store.requests) == 3


async def test_a_lost_object() -> None:
    """An object that has vanished is `NotFoundError`, also between two of its ranges."""
    async with faulty_store(object_of(2 * CHUNK)) as store:
        blob = await blobs_of(store).open(KEY)
        store.respond = status(404, "NoSuchKey")
        with pytest.raises(NotFoundError):
            [chunk async for chunk in blob.chunks()]
        with pytest.raises(NotFoundError):
            await blobs_of(store).open(KEY)


async def test_a_replaced_object_is_not_mixed() -> None:
    """If an object is replaced while it is read, the reader gets an error instead of bytes of both."""
    async with faulty_store(object_of(2 * CHUNK)) as store:
        blob = await blobs_of(store).open(KEY)
        store.respond = object_of(2 * CHUNK, etag='"two"')
        with pytest.raises(UnavailableError, match="replaced"):
            [chunk async for chunk in blob.chunks()]


async def test_a_cut_body_is_completed() -> None:
    """If the connection ends within a range, the rest of it is requested again."""
    whole = object_of(1000)

    async def cut(request: web.Request) -> web.StreamResponse:
        response = await whole(request)
        assert isinstance(response, web.Response)
        part = web.StreamResponse(status=206, headers=response.headers)
        part.content_length = response.content_length
        await part.prepare(request)
        await part.write(bytes(100))
        store.respond = whole
        return await close(request)

    async with faulty_store(cut) as store:
        blob = await blobs_of(store).open(KEY)
        assert [chunk async for chunk in blob.chunks()] == [bytes(1000)]
        assert len(store.requests) == 2
