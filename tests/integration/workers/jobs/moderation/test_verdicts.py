"""Messages to services that decide about photos, and the verdicts in their responses."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from storage.events import PhotoDeferred, PhotoHeld, PhotoReady, PhotoUploaded, VideoUploaded
from storage.ids import encode
from storage.models import Photo, PhotoAudience, PhotoState, Role, User
from storage.moderation import Decider
from storage.perceptual_hashes import MIN_QUALITY, MediaHash
from storage.postgres.database import Database
from storage.stores.accounts import account_fields
from storage.stores.photos import media_hashes, photo_deletion, photo_moderation, photo_processing, photos
from storage.stores.webhooks import webhook_attempts, webhook_endpoints
from storage.webhooks import Endpoint, EndpointScope, EndpointState
from tests.support import moderation
from tests.support.community import new_user, new_users, processing_photo, ready_photo, ready_post
from tests.support.moderation import ALLOW, HIDE, HOLD
from tests.support.webhooks import Message, Respond, WebhookScene, answer, response
from workers.webhooks.payloads import MAX_REVIEW_BYTES, PAYLOADS

pytestmark = pytest.mark.engines

PDQ = "0f" * 32


@pytest.fixture
def scene(database: Database) -> WebhookScene:
    """The worker, and receivers in memory."""
    return WebhookScene(database)


async def service(scene: WebhookScene, host: str = "moderation.example.org", **options: Any) -> tuple[User, Endpoint]:
    """Return an administrator, and the endpoint of a service that decides about photos."""
    root = await new_user(scene.database, host.partition(".")[0])
    async with scene.database.transaction() as tx:
        await tx.execute("UPDATE users SET role = $2 WHERE id = $1", root.id, Role.ADMIN.value)
    options = {"scope": EndpointScope.ALL, "moderation": True, **options}
    return root, await scene.endpoint(root, host, **options)


def verdict(kind: str, **more: Any) -> Respond:
    """Return a receiver whose responses have a verdict."""

    async def respond(_: Message) -> Any:
        return response(200, json.dumps({"verdict": kind, **more}).encode())

    return respond


async def state_of(scene: WebhookScene, photo: Photo) -> PhotoState:
    """Return the state of a photo."""
    return (await photos.load(scene.database, [photo.id]))[photo.id].state


async def hashed(scene: WebhookScene, photo: Photo, *hashes: MediaHash) -> None:
    """Store the hashes of the photo's pictures."""
    async with scene.database.transaction() as tx:
        await media_hashes.store(tx, photo.id, hashes)


async def ready(scene: WebhookScene, photo: Photo) -> None:
    """Handle the event of a photo that is ready, and send its messages."""
    await scene.handle(PhotoReady(photo_id=photo.id, author_id=photo.author.id))
    await scene.send()


async def errors(scene: WebhookScene, endpoint: Endpoint) -> list[str | None]:
    """Return what the log of attempts says about each, the newest first."""
    found = await webhook_attempts.page(scene.database, endpoint.id, before=None, limit=10)
    return [attempt.error for attempt in found]


async def test_a_message_has_what_a_service_decides_by(scene: WebhookScene) -> None:
    """Texts, hash, facts about the author, a URL of the image and a token; another endpoint gets none of it."""
    _, endpoint = await service(scene)
    ada = await new_user(scene.database, "ada")
    await scene.endpoint(ada, "hooks.example.org")
    photo = await ready_photo(
        scene.database, ada, caption="c" * 2200, alt_text="a" * 1000, tags=["sea"], location="Bergen"
    )
    await hashed(scene, photo, MediaHash(sha256=photo.sha256, pdq=PDQ, quality=MIN_QUALITY))
    await ready(scene, photo)
    (message,) = scene.receivers.of("moderation.example.org")
    PAYLOADS["photo.ready"].model_validate_json(message.body)
    assert len(message.body) < MAX_REVIEW_BYTES
    data = message.verify(endpoint.secrets[0])["data"]
    token, media = data.pop("verdict_token"), data.pop("media")
    assert data == {
        "photo_id": encode(photo.id),
        "author": {"id": encode(ada.id), "username": "ada", "account_age_days": 0, "photos": 1},
        "audience": "public",
        "width": 640,
        "height": 427,
        "url": f"https://photos.example.com/api/v1/photos/{encode(photo.id)}",
        "caption": "c" * 2200,
        "alt_text": "a" * 1000,
        "tags": ["sea"],
        "location": "Bergen",
        "sha256": photo.sha256,
        "pdq": PDQ,
        "held": False,
        "verdict_url": f"https://photos.example.com/api/v1/moderation/{encode(photo.id)}",
    }
    assert scene.verdict_tokens.verify(token, photo_id=photo.id).endpoint_id == endpoint.id
    assert media["url"].startswith(f"https://photos.example.com/media/review/r1/{photo.sha256}/1080.jpg?exp=")
    assert media["expires_at"].startswith("2027-01-15T08:00:0")
    (other,) = scene.receivers.of("hooks.example.org")
    assert {"caption", "media", "verdict_token"}.isdisjoint(other.document["data"])
    assert set(other.document["data"]["author"]) == {"id", "username"}


