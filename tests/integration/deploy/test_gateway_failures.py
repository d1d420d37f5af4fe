"""The gateway in front of processes that die, freeze or break a request, and against clients that are slow."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.engines.nginx import Nginx, running_nginx
from tests.engines.private import free_port
from tests.support import killable
from tests.support.api import SECRET
from tests.support.eventually import eventually
from tests.support.gateways import TOKEN, plain_session
from tests.support.raw_http import exchange

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

WITHIN = 30.0  # seconds
READ_TIMEOUT = 2.0  # seconds; 20 in the shipped files
HASTY = {
    "proxy_read_timeout 20s": f"proxy_read_timeout {READ_TIMEOUT:g}s",
    "client_header_timeout 10s": "client_header_timeout 1s",
    "client_body_timeout 20s": "client_body_timeout 1s",
    "send_timeout 30s": "send_timeout 1s",
}


class Process:
    """One of three processes behind the gateway."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.port = free_port()
        self._log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-S", killable.__file__, self.name, str(self.port), stdout=log
            )

        async def accepts() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                return False
            writer.close()
            return True

        await eventually(accepts, within=WITHIN)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        """Kill it with SIGKILL if it runs, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def received(self, request: str) -> int:
        """Return how often it has got a request, as "GET /path"."""
        return self._log.read_text().splitlines().count(request)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze it with SIGSTOP: the kernel goes on to accept its connections, and nothing answers them."""
        self.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send_signal(signal.SIGCONT)


class Gateway:
    """An nginx in front of three processes, and a client."""

    def __init__(self, nginx: Nginx, processes: list[Process], session: aiohttp.ClientSession) -> None:
        self.nginx = nginx
        self.processes = processes
        self._session = session

    async def call(self, method: str, path: str) -> tuple[int, str]:
        """Send a request; return the status, and the name of the process that answered or the code of a problem."""
        async with self._session.request(method, self.nginx.url + path, headers=TOKEN) as response:
            text = await response.text()
            return response.status, text if response.status == 200 else json.loads(text)["code"]

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[str]:
        """Keep a socket open until the end of the block; yield the name of the process that has it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.nginx.port)
        writer.write(
            b"GET /connection/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )
        async with asyncio.timeout(WITHIN):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            yield (await reader.readexactly(len("process1"))).decode()
        writer.close()

    def received(self, request: str) -> int:
        """Return how often all processes together have got a request."""
        return sum(process.received(request) for process in self.processes)

    async def recovered(self) -> None:
        """Wait until every process answers reads and writes."""
        for method in ("GET", "POST"):
            for process in self.processes:

                async def answers(method: str = method, name: str = process.name) -> bool:
                    return await self.call(method, "/api/v1/x") == (200, name)

                await eventually(answers, within=WITHIN)


@asynccontextmanager
async def running_gateway(folder: Path) -> AsyncIterator[Gateway]:
    """Run a gateway until the end of the block."""
    folder.mkdir(exist_ok=True)
    processes = [Process(f"process{number}", folder) for number in (1, 2, 3)]
    try:
        await asyncio.gather(*(process.start() for process in processes))
        ports = [process.port for process in processes]
        async with (
            running_nginx(folder / "nginx", api=ports, secret=SECRET.decode(), changes=HASTY) as nginx,
            plain_session() as session,
        ):
            yield Gateway(nginx, processes, session)
    finally:
        for process in processes:
            await process.kill()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gateway(engines_dir: Path) -> AsyncIterator[Gateway]:
    """A gateway for all tests of this module, each of which leaves three processes that answer."""
    async with running_gateway(engines_dir / "gateway-failures") as gateway:
        yield gateway


async def test_a_request_that_breaks_every_process_takes_none_out(gateway: Gateway) -> None:
    """Each such GET reaches a process once at most, and the requests of other clients go on as before."""
    for _ in range(2):
        assert await gateway.call("GET", "/api/v1/poison") == (503, "unavailable")
        assert {(await gateway.call("GET", "/api/v1/x"))[0] for _ in range(6)} == {200}
    assert max(process.received("GET /api/v1/poison") for process in gateway.processes) <= 2
    assert gateway.received("GET /api/v1/poison") >= 4
    await gateway.recovered()


async def test_a_read_that_nothing_answers_is_given_up_after_two(gateway: Gateway) -> None:
    """A third attempt would keep the client waiting, and another process busy."""
    assert await gateway.call("GET", "/api/v1/photos/held") == (503, "unavailable")
    assert gateway.received("GET /api/v1/photos/held") == 2


async def test_a_write_is_sent_once(gateway: Gateway) -> None:
    """A POST or PATCH that may have been carried out is not sent to another process."""
    for method in ("POST", "PATCH"):
        assert await gateway.call(method, "/api/v1/poison") == (503, "unavailable")
        assert gateway.received(f"{method} /api/v1/poison") == 1
    await gateway.recovered()


async def test_a_killed_process(gateway: Gateway) -> None:
    """After kill -9 the others answer everything, writes as well, because a refused connection has carried out nothing.

    A request that the process had is not lost either if it is a GET.
    """
    victim = gateway.processes[0]
    held = [asyncio.create_task(gateway.call("GET", "/api/v1/held")) for _ in range(3)]
    await eventually(lambda: gateway.received("GET /api/v1/held") == 3, within=WITHIN)
    await victim.kill()
    names = {process.name for process in gateway.processes[1:]}
    for method in ("GET", "POST"):
        replies = [await gateway.call(method, "/api/v1/x") for _ in range(30)]
        assert {status for status, _ in replies} == {200}
        assert {name for _, name in replies} == names
    await asyncio.gather(*held)
    assert gateway.received("GET /api/v1/held") >= 4
    await victim.start()
    await gateway.recovered()


async def test_a_live_process_that_was_away_gets_sockets_again(gateway: Gateway) -> None:
    """While it is dead the others get all; after its start it is the one with the fewest, and gets the next ones."""
    victim = gateway.processes[2]
    await victim.kill()
    async with AsyncExitStack() as stack:
        names = [await stack.enter_async_context(gateway.socket()) for _ in range(6)]
        assert Counter(names) == {process.name: 3 for process in gateway.processes[:2]}
        await victim.start()
        assert [await stack.enter_async_context(gateway.socket()) for _ in range(3)] == [victim.name] * 3


async def test_a_frozen_process(gateway: Gateway) -> None:
    """After SIGSTOP each read is answered by another process, late at first and then at once."""
    with gateway.processes[1].frozen():
        first = await asyncio.gather(*(gateway.call("GET", "/api/v1/x") for _ in range(12)))
        assert {status for status, _ in first} == {200}
        started = time.monotonic()
        then = [await gateway.call("GET", "/api/v1/x") for _ in range(6)]
        assert {status for status, _ in then} == {200}
        # At most one of them was the attempt whether the process answers again.
        assert time.monotonic() - started < 2 * READ_TIMEOUT
    await gateway.recovered()


async def test_slow_headers_are_cut_off(gateway: Gateway) -> None:
    """A client that sends a byte now and then has the time of all headers together; others are served meanwhile."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.nginx.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")

    async def drip() -> None:
        while True:
            writer.write(b"X: y\r\n")
            await asyncio.sleep(0.2)  # the pace is the case itself

    dripping = asyncio.create_task(drip())
    assert (await gateway.call("GET", "/api/v1/x"))[0] == 200
    async with asyncio.timeout(WITHIN):
        assert b" 200 " not in await _rest(reader)
    dripping.cancel()
    writer.close()


