"""Two machines whose clocks are ten seconds apart, on the same engines: nothing that passes between them breaks."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from storage import ids
from storage.embedded.postgres import embedded_postgres
from storage.embedded.valkey import embedded_valkey
from tests.engines.private import free_port
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.pictures import PHOTOS
from tests.support.service import Service

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

WITHIN = 30.0  # seconds
AHEAD = "10"  # seconds


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def machines(engines_dir: Path) -> AsyncIterator[tuple[Service, Service]]:
    """Two machines that do everything; the clock of the first is ahead of that of the engines and of the second."""
    folder = engines_dir / "clocks"
    folder.mkdir()
    async with embedded_postgres(folder / "pg") as dsn, embedded_valkey(folder / "vk") as redis_url:
        shared = {
            "PICSHARE_DATABASE__URL": dsn,
            "PICSHARE_REDIS__URL": redis_url,
            "PICSHARE_BLOBS__URL": f"file:{folder / 'blobs'}",
            "PICSHARE_AUTH__SECRET": secrets.token_hex(32),
            "PICSHARE_LOG__FORMAT": "json",
        }
        services = []
        for name, module, offset in (("ahead", "tests.support.skewed_cli", AHEAD), ("exact", "server.cli", "0")):
            port = free_port()
            command = ["run", "--no-demo", "--port", str(port), "--data", str(folder / name)]
            env = {**shared, "CLOCK_OFFSET": offset}
            services.append(Service(command, folder=folder, name=name, port=port, env=env, module=module))
        try:
            for service in services:  # one after the other, because the first migrates
                await service.start()
            yield services[0], services[1]
        finally:
            await asyncio.gather(*(service.stop() for service in services if service.process is not None))


async def call_at(machine: Service, user: ApiUser, method: str, path: str, **options: object) -> int:
    """Send a user's request to a machine, and return the status."""
    return (await user.call(method, f"{machine.url}/api/v1{path}", **options)).status


@pytest.mark.parametrize("first", [0, 1], ids=["ahead-first", "exact-first"])
async def test_what_one_machine_issues_is_valid_on_the_other(machines: tuple[Service, Service], first: int) -> None:
    """Tokens, refresh tokens, tickets, signed uploads, idempotency keys and the end of a session."""
    here, there = machines[first], machines[1 - first]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        ann = await ApiUser.sign_up(http, here.url)
        assert await call_at(there, ann, "GET", "/users/me") == 200
        # The photo is announced here, and its bytes are sent there.
        photo = await ann.upload(PHOTOS / "cat.jpg", "first")
        stored = {
            "content_type": "image/jpeg",
            "bytes": 3,
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        }
        upload = (await ann.call("POST", "/uploads", json=stored)).expect(201)
        path = "/uploads/" + upload["url"].partition("/uploads/")[2]
        assert await call_at(there, ann, "PUT", path, data=b"abc", headers=upload["headers"]) == 201
        comment = {"json": {"text": "hello"}, "headers": {"Idempotency-Key": secrets.token_hex(16)}}
        assert await call_at(here, ann, "POST", f"/photos/{photo['id']}/comments", **comment) == 201
        assert await call_at(there, ann, "POST", f"/photos/{photo['id']}/comments", **comment) == 201
        page = (await ann.call("GET", f"/photos/{photo['id']}/comments")).expect(200)
        assert len(page["items"]) == 1
        ticket = (await ann.call("POST", "/live/token")).expect(201)["token"]
        async with http.get(f"{there.url}/live/sse", params={"ticket": ticket}) as events:
            assert events.status == 200, await events.text()
        # A refresh whose response was lost is repeated on the other machine.
        old = {"refresh_token": ann._refresh}
        ann.token = ""
        assert await call_at(here, ann, "POST", "/tokens/refresh", json=old) == 201
        renewed = (await ann.call("POST", f"{there.url}/api/v1/tokens/refresh", json=old)).expect(201)
        ann.token = renewed["access_token"]
        assert await call_at(here, ann, "DELETE", "/tokens/current") == 204
        assert await call_at(there, ann, "GET", "/users/me") == 401


async def test_feeds_and_live_connections_between_machines(machines: tuple[Service, Service]) -> None:
    """Photos of both machines arrive on connections of both, and every page has each of them once."""
    ahead, exact = machines
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        ann, ben = await ApiUser.sign_up(http, ahead.url), await ApiUser.sign_up(http, exact.url)
        await ann.follow(ben)
        await ben.follow(ann)
        lives = [await ann.go_live(exact.url), await ben.go_live(ahead.url)]
        photos = [await (ann, ben)[number % 2].upload(PHOTOS / "cat.jpg", str(number)) for number in range(4)]
        seconds = [ids.milliseconds_of(ids.decode(photo["id"])) / 1000 - time.time() for photo in photos]
        assert seconds[0] > 0 > seconds[1], "the clocks are not apart"
        for photo in photos:
            for live in lives:
                await eventually(partial(live.has_photo, photo["id"]), within=WITHIN)
        for user in (ann, ben):
            for machine in machines:
                user.url = machine.url
                assert await pages_of(user) == sorted((photo["id"] for photo in photos), reverse=True)
                # The images of what the other machine has stored, and likes of what it has posted.
                image = (await user.call("GET", f"/photos/{photos[0]['id']}")).expect(200)["urls"]["feed"]
                assert (await user.call("GET", machine.url + image)).status == 200
            for photo in photos:
                (await user.call("PUT", f"/photos/{photo['id']}/like")).expect(200)

        async def all_liked() -> bool:
            counts = [(item["likes"], item["liked"]) for user in (ann, ben) for item in await user.feed()]
            return counts == [(2, True)] * 8

        await eventually(all_liked, within=WITHIN)
        for user in (ann, ben):
            await user.leave()


async def test_nothing_is_measured_as_negative(machines: tuple[Service, Service]) -> None:
    """No sum of a histogram decreases, and nothing has failed."""
    async with aiohttp.ClientSession() as http:
        for machine in machines:
            async with http.get(f"{machine.url}/metrics") as response:
                families = text_string_to_metric_families(await response.text())
            samples = [sample for family in families if family.type == "histogram" for sample in family.samples]
            assert [sample for sample in samples if sample.value < 0] == []
            assert not [line for line in machine.log().splitlines() if '"level":"error"' in line]


async def pages_of(user: ApiUser) -> list[str]:
    """Return the ids of a home feed, read one photo at a time."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "1", **({"cursor": cursor} if cursor else {})}
        page = (await user.call("GET", "/feed", params=query)).expect(200)
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found
