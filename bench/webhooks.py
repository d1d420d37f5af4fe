"""Webhooks: the delay of a first attempt, its price, and what an endpoint that hangs costs the others.

The service is a real `picshare run`; the receiver is in this process. Events are committed by this process as the API
commits them. The yardstick of the delay is the least that such a message takes: one empty transaction and one request
on an open connection. That of the price is the same request by the client that PicShare uses, and nothing else.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import psutil

from bench.live_service import live_service
from bench.report import RATIO, Figure, figure, percentile, ratios
from bench.webhook_receiver import SILENT, Receiver, webhook_receiver
from storage import ids
from storage.events import PhotoDeleted
from storage.postgres.database import Database
from storage.stores.webhooks import webhook_endpoints
from storage.webhooks import EndpointScope, EndpointState
from tests.support.community import new_user
from tests.support.eventually import eventually
from workers.broker.routing import queues_of
from workers.jobs.webhooks.webhook_sending import PER_ENDPOINT
from workers.webhooks.signing import Scheme, new_secret

GROUP = "webhooks"
ENDPOINTS = 20  # of as many users, whose events come in turns
PAUSE = 0.01  # seconds between two events
DELAY_GOAL, PRICE_GOAL, FAIR_GOAL = 15.0, 60.0, 1.2
LIMIT_DELAY = "one empty transaction and one request on an open connection: a second where that takes 70 ms"
LIMIT_PRICE = "the request alone, by the same client: a minute of a core for 10,000 messages where it takes 0.1 ms"
LIMIT_FAIR = "the same deliveries without the endpoint that hangs"
_BODY = b"x" * 400  # as long as a usual message
_DUE = """
INSERT INTO webhook_deliveries
    (shard, endpoint_id, event_id, owner_id, type, subject_id, event, occurred_at, next_at)
SELECT e.shard, e.id, gen_random_uuid(), e.owner_id, 'photo.deleted', 1, '{"photo_id": 1, "author_id": 1}', now(), now()
FROM webhook_endpoints e, generate_series(1, $2) WHERE e.id = $1 RETURNING 1"""
# After ten failures the endpoint would get a lane of its own; here its messages wait in that of all.
_HANG = """
UPDATE webhook_endpoints SET state = $2, failures = 0, failing_since = NULL, circuit_until = NULL, due_at = now()
WHERE id = $1 RETURNING 1"""
_WAKE = "UPDATE webhook_endpoints SET due_at = now() WHERE id = ANY($1::bigint[]) RETURNING 1"


@dataclass(kw_only=True)
class _Measured:
    """One value a round: delays in milliseconds at 95 of 100, and processor milliseconds of a delivery."""

    idle: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    hanging: list[float] = field(default_factory=list)
    price: list[float] = field(default_factory=list)
    request: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Scene:
    db: Database
    receiver: Receiver
    http: aiohttp.ClientSession
    owners: Sequence[int]
    endpoints: Sequence[int]  # of the owners
    hanging: int  # the endpoint that does not respond


async def measure(*, quick: bool) -> list[Figure]:
    """Return delays and prices with their ratios."""
    rounds, events, many, due = (2, 100, 500, 20_000) if quick else (5, 500, 5_000, 200_000)
    measured = _Measured()
    async with _scene() as scene:
        await _delays(scene, ENDPOINTS)
        await scene.db.fetch(_DUE, scene.hanging, due)
        for _ in range(rounds):
            measured.floor.append(percentile(await _floor(scene, events), 0.95))
            measured.idle.append(percentile(await _delays(scene, events), 0.95))
            async with _hanging(scene):
                measured.hanging.append(percentile(await _delays(scene, events), 0.95))
            await _price(scene, many, measured)
            measured.request.append(await _requests(scene, many))
    return _figures(measured, due)


def _figures(measured: _Measured, due: int) -> list[Figure]:
    waiting = f"another endpoint hangs, with {due:,} due"
    return [
        figure(GROUP, "event → first attempt, 95 of 100", "ms", measured.idle),
        figure(
            GROUP,
            "event → first attempt : transaction and request, 95 of 100",
            RATIO,
            ratios(measured.idle, measured.floor),
            at_most=DELAY_GOAL,
            limit=LIMIT_DELAY,
        ),
        figure(GROUP, "deliveries, all processes", "/s", measured.rate),
        figure(GROUP, "processor time of a delivery, engines included", "ms", measured.price),
        figure(GROUP, "processor time of the request alone", "ms", measured.request),
        figure(
            GROUP,
            "delivery : request alone, processor time",
            RATIO,
            ratios(measured.price, measured.request),
            at_most=PRICE_GOAL,
            limit=LIMIT_PRICE,
        ),
        figure(GROUP, f"event → first attempt, 95 of 100, while {waiting}", "ms", measured.hanging),
        figure(
            GROUP,
            f"the same, while {waiting} : without it",
            RATIO,
            ratios(measured.hanging, measured.idle),
            at_most=FAIR_GOAL,
            limit=LIMIT_FAIR,
        ),
    ]


async def _emit(scene: _Scene, owner: int) -> None:
    async with scene.db.transaction() as tx:
        tx.emit(PhotoDeleted(photo_id=tx.new_id(ids.shard_of(owner)), author_id=owner, sha256=""))


async def _delays(scene: _Scene, count: int) -> list[float]:
    """Return the milliseconds from the commit of each event to the arrival of its message."""
    delays = []
    for number in range(count):
        before = len(scene.receiver.arrived)
        await _emit(scene, scene.owners[number % len(scene.owners)])
        committed = time.perf_counter()
        await scene.receiver.until_number(before + 1, within=30)
        delays.append((list(scene.receiver.arrived.values())[-1] - committed) * 1000)
        await asyncio.sleep(PAUSE)
    return delays


async def _floor(scene: _Scene, count: int) -> list[float]:
    """Return the milliseconds of an empty transaction that is flushed to disk, and a request."""
    delays = []
    for _ in range(count):
        started = time.perf_counter()
        await scene.db.fetchval("SELECT pg_logical_emit_message(true, 'bench', '')")
        await _post(scene)
        delays.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(PAUSE)
    return delays


async def _price(scene: _Scene, count: int, measured: _Measured) -> None:
    """Send many messages, and note how many a second, and the processor time of all other processes for each.

    The deliveries are stored before: their events have work in other queues, too, which is not the price of a message.
    """
    for endpoint in scene.endpoints:
        await scene.db.fetch(_DUE, endpoint, count // len(scene.endpoints))
    before, spent, started = len(scene.receiver.arrived), _processor_seconds(), time.perf_counter()
    await scene.db.fetch(_WAKE, scene.endpoints)
    await scene.receiver.until_number(before + count, within=300)
    measured.rate.append(count / (time.perf_counter() - started))
    measured.price.append((_processor_seconds() - spent) / count * 1000)


async def _requests(scene: _Scene, count: int) -> float:
    """Return the processor milliseconds of a request by the client, without the receiver's.

    Both are in this process, so the receiver's share is measured apart, with a client that only writes and reads.
    """
    started = time.process_time()
    for _ in range(count):
        await _post(scene)
    both = time.process_time() - started
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.receiver.port)
    head = f"POST /hook HTTP/1.1\r\nwebhook-id: x\r\ncontent-length: {len(_BODY)}\r\n\r\n".encode()
    started = time.process_time()
    for _ in range(count):
        writer.write(head + _BODY)
        await reader.readuntil(b"\r\n\r\n")
    alone = time.process_time() - started
    writer.close()
    return (both - alone) / count * 1000


async def _post(scene: _Scene) -> None:
    url = f"http://127.0.0.1:{scene.receiver.port}/hook"
    async with scene.http.post(url, data=_BODY, headers={"webhook-id": f"floor-{uuid.uuid4()}"}) as response:
        await response.read()


def _processor_seconds() -> float:
    """Return the processor time of this process' descendants: the service and its engines."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        times = process.cpu_times()
        total += times.user + times.system
    return total


