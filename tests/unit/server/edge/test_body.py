"""The pace of request bodies, in virtual time: slow ones are read to their end, stuck ones are refused."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from server.edge.body import BodyPace, BodyReader, SlowBodyError, refuse_encoding
from server.edge.problem import ProblemError
from tests.support.virtual_loop import VirtualLoop, run_virtually

PACE = BodyPace(idle_timeout=10, min_rate=8000)
Arrivals = list[tuple[float, int]]  # seconds since the previous piece, and bytes


def open_stream(loop: asyncio.AbstractEventLoop) -> StreamReader:
    """Return the stream of a body whose connection is open."""
    protocol = BaseProtocol(loop)
    protocol.transport = asyncio.Transport()
    return StreamReader(protocol, 2**30, loop=loop)  # a limit that is never reached, so that reading is not paused


async def _send(stream: StreamReader, arrivals: Arrivals) -> None:
    for pause, size in arrivals:
        await asyncio.sleep(pause)
        stream.feed_data(bytes(size))
    stream.feed_eof()


async def _read(arrivals: Arrivals) -> tuple[int, float, bool]:
    """Return the bytes that were read, the seconds that it took, and whether the body was read to its end."""
    loop = asyncio.get_running_loop()
    stream = open_stream(loop)
    sending = asyncio.create_task(_send(stream, arrivals))
    reader, total, complete = BodyReader(stream, PACE), 0, True
    try:
        while piece := await reader.read():
            total += len(piece)
    except SlowBodyError:
        complete = False
    sending.cancel()
    return total, loop.time(), complete


@pytest.mark.parametrize(
    "arrivals",
    [
        [(1, 8000)] * 1250,  # ten megabytes at the minimum rate, in twenty minutes
        [(0.01, 1500)] * 6600,  # 1.2 Mbit/s
        [(9.9, 80_000)] * 20,
        [(9.9, 1), (9.9, 1), (9.9, 1)],  # a small body may be slower than the rate
        [(0, 9_900_000), (0.6, 10)],  # the last bytes of a form are late
    ],
)
def test_a_slow_body_is_read_to_its_end(arrivals: Arrivals) -> None:
    """A body that keeps coming at the minimum rate is read, however long it takes."""
    total, _, complete = run_virtually(_read(arrivals))
    assert complete
    assert total == sum(size for _, size in arrivals)


@pytest.mark.parametrize(
    ("arrivals", "seconds"),
    [
        ([(0, 5000), (10.1, 5000)], 10),  # a gap
        ([(9, 1)] * 9, 30),  # a byte now and then
        ([(1, 4000)] * 100, 60),  # half the rate, which empties a full window at half the speed
        ([(0, 5_000_000), *[(5.0, 1)] * 20], 30),  # a fast beginning earns no more than one window
    ],
)
def test_a_body_that_is_too_slow_is_refused(arrivals: Arrivals, seconds: float) -> None:
    """A gap, or a rate below the minimum over half a minute, ends the request with a 408."""
    _, took, complete = run_virtually(_read(arrivals))
    assert not complete
    assert took == pytest.approx(seconds, abs=1)


def test_the_service_s_own_time_does_not_count() -> None:
    """A body whose data is there is read, however long the service worked between two reads."""

    async def busy() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        stream = open_stream(loop)
        reader = BodyReader(stream, PACE)
        for _ in range(5):
            stream.feed_data(b"x")
            assert await reader.read() == b"x"
            loop.stall(25)

    run_virtually(busy())


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip", "GZIP"])
def test_a_compressed_body_is_refused(encoding: str) -> None:
    """Only the identity encoding is accepted, in each of several headers."""
    refuse_encoding(make_mocked_request("POST", "/", headers={"Content-Encoding": " Identity"}))
    with pytest.raises(ProblemError) as caught:
        refuse_encoding(make_mocked_request("POST", "/", headers={"Content-Encoding": encoding}))
    assert (caught.value.status, caught.value.code) == (415, "unsupported_encoding")