async def test_each_attempt_has_a_url_and_a_token_of_its_own(scene: WebhookScene) -> None:
    """A message that is sent again has the same id, and what is valid at that time."""
    await service(scene)
    photo = await ready_photo(scene.database, await new_user(scene.database, "ada"))
    scene.receivers.by_host["moderation.example.org"] = answer(500)
    await ready(scene, photo)
    await scene.advance(timedelta(hours=1))
    await scene.send()
    one, two = scene.receivers.messages
    assert one.id == two.id
    urls = [message.document["data"]["media"]["url"] for message in (one, two)]
    assert len(set(urls)) == 2


async def test_all_pictures_of_a_photo(scene: WebhookScene) -> None:
    """A photo with several pictures has the image and the hash of each."""
    await service(scene)
    photo = await ready_post(scene.database, await new_user(scene.database, "ada"), "one", "two")
    first, second = (item.sha256 for item in photo.items)
    await hashed(
        scene,
        photo,
        MediaHash(sha256=second, pdq=PDQ, quality=MIN_QUALITY),
        MediaHash(sha256=first, pdq="1" * 64, quality=MIN_QUALITY - 1),
    )
    await ready(scene, photo)
    (message,) = scene.receivers.messages
    items = message.document["data"]["items"]
    assert [item["alt_text"] for item in items] == ["one", "two"]
    # The hash of an image without edges is near to those of many others, so it is left out.
    assert [item["pdq"] for item in items] == [None, PDQ]
    assert all(item["sha256"] in item["media"]["url"] for item in items)


@pytest.mark.parametrize("kind", [PhotoUploaded, PhotoDeferred, VideoUploaded])
async def test_an_uploaded_photo_is_sent_to_services_alone(scene: WebhookScene, kind: Any) -> None:
    """Whatever is uploaded is sent as photo.uploaded, without images; other endpoints do not get it."""
    root, _ = await service(scene)
    ada = await new_user(scene.database, "ada")
    await scene.endpoint(ada, "hooks.example.org")
    await scene.endpoint(root, "all.example.org", scope=EndpointScope.ALL)
    photo = await processing_photo(scene.database, ada)
    await scene.handle(kind(photo_id=photo.id, author_id=ada.id))
    await scene.send()
    (message,) = scene.receivers.messages
    assert (message.host, message.document["type"]) == ("moderation.example.org", "photo.uploaded")
    assert message.document["data"]["media"] is None
    async with scene.database.transaction() as tx:
        await photo_processing.mark_ready(tx, photo.id, width=1, height=1, placeholder=None, exif=None)
    await scene.handle(kind(photo_id=photo.id, author_id=ada.id))
    await scene.send()
    assert len(scene.receivers.messages) == 1, "photo.ready says more by then"


async def test_a_held_photo_is_sent_to_services_alone(scene: WebhookScene) -> None:
    """It is sent as photo.ready, says that it is held, and a verdict releases it; the author's endpoint waits."""
    await service(scene)
    ada = await new_user(scene.database, "ada")
    await scene.endpoint(ada, "hooks.example.org")
    scene.receivers.by_host["moderation.example.org"] = verdict("allow")
    photo = await processing_photo(scene.database, ada)
    await moderation.decide(scene.database, photo, HOLD, Decider.AUTOMATIC, source="new_photo")
    async with scene.database.transaction() as tx:
        await photo_processing.mark_ready(tx, photo.id, width=1, height=1, placeholder=None, exif=None)
    await scene.handle(PhotoHeld(photo_id=photo.id, author_id=ada.id))
    await scene.send()
    (message,) = scene.receivers.messages
    assert message.document["data"]["held"] is True
    assert await state_of(scene, photo) is PhotoState.READY
    await ready(scene, photo)
    assert [each.host for each in scene.receivers.messages[1:]] == ["hooks.example.org"]
    # Hidden before the author's own endpoint was sent its message.
    hidden = await ready_photo(scene.database, ada)
    await moderation.decide(scene.database, hidden, HIDE)
    await ready(scene, hidden)
    assert [each.host for each in scene.receivers.messages[2:]] == ["moderation.example.org"]


