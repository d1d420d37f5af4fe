"""The page's client of resumable uploads against a scripted tus server: no byte is lost, and none is sent twice."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.browser.modules import call
from tests.browser.scripted_tus import PATH, ScriptedTus
from tests.support.eventually import DEADLINE, eventually

SIZE = 300_000
CONTENT = random.Random(1).randbytes(SIZE)
SEND = """(async () => {
    const bytes = Uint8Array.from(atob(a.content), (character) => character.charCodeAt(0));
    const unreadable = async () => { throw new DOMException("gone", "NotReadableError"); };
    const gone = { size: 9, slice: () => ({ arrayBuffer: unreadable }) };
    const api = { authorized: (send) => send(), writeHeaders: () => ({ "X-CSRF-Token": "csrf" }) };
    const seen = { created: [], progress: [], waited: [] };
    window.ending = new AbortController();
    const upload = new m.ResumableUpload(api, a.gone ? gone : new Blob([bytes]), {
        url: a.url,
        signal: window.ending.signal,
        created: (url) => seen.created.push(url),
        progress: (sent) => seen.progress.push(sent),
        waiting: ({ status, code }) => seen.waited.push(code || status),
    });
    try {
        return { id: await upload.send(), ...seen };
    } catch ({ name, status, code, message }) {
        return { error: { name, status, code, message }, ...seen };
    }
})()"""


@pytest_asyncio.fixture(loop_scope="session")
async def tus() -> AsyncIterator[ScriptedTus]:
    """A scripted tus server without uploads."""
    async with ScriptedTus.running() as server:
        yield server


async def send(
    page: Page, tus: ScriptedTus, *, url: str | None = None, content: bytes = CONTENT, gone: bool = False
) -> Any:
    """Send a file and return what the client reported: its id or error, and the calls of its callbacks."""
    await page.goto(tus.url)
    argument = {"content": base64.b64encode(content).decode(), "url": url, "gone": gone}
    async with asyncio.timeout(DEADLINE):
        return await call(page, "js/service/resumable_upload", SEND, argument)


@pytest.mark.parametrize("cuts", [[], [0], [1], [SIZE // 2], [SIZE - 1], [SIZE], [70_000, 70_000, 0, 1]], ids=str)
async def test_a_cut_upload_goes_on_where_it_was_cut(page: Page, tus: ScriptedTus, cuts: list[int]) -> None:
    """After cuts at any byte the file is complete and equal: the client goes on with the first missing byte."""
    tus.cuts = list(cuts)
    seen = await send(page, tus)
    assert (seen["id"], seen["created"]) == ("u0", [f"{PATH}/u0"])
    assert tus.uploads == {"u0": CONTENT}
    assert seen["progress"][-1] == SIZE


async def test_progress_is_what_was_sent(page: Page, tus: ScriptedTus) -> None:
    """Progress begins with what the server has, grows, and ends with the size."""
    seen = await send(page, tus, url=tus.begun(CONTENT[:120_000], SIZE))
    assert seen["progress"] == sorted(seen["progress"])
    assert (seen["progress"][0], seen["progress"][-1]) == (120_000, SIZE)


async def test_a_known_upload_is_resumed(page: Page, tus: ScriptedTus) -> None:
    """With the address of an upload, only the rest is sent; if everything has arrived, nothing is."""
    path = tus.begun(CONTENT[:200_000], SIZE)
    assert (await send(page, tus, url=path))["created"] == []
    assert tus.requests == ["HEAD", "PATCH 200000"]
    assert tus.uploads == {"u0": CONTENT}
    assert (await send(page, tus, url=path))["id"] == "u0"
    assert tus.requests[2:] == ["HEAD"]


@pytest.mark.parametrize(
    ("method", "status", "code"),
    [
        ("POST", 503, "unavailable"),
        ("HEAD", 502, ""),
        ("PATCH", 409, "offset_conflict"),
        ("PATCH", 423, "upload_locked"),
        ("PATCH", 429, "too_many_requests"),
        ("PATCH", 460, "checksum_mismatch"),
        ("PATCH", 503, "unavailable"),
    ],
)
async def test_what_passes_is_repeated(page: Page, tus: ScriptedTus, method: str, status: int, code: str) -> None:
    """After a refusal that passes, the client reports it, asks for the offset and goes on."""
    tus.refuse(method, status, code)
    url = tus.begun(b"", SIZE) if method == "HEAD" else None
    seen = await send(page, tus, url=url)
    assert (seen["id"], seen["waited"]) == ("u0", [code or status])
    assert tus.uploads == {"u0": CONTENT}


@pytest.mark.parametrize("method", ["HEAD", "PATCH"])
async def test_an_expired_upload_is_created_again(page: Page, tus: ScriptedTus, method: str) -> None:
    """If the server does not know the upload any more, the file is sent from its beginning as a new one."""
    path = tus.begun(CONTENT[:1000], SIZE)
    tus.refuse(method, 404, "upload_not_found")
    if method == "PATCH":
        tus.refusals["HEAD"] = [(200, {}, {"Upload-Offset": "1000"}), (404, {}, {})]
    seen = await send(page, tus, url=path)
    assert (seen["id"], seen["created"]) == ("u1", [f"{PATH}/u1"])
    assert tus.uploads["u1"] == CONTENT


@pytest.mark.parametrize(
    ("method", "status", "code"),
    [
        ("POST", 404, "route_not_found"),
        ("POST", 409, "too_many_uploads"),
        ("POST", 413, "photo_too_large"),
        ("PATCH", 403, "csrf"),
        ("PATCH", 409, "too_many_parts"),
        ("PATCH", 507, "disk_full"),
    ],
)
async def test_a_refusal_ends_the_upload(page: Page, tus: ScriptedTus, method: str, status: int, code: str) -> None:
    """Any other refusal is thrown with its code and message, and no request follows."""
    tus.refuse(method, status, code)
    seen = await send(page, tus)
    assert seen["error"] == {"name": "ApiError", "status": status, "code": code, "message": f"refused with {code}"}
    assert seen["waited"] == []
    assert tus.requests == (["POST"] if method == "POST" else ["POST", "PATCH 0"])


async def test_the_origin_of_a_location_is_ignored(page: Page, tus: ScriptedTus) -> None:
    """Behind a proxy the server may give itself another origin; the page goes on with its own."""
    tus.origin = "https://internal.example"
    assert (await send(page, tus))["created"] == [f"{PATH}/u0"]
    assert tus.uploads == {"u0": CONTENT}


async def test_a_file_that_changed_on_the_device_is_reported(page: Page, tus: ScriptedTus) -> None:
    """A file that cannot be read any more ends the upload with a reason, instead of being tried for ever."""
    seen = await send(page, tus, gone=True)
    assert (seen["error"]["status"], seen["error"]["code"]) == (422, "file_unreadable")
    assert tus.requests == []


async def test_the_network_ends_the_wait(page: Page, tus: ScriptedTus) -> None:
    """An upload that waits goes on at once when the browser reports that the network is back."""
    tus.refuse("PATCH", 503, "unavailable", retry_after=3600)
    sending = asyncio.create_task(send(page, tus))
    await eventually(lambda: tus.requests == ["POST", "PATCH 0"])

    async def back() -> bool:
        await page.evaluate("dispatchEvent(new Event('online'))")
        return sending.done()

    await eventually(back)
    assert tus.uploads == {"u0": CONTENT}
    assert (await sending)["id"] == "u0"


async def test_an_ended_upload_sends_nothing_more(page: Page, tus: ScriptedTus) -> None:
    """The signal ends an upload in the middle of a request and while it waits."""
    tus.mute = True
    sending = asyncio.create_task(send(page, tus))
    await eventually(lambda: len(tus.uploads.get("u0", b"")) == SIZE)
    await page.evaluate("ending.abort()")
    assert (await sending)["error"]["name"] == "AbortError"

    tus.refuse("HEAD", 503, retry_after=3600)
    sending = asyncio.create_task(send(page, tus, url=f"{PATH}/u0"))
    await eventually(lambda: tus.requests[-1] == "HEAD")
    await page.evaluate("ending.abort()")
    assert (await sending)["error"]["name"] == "AbortError"
    assert tus.requests == ["POST", "PATCH 0", "HEAD"]


async def test_a_silent_connection_is_given_up(page: Page, tus: ScriptedTus) -> None:
    """A request without progress for a minute is ended, and the upload goes on in another one."""
    await page.clock.install()
    tus.mute = True
    sending = asyncio.create_task(send(page, tus))
    await eventually(lambda: len(tus.uploads.get("u0", b"")) == SIZE)
    tus.mute = False

    async def ended() -> bool:
        await page.clock.fast_forward(61_000)
        return sending.done()

    await eventually(ended)
    seen = await sending
    assert (seen["id"], seen["waited"]) == ("u0", ["unreachable"])
    assert tus.requests == ["POST", "PATCH 0", "HEAD"]


async def test_an_upload_is_removed(page: Page, tus: ScriptedTus) -> None:
    """An upload that the user cancels is deleted from the server."""
    path = tus.begun(b"", SIZE)
    await page.goto(tus.url)
    api = '({ authorized: (send) => send(), writeHeaders: () => ({ "X-CSRF-Token": "csrf" }) })'
    await call(page, "js/service/resumable_upload", f"m.ResumableUpload.remove({api}, a)", path)
    assert tus.uploads == {}
