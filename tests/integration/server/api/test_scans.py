"""An installation with a service that scans originals: nothing of a match is shown, by no way."""

from __future__ import annotations

import hashlib

import pytest

from server.composition.workers import worker_context
from storage import ids
from storage.events import PhotoUploaded
from storage.stores.media import quarantine
from tests.support.api import Api
from tests.support.pictures import photograph
from tests.support.scripted_peer import responds, scripted_peer
from workers.jobs.context import open_handlers
from workers.registry import WORKERS

pytestmark = pytest.mark.engines

ROCKET = photograph("rocket").read_bytes()
SHA256 = hashlib.sha256(ROCKET).hexdigest()
ORIGINAL = f"/media/{SHA256}/original.jpg"
MEDIA = next(spec for spec in WORKERS if spec.name == "media")


async def scan(api: Api, photo_id: str, author_id: str, status: str) -> list[str]:
    """Process a photo with a service that gives this answer; return the requests to it."""
    event = PhotoUploaded(photo_id=ids.decode(photo_id), author_id=ids.decode(author_id))
    async with scripted_peer(responds(status=status)) as peer:
        settings = api.services.base.with_values("media", scan=f"http://127.0.0.1:{peer.port}/scan")
        async with open_handlers(MEDIA, worker_context(MEDIA.name, settings, api.services.stores)) as handlers:
            await handlers[event.topic](event)
        return peer.requests


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("200 OK", "ready"),
        ("451 Unavailable For Legal Reasons", "rejected"),
        ("503 Service Unavailable", "processing"),
        ("302 Found", "processing"),
    ],
)
async def test_what_the_author_sees(api: Api, status: str, state: str) -> None:
    """The worker asks the service of the settings; only a pass is published, and the reason of a match is neutral."""
    ann, bob = await api.user(), await api.user()
    photo = await ann.upload(ROCKET)
    assert photo["state"] == "processing"
    (request,) = await scan(api, photo["id"], ann.id, status)
    assert request.startswith("POST /scan ")
    seen = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)
    assert seen["state"] == state
    assert (await bob.call("GET", f"/photos/{photo['id']}")).status == (200 if state == "ready" else 404)
    assert (await ann.call("GET", ORIGINAL)).status == (404 if state == "rejected" else 200)


async def test_a_photo_in_quarantine(api: Api) -> None:
    """Neither its author nor a moderator is shown what is in quarantine, although they could see it before."""
    ann = await api.user()
    photo = await ann.upload(ROCKET)
    await api.finish(photo)
    prefix = f"/media/review/r1/{SHA256}/"
    url = f"{api.url}{prefix}320.jpg?{api.services.media_urls.sign(prefix)}"
    assert (await ann.call("GET", url)).status == 200
    assert (await ann.call("GET", ORIGINAL)).status == 200
    async with api.services.db.transaction() as tx:
        await quarantine.add(tx, SHA256)
    assert (await ann.call("GET", url)).status == 404
    assert (await ann.call("GET", ORIGINAL)).status == 404