@pytest.mark.parametrize(
    ("kind", "state"), [("allow", PhotoState.READY), ("sensitive", PhotoState.READY), ("hide", PhotoState.HIDDEN)]
)
async def test_the_verdict_in_a_response(scene: WebhookScene, kind: str, state: PhotoState) -> None:
    """The verdict takes effect at once, with its reason and labels."""
    _, endpoint = await service(scene)
    photo = await ready_photo(scene.database, await new_user(scene.database, "ada"))
    scene.receivers.by_host["moderation.example.org"] = verdict(kind, reason="nudity", labels={"nudity": 0.9})
    await ready(scene, photo)
    assert await state_of(scene, photo) is state
    (made,) = await photo_moderation.history(scene.database, photo.id)
    assert (made.by, made.source, made.action) == (Decider.SERVICE, encode(endpoint.id), kind)
    assert (made.reason, made.labels) == ("nudity", {"nudity": 0.9})
    assert scene.shown.invalidated == [photo.id]
    assert scene.shown.hidden == ([photo.id] if kind == "hide" else [])
    assert await errors(scene, endpoint) == [None]
    assert await scene.states(endpoint) == ["done"]


@pytest.mark.parametrize(
    ("receiver", "error"),
    [
        (answer(200), None),
        (verdict("delete"), "The verdict in the response is not used: verdict: "),
        (verdict("hide", reason="x" * 501), "The verdict in the response is not used: reason: "),
    ],
)
async def test_a_response_without_a_usable_verdict(scene: WebhookScene, receiver: Respond, error: str | None) -> None:
    """The message was delivered, the photo stays as it is, and the log says what is wrong with the verdict."""
    _, endpoint = await service(scene)
    photo = await ready_photo(scene.database, await new_user(scene.database, "ada"))
    scene.receivers.by_host["moderation.example.org"] = receiver
    await ready(scene, photo)
    assert await state_of(scene, photo) is PhotoState.READY
    assert await scene.states(endpoint) == ["done"]
    (found,) = await errors(scene, endpoint)
    assert (found or "").startswith(error or "")
    assert (found is None) is (error is None)


async def test_a_verdict_with_a_failure_is_none(scene: WebhookScene) -> None:
    """The verdict of a response that is no success is not used: the message is sent again."""
    _, endpoint = await service(scene)
    photo = await ready_photo(scene.database, await new_user(scene.database, "ada"))

    async def fail(_: Message) -> Any:
        return response(500, b'{"verdict": "hide"}')

    scene.receivers.by_host["moderation.example.org"] = fail
    await ready(scene, photo)
    assert await state_of(scene, photo) is PhotoState.READY
    assert await scene.states(endpoint) == ["waiting"]


async def test_only_endpoints_with_the_right_decide(scene: WebhookScene) -> None:
    """A verdict of another endpoint is not looked at, and one whose right was lost in the meantime is refused."""
    root, endpoint = await service(scene)
    await scene.endpoint(root, "all.example.org", scope=EndpointScope.ALL)
    ada = await new_user(scene.database, "ada")
    await scene.endpoint(ada, "hooks.example.org")
    for host in ("all.example.org", "hooks.example.org"):
        scene.receivers.by_host[host] = verdict("hide")

    async def late(_: Message) -> Any:
        async with scene.database.transaction() as tx:
            await webhook_endpoints.edit(tx, endpoint.id, owner_id=root.id, moderation=False)
        return response(200, b'{"verdict": "hide"}')

    scene.receivers.by_host["moderation.example.org"] = late
    photo = await ready_photo(scene.database, ada)
    await ready(scene, photo)
    assert len(scene.receivers.messages) == 3
    assert await state_of(scene, photo) is PhotoState.READY
    (found,) = await errors(scene, endpoint)
    assert "does not decide about photos any more" in (found or "")