@asynccontextmanager
async def _hanging(scene: _Scene) -> AsyncIterator[None]:
    """Let the endpoint that does not respond be active during the block, with as many messages as it gets."""
    before = scene.receiver.unanswered
    await scene.db.fetch(_HANG, scene.hanging, "active")
    await eventually(lambda: scene.receiver.unanswered >= before + PER_ENDPOINT, within=60)
    yield
    await scene.db.fetch(_HANG, scene.hanging, "paused")


@asynccontextmanager
async def _scene() -> AsyncIterator[_Scene]:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(webhook_receiver())
        service = await stack.enter_async_context(
            live_service(
                env={
                    "PICSHARE_OUTBOUND__ALLOW_HTTP": "true",
                    "PICSHARE_OUTBOUND__PORTS": str(receiver.port),
                    "PICSHARE_OUTBOUND__ALLOWED_NETWORKS": "127.0.0.1/32",
                }
            )
        )
        db = await Database.connect(service.dsn, routes=queues_of, min_size=2, max_size=8)
        stack.push_async_callback(db.close)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        url = f"http://127.0.0.1:{receiver.port}"
        made = [await _endpoint(db, f"owner{number}", f"{url}/hook") for number in range(ENDPOINTS)]
        _, hanging = await _endpoint(db, "silent", f"{url}{SILENT.decode()}")
        await db.fetch(_HANG, hanging, "paused")
        owners, endpoints = zip(*made, strict=True)
        yield _Scene(db=db, receiver=receiver, http=http, owners=owners, endpoints=endpoints, hanging=hanging)


async def _endpoint(db: Database, name: str, url: str) -> tuple[int, int]:
    """Create an account with an active endpoint, and return the ids of both."""
    user = await new_user(db, name)
    async with db.transaction() as tx:
        made = await webhook_endpoints.create(
            tx,
            owner_id=user.id,
            url=url,
            description="",
            types=(),
            scope=EndpointScope.OWN,
            ordered=False,
            secret=new_secret(Scheme.HMAC),
        )
        await webhook_endpoints.edit(tx, made.id, owner_id=user.id, state=EndpointState.ACTIVE)
    return user.id, made.id
