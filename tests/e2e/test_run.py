"""`picshare run` as a newcomer meets it: one command, nothing installed by hand, nothing left behind."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import aiohttp
import psutil
import pytest
import pytest_asyncio

from tests.engines.private import free_port
from tests.support.eventually import eventually
from tests.support.person import Person
from tests.support.pictures import PHOTOS
from tests.support.run import TIMEOUT, Run, run_to_end, temporary_run, wait_for_output
from tests.support.service import Service

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

SECOND_START = 3.0  # seconds to the first answered request


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def living() -> AsyncIterator[Run]:
    """A first start with its community, shared by the tests that leave it running."""
    async with temporary_run() as run:
        await run.service().start(wait=False)
        await wait_for_output(run.services[0], "PicShare answers at")
        yield run


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield session


def descendants(service: Service) -> list[psutil.Process]:
    """Return the processes that a service has started, and theirs."""
    return psutil.Process(service.pid).children(recursive=True)


def lives(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def none_alive(processes: list[psutil.Process]) -> None:
    """Wait until none of the processes runs any more."""

    def ended() -> bool:
        alive = [item for item in processes if lives(item)]
        assert not alive, f"still alive: {alive}"
        return True

    await eventually(ended, within=TIMEOUT)


async def sign_in(http: aiohttp.ClientSession, url: str) -> Person:
    """Sign in with the demonstration account."""
    person = Person(http, url, "demo")
    answer = (await person.call("POST", "/tokens", json={"username": "demo", "password": "picshare-demo"})).expect(201)
    person.token, person.id = answer["access_token"], answer["user"]["id"]
    return person


async def test_a_first_start_brings_a_living_community(living: Run, http: aiohttp.ClientSession) -> None:
    """The address and the sign-in are printed, and behind them are photos, likes, comments and notifications."""
    line = f"PicShare answers at {living.url}, sign in as demo with the password picshare-demo\n"
    assert line in living.services[0].log()
    async with http.get(living.url) as page:
        assert page.status == 200
        assert "text/html" in page.headers["Content-Type"]
    demo = await sign_in(http, living.url)
    feed = await demo.feed()
    assert len(feed) == 7
    assert all(photo["likes"] >= 3 and photo["comments"] >= 1 and photo["alt_text"] for photo in feed)
    async with http.get(living.url + feed[0]["urls"]["feed"]) as image:
        assert image.status == 200

    async def noticed() -> bool:
        inbox = (await demo.call("GET", "/notifications")).expect(200)["items"]
        return {item["kind"] for item in inbox} >= {"like", "comment", "follow"}

    await eventually(noticed, within=TIMEOUT)


async def test_the_flow_from_sign_up_to_a_follower_s_screen(living: Run, http: aiohttp.ClientSession) -> None:
    """Sign up, follow, upload, see it live and in the feed, like it, and the owner hears of it."""
    author, fan = await Person.sign_up(http, living.url), await Person.sign_up(http, living.url)
    await fan.follow(author)
    hears_author, hears_fan = await author.go_live(), await fan.go_live()
    photo = await author.upload(PHOTOS / "cat.jpg", "A cat")
    news = await hears_fan.expect("feed", "photo.new")
    assert news["photo"]["id"] == photo["id"]
    assert [item["id"] for item in await fan.feed()] == [photo["id"]]
    (await fan.call("PUT", f"/photos/{photo['id']}/like")).expect(200)
    await eventually(
        lambda: any(
            item["notification"]["text"] == f"{fan.name} liked your photo"
            for item in hears_author.of("notifications", "notification")
        )
    )
    await author.leave()
    await fan.leave()


async def test_a_stop_is_orderly_leaves_no_process_and_the_next_start_is_quick(
    run: Run, http: aiohttp.ClientSession
) -> None:
    """On SIGTERM readiness goes off first, then all ends; the next start answers in time, with everything there."""
    first = run.service("--no-demo", env={"PICSHARE_SERVER__DRAIN_DELAY": "2"})
    await first.start()
    author = await Person.sign_up(http, run.url)
    photo = await author.upload(PHOTOS / "cat.jpg", "kept")
    family = descendants(first)
    assert len(family) >= 2, "PostgreSQL and Valkey"
    assert first.process is not None
    first.process.send_signal(signal.SIGTERM)

    async def draining() -> bool:
        async with http.get(f"{run.url}/readyz") as response:
            return response.status == 503

    await eventually(draining, within=1.5)
    async with http.get(f"{run.url}/healthz") as response:
        assert response.status == 200
    async with asyncio.timeout(TIMEOUT):
        assert await first.process.wait() == 0, first.log()
    await none_alive(family)

    # The machine may be busy with other tests: the best of a few starts is what PicShare itself needs.
    seconds: list[float] = []
    while not seconds or (min(seconds) > SECOND_START and len(seconds) < 4):
        again = run.service("--no-demo")
        begun = time.monotonic()
        await again.start()
        seconds.append(time.monotonic() - begun)
        assert (await author.call("GET", f"/photos/{photo['id']}")).expect(200)["caption"] == "kept"
        await again.stop()
    assert min(seconds) < SECOND_START, seconds


async def test_even_a_killed_process_leaves_nothing_behind_and_loses_nothing(
    run: Run, http: aiohttp.ClientSession
) -> None:
    """SIGKILL right after an upload was acknowledged: no child survives, and the next start finishes the work."""
    first = run.service("--no-demo")
    await first.start()
    author, fan = await Person.sign_up(http, run.url), await Person.sign_up(http, run.url)
    await fan.follow(author)
    photo = await author.upload(PHOTOS / "galaxies.jpg", "acknowledged")
    family = descendants(first)
    await first.kill()
    await none_alive(family)

    await run.service("--no-demo").start()

    async def arrived() -> bool:
        return [item["id"] for item in await fan.feed()] == [photo["id"]]

    await eventually(arrived, within=TIMEOUT)


async def test_the_community_is_completed_after_an_interruption(run: Run, http: aiohttp.ClientSession) -> None:
    """A first start that was killed half-way is taken up by the next one, and nobody is there twice."""
    first = run.service()
    await first.start()
    await first.kill()
    second = run.service()
    await second.start(wait=False)
    await wait_for_output(second, "PicShare answers at")
    demo = await sign_in(http, run.url)
    feed = await demo.feed()
    assert len({photo["caption"] for photo in feed}) == len(feed) == 7
    assert all(photo["likes"] >= 3 for photo in feed)


async def test_a_second_signal_stops_at_once(run: Run) -> None:
    """Who presses Ctrl-C twice does not wait for the drain."""
    service = run.service("--no-demo", env={"PICSHARE_SERVER__DRAIN_DELAY": "60"})
    await service.start()
    family = descendants(service)
    assert service.process is not None
    service.process.send_signal(signal.SIGINT)
    await wait_for_output(service, "stopping")
    service.process.send_signal(signal.SIGINT)
    async with asyncio.timeout(5):
        assert await service.process.wait() == 128 + signal.SIGINT
    await none_alive(family)


async def test_health_and_metrics_answer(living: Run, http: aiohttp.ClientSession) -> None:
    """`/healthz`, `/readyz` and `/metrics` answer, and the metrics tell of requests and queues."""
    for path in ("/healthz", "/readyz"):
        async with http.get(living.url + path) as response:
            assert response.status == 200
    await Person.sign_up(http, living.url)
    async with http.get(f"{living.url}/metrics") as response:
        text = await response.text()
    for part in ('route="/api/v1/users"', "picshare_event_loop_lag_seconds", "picshare_live_connections 0.0"):
        assert part in text


async def test_a_data_directory_in_use_is_one_sentence(living: Run) -> None:
    """A second PicShare in the same directory: exit code 2 and who holds it; the first goes on."""
    first = living.services[0]
    arguments = ["run", "--port", str(free_port()), "--data", str(living.folder / "data")]
    code, said = await run_to_end(Service(arguments, folder=living.folder, name="second"))
    assert code == 2
    assert f"process {first.pid}" in said
    assert said.count("\n") == 1
    await first.ready()


async def test_commands_work_beside_the_running_service(living: Run, http: aiohttp.ClientSession) -> None:
    """While the service runs, its operator makes an account, lists dead letters and asks the doctor."""
    data = ["--data", str(living.folder / "data")]

    async def command(*arguments: str) -> tuple[int, str]:
        return await run_to_end(
            Service([*arguments, *data], folder=living.folder, name=f"c-{arguments[0]}-{arguments[-1]}")
        )

    made = ("user", "create", "olga", "--email", "olga@example.com", "--password", "correct horse battery")
    assert await command(*made, "--role", "admin") == (0, "Created olga (admin).\n")
    code, said = await command(*made)
    assert (code, said.count("\n")) == (1, 1)
    assert (await command("user", "promote", "olga", "--role", "moderator")) == (
        0,
        "olga now has the role moderator.\n",
    )
    assert "olga" in (await command("user", "list"))[1]
    assert await command("deadletters", "list") == (0, "There are no dead letters.\n")
    assert await command("migrate") == (0, "The database is up to date.\n")
    code, said = await command("doctor")
    assert code == 0, said
    for part in ("PostgreSQL", "Valkey", "writable", "no dead letters"):
        assert part in said
    person = Person(http, living.url, "olga")
    signed_in = {"username": "olga", "password": "correct horse battery"}
    assert (await person.call("POST", "/tokens", json=signed_in)).expect(201)["user"]["role"] == "moderator"