async def test_a_former_administrators_service_does_not_decide(scene: WebhookScene) -> None:
    """The right is that of the owner at the moment of the verdict."""
    root, endpoint = await service(scene)
    assert await webhook_endpoints.moderates(scene.database, endpoint.id)
    for state in (EndpointState.PAUSED, EndpointState.DISABLED):
        async with scene.database.transaction() as tx:
            await webhook_endpoints.edit(tx, endpoint.id, owner_id=root.id, state=state)
        assert await webhook_endpoints.moderates(scene.database, endpoint.id) is (state is EndpointState.PAUSED)
    async with scene.database.transaction() as tx:
        await webhook_endpoints.edit(tx, endpoint.id, owner_id=root.id, state=EndpointState.ACTIVE)
        await tx.execute("UPDATE users SET role = 'moderator' WHERE id = $1", root.id)
    assert not await webhook_endpoints.moderates(scene.database, endpoint.id)


async def test_a_verdict_after_the_deletion(scene: WebhookScene) -> None:
    """A photo that is deleted while the service looks at it needs no verdict, which the log says."""
    _, endpoint = await service(scene)
    ada = await new_user(scene.database, "ada")
    photo = await ready_photo(scene.database, ada)

    async def deleting(_: Message) -> Any:
        async with scene.database.transaction() as tx:
            await photo_deletion.delete(tx, photo.id, author_id=ada.id)
        return response(200, b'{"verdict": "hide"}')

    scene.receivers.by_host["moderation.example.org"] = deleting
    await ready(scene, photo)
    assert await errors(scene, endpoint) == ["The verdict in the response is not used: the photo was deleted."]


async def test_contradictory_verdicts_of_two_services(scene: WebhookScene) -> None:
    """The stricter one applies, in whatever order they arrive."""
    await service(scene)
    await service(scene, "second.example.org")
    for first, second in (("allow", "hide"), ("hide", "allow")):
        scene.receivers.by_host["moderation.example.org"] = verdict(first)
        scene.receivers.by_host["second.example.org"] = verdict(second)
        photo = await ready_photo(scene.database, await new_user(scene.database, f"ada_{first}"))
        await ready(scene, photo)
        assert await state_of(scene, photo) is PhotoState.HIDDEN


async def test_a_service_decides_once(scene: WebhookScene) -> None:
    """After its verdict it gets no further message about the photo; a moderator's decision stays over it."""
    _, endpoint = await service(scene)
    photo = await ready_photo(scene.database, await new_user(scene.database, "ada"))
    await moderation.decide(scene.database, photo, ALLOW)
    scene.receivers.by_host["moderation.example.org"] = verdict("hide")
    await ready(scene, photo)
    assert await state_of(scene, photo) is PhotoState.READY, "a moderator has decided"
    await ready(scene, photo)
    assert len(scene.receivers.messages) == 1
    assert await scene.states(endpoint) == ["done", "void"]


async def test_a_killed_worker_repeats_the_verdict(scene: WebhookScene) -> None:
    """If the process ends between the verdict and the result, the same message and verdict change nothing more."""
    _, endpoint = await service(scene)
    photo = await ready_photo(scene.database, await new_user(scene.database, "ada"))
    scene.receivers.by_host["moderation.example.org"] = verdict("hide", reason="once")
    await ready(scene, photo)
    events = await scene.database.fetchval("SELECT count(*) FROM outbox WHERE topic = 'photo.hidden'")
    # The same verdict once more, as in the response to a message whose result was not recorded.
    decided = await moderation.decide(
        scene.database, photo, HIDE, Decider.SERVICE, source=encode(endpoint.id), reason="once"
    )
    assert not decided.changed
    assert await scene.database.fetchval("SELECT count(*) FROM outbox WHERE topic = 'photo.hidden'") == events


async def test_photos_that_are_not_public(scene: WebhookScene) -> None:
    """A service looks at what is for few, and at photos of private accounts, too."""
    await service(scene)
    ada, bob = await new_users(scene.database, "ada", "bob")
    async with scene.database.transaction() as tx:
        await account_fields.update(tx, bob.id, private=True)
    for photo in (
        await ready_photo(scene.database, ada, audience=PhotoAudience.ONLY_ME),
        await ready_photo(scene.database, bob),
    ):
        await ready(scene, photo)
    assert len(scene.receivers.messages) == 2