async def test_slow_bodies_are_cut_off_and_never_reach_a_process(gateway: Gateway) -> None:
    """A body that stops is given up; no process was kept busy with it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.nginx.port)
    head = "POST /api/v1/slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 100\r\n\r\n"
    writer.write(head.encode() + b"x")
    assert (await gateway.call("GET", "/api/v1/x"))[0] == 200
    async with asyncio.timeout(WITHIN):
        assert b" 200 " not in await _rest(reader)
    writer.close()
    assert gateway.received("POST /api/v1/slow") == 0


async def test_a_client_that_does_not_read_is_cut_off(gateway: Gateway) -> None:
    """The gateway has the response and waits for the client; it closes the connection before that has all."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.nginx.port, limit=1024)
    writer.write(b"GET /api/v1/large HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await gateway.call("GET", "/api/v1/x"))[0] == 200
    await eventually(lambda: gateway.nginx.access_log.read_text().count('"path":"/api/v1/large"') == 1, within=WITHIN)
    async with asyncio.timeout(WITHIN):
        assert len(await _rest(reader)) < 20_000_000
    writer.close()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


FIVE_HEADERS = "".join(f"\r\nX-{number}: {'x' * 7900}" for number in range(5))


@pytest.mark.parametrize(
    ("request_head", "status", "code"),
    [
        ("GET /api/v1/x HTTP/1.1\r\nHost: x\r\nX-Long: " + "x" * 1_000_000, 431, "header_too_large"),
        (f"GET /api/v1/x HTTP/1.1\r\nHost: x{FIVE_HEADERS}", 431, "header_too_large"),
        ("GET /api/v1/" + "x" * 9_000 + " HTTP/1.1\r\nHost: x", 431, "header_too_large"),
        ("GET /api/v1/x HTTP/1.1", 400, "malformed_request"),
        ("POST /api/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 27262977", 413, "body_too_large"),
        ("POST /api/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: x", 400, "malformed_request"),
    ],
    ids=["header of 1 MB", "five headers", "request line", "without Host", "body of 26 MB", "length"],
)  # fmt: skip
async def test_what_is_too_large_or_no_http_is_refused(
    gateway: Gateway, request_head: str, status: int, code: str
) -> None:
    """The response is a problem of the API, at once, and nothing reaches a process."""
    before = sum(gateway.received(f"{method} /api/v1/x") for method in ("GET", "POST"))
    response = await exchange(gateway.nginx.port, f"{request_head}\r\n\r\n".encode(), within=WITHIN)
    problem = json.loads(response.text.rpartition("\r\n\r\n")[2])
    assert (response.status, problem["status"], problem["code"]) == (status, status, code)
    assert "application/problem+json" in response.text
    assert sum(gateway.received(f"{method} /api/v1/x") for method in ("GET", "POST")) == before


async def test_a_browser_gets_a_page_instead_of_a_problem(gateway: Gateway) -> None:
    """A user who opens an address reads a sentence, as with PicShare's own errors."""
    async with plain_session() as session:
        for path, kind in (("/poison", "text/html; charset=utf-8"), ("/api/v1/poison", "application/problem+json")):
            headers = {**TOKEN, "Accept": "text/html,*/*"}
            async with session.get(gateway.nginx.url + path, headers=headers) as response:
                assert (response.status, response.headers["Content-Type"]) == (503, kind)
                assert response.headers["Retry-After"] == "2"
                assert "A part of the service is not available at the moment." in await response.text()
    await gateway.recovered()
