"""An installation that asks a service what new photos show: its answer is a verdict, and nothing else is one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from server.composition.workers import worker_context
from storage import ids
from storage.events import PhotoHeld, PhotoReady
from storage.models import Photo
from storage.moderation import Decider
from storage.stores.photos import photo_moderation, photos
from tests.support import moderation
from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.moderation import ALLOW, HOLD
from tests.support.pictures import photograph
from tests.support.scripted_peer import Behaviour, hang, reset, responds, scripted_peer, sends
from workers.errors import Retry
from workers.handlers import EventHandler
from workers.jobs.context import open_handlers
from workers.jobs.moderation import reviews
from workers.registry import WORKERS

pytestmark = pytest.mark.engines

REVIEWS = next(spec for spec in WORKERS if spec.name == "reviews")
CAT = photograph("cat").read_bytes()
UNUSABLE: dict[str, Behaviour] = {
    "hangs": hang,
    "resets": reset,
    "garbage": sends(b"\x00garbage\r\n\r\n"),
    "a page": responds(b"<html>hello</html>"),
    "another service": responds(b'{"status": "success", "nudity": {"prob": 0.99}}'),
    "a wrong key": responds(b"{}", status="401 Unauthorized"),
    "down": responds(b"{}", status="503 Service Unavailable"),
    "an error with scores": responds(
        b'{"results": [{"category_scores": {"sexual": 0.01}}]}', status="429 Too Many Requests"
    ),
}


def answer(score: float) -> Behaviour:
    """Return a service that gives one score."""
    return responds(json.dumps({"results": [{"category_scores": {"sexual": score, "hate": 0.01}}]}).encode())


@asynccontextmanager
async def reviewing(api: Api, port: int, topic: str = "photo.ready") -> AsyncIterator[EventHandler]:
    """Open the worker with a service at a port."""
    values: dict[str, Any] = {
        "service": "openai",
        "service_key": SecretStr("k"),
        "service_url": f"http://127.0.0.1:{port}/v1/moderations",
    }
    settings = api.services.base.with_values("moderation", **values)
    async with open_handlers(REVIEWS, worker_context(REVIEWS.name, settings, api.services.stores)) as handlers:
        yield handlers[topic]


async def ready(api: Api, ann: ApiUser, *pictures: bytes) -> Photo:
    """Post a photo that is ready."""
    posted = await (ann.post_pictures(*pictures) if pictures else ann.upload(photograph("rocket"), "at the sea"))
    await api.finish(posted)
    photo_id = ids.decode(posted["id"])
    return (await photos.load(api.services.db, [photo_id]))[photo_id]


def event_of(photo: Photo) -> PhotoReady:
    """Return the event of a photo."""
    return PhotoReady(photo_id=photo.id, author_id=photo.author.id)


@pytest.mark.parametrize(
    ("score", "state", "sensitive"), [(0.95, "hidden", False), (0.75, "ready", True), (0.2, "ready", False)]
)
async def test_an_answer_is_a_verdict(api: Api, score: float, state: str, sensitive: bool) -> None:
    """By its highest score a photo is hidden, blurred or left as it is; it is asked about once."""
    ann, bob = await api.user(), await api.user()
    photo = await ready(api, ann)
    async with scripted_peer(answer(score)) as peer, reviewing(api, peer.port) as review:
        await review(event_of(photo))
        await review(event_of(photo))
        assert len(peer.requests) == 1
        assert "Authorization: Bearer k\r\n" in peer.requests[0]
    seen = (await ann.call("GET", f"/photos/{ids.encode(photo.id)}")).expect(200)
    assert (seen["state"], seen["sensitive"]) == (state, sensitive)
    assert (await bob.call("GET", f"/photos/{ids.encode(photo.id)}")).status == (404 if state == "hidden" else 200)
    (decision,) = await photo_moderation.history(api.services.db, photo.id)
    assert (decision.source, dict(decision.labels)) == ("openai", {"sexual": score, "hate": 0.01})
    if state == "hidden":
        assert (seen["moderation"]["decided_by"], seen["moderation"]["rule"]) == ("service", "sexual")


async def test_a_held_photo_is_shown(api: Api) -> None:
    """A hold ends with the answer of the service."""
    ann, bob = await api.user(), await api.user()
    photo = await ready(api, ann)
    await moderation.decide(api.services.db, photo, HOLD, Decider.AUTOMATIC, source="new")
    await api.services.stores.cards.invalidate([photo.id])
    assert (await bob.call("GET", f"/photos/{ids.encode(photo.id)}")).status == 404
    async with scripted_peer(answer(0.1)) as peer, reviewing(api, peer.port, "photo.held") as review:
        await review(PhotoHeld(photo_id=photo.id, author_id=photo.author.id))
    assert (await bob.call("GET", f"/photos/{ids.encode(photo.id)}")).status == 200


async def test_a_moderator_has_the_last_word(api: Api) -> None:
    """What a moderator has allowed stays."""
    ann = await api.user()
    photo = await ready(api, ann)
    await moderation.decide(api.services.db, photo, ALLOW)
    async with scripted_peer(answer(0.99)) as peer, reviewing(api, peer.port) as review:
        await review(event_of(photo))
    assert (await ann.call("GET", f"/photos/{ids.encode(photo.id)}")).expect(200)["state"] == "ready"


async def test_each_picture_is_looked_at(api: Api) -> None:
    """Of several pictures each is asked about."""
    photo = await ready(api, await api.user(), CAT, photograph("rocket").read_bytes())
    async with scripted_peer(answer(0.1)) as peer, reviewing(api, peer.port) as review:
        await review(event_of(photo))
        assert len(peer.requests) == 2


@pytest.mark.parametrize("behave", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_what_is_no_answer(api: Api, behave: Behaviour, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is decided, and the event is retried."""
    monkeypatch.setattr(reviews, "_TIMEOUT", 0.3)
    photo = await ready(api, await api.user())
    async with scripted_peer(behave) as peer, reviewing(api, peer.port) as review:
        with pytest.raises(Retry):
            await review(event_of(photo))
        assert peer.connections == 1
    assert await photo_moderation.history(api.services.db, photo.id) == []


async def test_its_circuit_opens(api: Api) -> None:
    """A service that is down is not asked about each photo, and the retry comes when it may be."""
    photo = await ready(api, await api.user())
    async with scripted_peer(reset) as peer, reviewing(api, peer.port) as review:
        for _ in range(reviews.CIRCUIT.failures + 3):
            with pytest.raises(Retry) as caught:
                await review(event_of(photo))
        assert peer.connections == reviews.CIRCUIT.failures
    assert 0 < (caught.value.after or 0) <= reviews.CIRCUIT.pause


async def test_without_a_service(api: Api) -> None:
    """Nothing is asked, and the events are taken off the queue."""
    photo = await ready(api, await api.user())
    async with open_handlers(REVIEWS, worker_context(REVIEWS.name, api.services.base, api.services.stores)) as handlers:
        await handlers["photo.ready"](event_of(photo))
    assert await photo_moderation.history(api.services.db, photo.id) == []
