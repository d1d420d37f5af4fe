"""Photos of several pictures over the API."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from server.edge import photo_responses
from storage import ids
from tests.integration.server.api.test_signed_uploads import announce, announcement, send
from tests.support.api import Api, InspectableServices, running_api, with_limits
from tests.support.api_user import ApiUser, Response
from tests.support.pictures import encoded, halves, photograph

pytestmark = pytest.mark.engines

PICTURES = [photograph(name).read_bytes() for name in ("rocket", "temple", "flower")]
HASHES = [hashlib.sha256(data).hexdigest() for data in PICTURES]


async def uploaded(api: Api, user: ApiUser, data: bytes) -> str:
    """Upload a file and return the id of the upload."""
    upload = await announce(user, data)
    (await send(api, upload, data)).expect(201)
    return str(upload["upload_id"])


async def items_of(api: Api, user: ApiUser, *pictures: bytes) -> list[dict[str, Any]]:
    """Upload files and return the items of a new photo, with texts that name their places."""
    return [
        {"upload_id": await uploaded(api, user, data), "alt_text": f"picture {place}"}
        for place, data in enumerate(pictures)
    ]


async def post(user: ApiUser, items: list[dict[str, Any]], **fields: Any) -> Response:
    """Post a photo of several pictures."""
    headers = fields.pop("headers", {})
    return await user.call("POST", "/photos", json={"items": items, **fields}, headers=headers)


async def ready_post(api: Api, user: ApiUser) -> dict[str, Any]:
    """Post the pictures, finish the photo, and return its JSON for its author."""
    photo = (await post(user, await items_of(api, user, *PICTURES), caption="Three")).expect(201)
    await api.finish(photo)
    shown: dict[str, Any] = (await user.call("GET", f"/photos/{photo['id']}")).expect(200)
    return shown


async def test_a_photo_of_several_uploads(api: Api) -> None:
    """The photo has the pictures in order, each with its text, and the first one's fields are its own."""
    ann = await api.user()
    photo = (await post(ann, await items_of(api, ann, *PICTURES), caption="Three", tags=["a"])).expect(201)
    assert (photo["state"], photo["caption"], photo["tags"], photo["alt_text"]) == (
        "processing",
        "Three",
        ["a"],
        "picture 0",
    )
    assert [item["sha256"] for item in photo["items"]] == HASHES
    assert [item["alt_text"] for item in photo["items"]] == ["picture 0", "picture 1", "picture 2"]
    assert [item["urls"] for item in photo["items"]] == [{}, {}, {}]
    photo_responses.PhotoResponse.model_validate(photo)


async def test_one_item_is_a_photo_with_one_picture(api: Api) -> None:
    """`items` with one entry is the same as `upload_id`."""
    ann = await api.user()
    photo = (await post(ann, await items_of(api, ann, PICTURES[0]))).expect(201)
    assert "items" not in photo
    assert photo["alt_text"] == "picture 0"


async def test_every_answer_has_the_items(api: Api) -> None:
    """The photo, the lists and the feed have the images of every picture; the owner gets every original."""
    ann, bob = await api.user(), await api.user()
    await bob.follow(ann)
    photo = await ready_post(api, ann)
    shown = (await bob.call("GET", f"/photos/{photo['id']}")).expect(200)
    photo_responses.PhotoResponse.model_validate(shown)
    assert [item["images"]["sizes"][1]["webp"] for item in shown["items"]] == [
        f"/media/r1/{sha256}/320.webp" for sha256 in HASHES
    ]
    assert shown["items"][0]["images"]["sizes"] == shown["images"]["sizes"]
    for item in shown["items"]:
        assert (await api.get(item["images"]["sizes"][1]["jpg"])).status == 200
    for place, item in enumerate(photo["items"]):
        assert item["urls"].pop("original") == f"/media/{HASHES[place]}/original.jpg"
        assert (await ann.call("GET", f"/media/{HASHES[place]}/original.jpg")).body == PICTURES[place]
        assert (await bob.call("GET", f"/media/{HASHES[place]}/original.jpg")).status == 404
    assert photo["items"] == shown["items"]
    listed = (await bob.call("GET", f"/users/{ann.id}/photos")).expect(200)["items"]
    assert [each["items"] for each in listed] == [shown["items"]]


async def test_the_feed_has_the_items(api: Api) -> None:
    """A card of the feed has the items, and a photo with one picture has none."""
    ann = await api.user()
    await api.finish(await ann.upload(encoded(halves())))
    photo = await ready_post(api, ann)
    feed = {each["id"]: each for each in await ann.feed()}
    for item in photo["items"]:
        item["urls"].pop("original")
    assert feed.pop(photo["id"])["items"] == photo["items"]
    (single,) = feed.values()
    assert "items" not in single


async def test_the_pictures_of_a_private_account_are_signed(api: Api) -> None:
    """A follower's URLs of every picture work, and without their signatures they do not."""
    ann, bob = await api.user(), await api.user()
    await bob.follow(ann)
    photo = await ready_post(api, ann)
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    await api.services.stores.cards.refresh(ids.decode(photo["id"]))
    for shown in ((await bob.call("GET", f"/photos/{photo['id']}")).expect(200), (await bob.feed())[0]):
        for item in shown["items"]:
            url = item["images"]["sizes"][1]["jpg"]
            assert (await api.get(url)).status == 200
            assert (await api.get(url.partition("?")[0])).status == 404


async def test_an_own_picture_among_several_is_a_duplicate(api: Api) -> None:
    """Whether the caller has posted a file already includes the pictures of photos that have several."""
    ann, bob = await api.user(), await api.user()
    photo = await ready_post(api, ann)
    found = (await ann.call("POST", "/uploads", json=announcement(PICTURES[2]))).expect(200)
    assert found == {"duplicate_of": photo["id"]}
    assert "upload_id" in await announce(bob, PICTURES[2])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"items": []}, "items"),
        ({"items": [{"upload_id": ids.encode(number)} for number in range(11)]}, "items"),
        ({"items": [{"upload_id": ids.encode(1)}, {"upload_id": ids.encode(1)}]}, "items"),
        ({"items": [{"upload_id": ids.encode(1)}], "upload_id": ids.encode(2)}, "body"),
        ({"items": [{"upload_id": ids.encode(1)}], "alt_text": "x"}, "body"),
        ({"items": [{"upload_id": "x"}]}, "items.0.upload_id"),
        ({"items": [{"upload_id": ids.encode(1), "alt_text": "x" * 1001}]}, "items.0.alt_text"),
        ({"items": [{"upload_id": ids.encode(1), "sha256": "x"}]}, "items.0.sha256"),
        ({"items": [{}]}, "items.0.upload_id"),
    ],
)
async def test_what_is_refused_before_any_upload_is_read(api: Api, body: dict[str, Any], field: str) -> None:
    """No item, eleven, one upload twice, two ways at once and unknown fields are 422s that name the field."""
    ann = await api.user()
    problem = (await ann.call("POST", "/photos", json=body)).expect(422)
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_every_upload_must_be_the_callers_complete_and_unused(api: Api) -> None:
    """The problem names the item; nothing is posted, and the other uploads can still be used."""
    ann, bob = await api.user(), await api.user()
    good = (await items_of(api, ann, PICTURES[0]))[0]
    strangers = await uploaded(api, bob, PICTURES[1])
    unfinished = (await announce(ann, PICTURES[1]))["upload_id"]
    used = (await items_of(api, ann, PICTURES[1]))[0]
    (await post(ann, [used])).expect(201)
    again = await uploaded(api, ann, PICTURES[0])
    broken = await uploaded(api, ann, b"\xff\xd8\xff is not an image")
    for upload_id, status, code in (
        (strangers, 404, "upload_not_found"),
        (ids.encode(1), 404, "upload_not_found"),
        (unfinished, 409, "upload_incomplete"),
        (used["upload_id"], 409, "upload_used"),
        (again, 422, "invalid_input"),
        (broken, 422, "image_corrupt"),
    ):
        problem = (await post(ann, [good, {"upload_id": upload_id}])).expect(status)
        assert (problem["code"], [error["field"] for error in problem["errors"]]) == (code, ["items.1.upload_id"])
    assert len((await ann.call("GET", f"/users/{ann.id}/photos")).expect(200)["items"]) == 1
    (await post(ann, [good])).expect(201)


async def test_a_repeated_request_returns_the_first_photo(api: Api) -> None:
    """With one key, the same items are one photo; other items, another order or another text are a 422."""
    ann = await api.user()
    items = await items_of(api, ann, *PICTURES[:2])
    headers = {"Idempotency-Key": "k1"}
    first = await post(ann, items, headers=headers)
    again = await post(ann, items, headers=headers)
    assert again.expect(201) == first.expect(201)
    assert again.headers["Idempotent-Replayed"] == "true"
    changed = [{**items[0], "alt_text": "other"}, items[1]]
    for others in (items[::-1], items[:1], changed):
        problem = (await post(ann, others, headers=headers)).expect(422)
        assert problem["code"] == "idempotency_key_reused"
    for item in items:
        assert (await post(ann, [item])).expect(409)["code"] == "upload_used"


async def test_each_picture_counts_for_the_rate_limit(services: InspectableServices) -> None:
    """A photo of three costs three; one that costs more than is left is refused, and replays cost one."""
    async with running_api(with_limits(services, uploads="5/h")) as api:
        ann = await api.user()
        items = await items_of(api, ann, *PICTURES)
        headers = {"Idempotency-Key": "k1"}
        first = await post(ann, items, headers=headers)
        first.expect(201)
        assert first.headers["RateLimit"].startswith('"uploads";r=2;')
        replayed = await post(ann, items, headers=headers)
        assert replayed.headers["RateLimit"].startswith('"uploads";r=1;')
        refused = await post(ann, await items_of(api, ann, *PICTURES[1:]))
        assert refused.expect(429)["code"] == "too_many_requests"
        assert refused.headers["RateLimit"].startswith('"uploads";r=0;')


async def test_pictures_are_edited(api: Api) -> None:
    """PATCH with `items` changes order and texts and removes pictures; every answer has them so afterwards."""
    ann, bob = await api.user(), await api.user()
    await bob.follow(ann)
    photo = await ready_post(api, ann)
    path = f"/photos/{photo['id']}"
    assert [item["sha256"] for item in (await bob.feed())[0]["items"]] == HASHES
    items = [{"sha256": HASHES[2], "alt_text": "flower"}, {"sha256": HASHES[0]}]
    edited = (await ann.call("PATCH", path, json={"items": items, "caption": "Two"})).expect(200)
    assert [(item["sha256"], item["alt_text"]) for item in edited["items"]] == [
        (HASHES[2], "flower"),
        (HASHES[0], "picture 0"),
    ]
    assert (edited["caption"], edited["alt_text"]) == ("Two", "flower")
    assert edited["items"][0]["images"]["sizes"] == edited["images"]["sizes"]
    assert [item["sha256"] for item in (await bob.feed())[0]["items"]] == [HASHES[2], HASHES[0]]
    assert (await api.get(photo["items"][1]["images"]["sizes"][1]["jpg"])).status == 404
    last = (await ann.call("PATCH", path, json={"items": items[:1]})).expect(200)
    assert "items" not in last
    assert last["images"]["sizes"] == edited["images"]["sizes"]
    assert "items" not in (await bob.feed())[0]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"items": []}, 422, "items"),
        ({"items": [{"sha256": f"{number:064x}"} for number in range(11)]}, 422, "items"),
        ({"items": [{"sha256": HASHES[0]}, {"sha256": HASHES[0]}]}, 422, "items"),
        ({"items": [{"sha256": HASHES[0].upper()}]}, 422, "items.0.sha256"),
        ({"items": [{"alt_text": "x"}]}, 422, "items.0.sha256"),
        ({"items": [{"sha256": HASHES[0]}], "alt_text": "x"}, 422, "body"),
        ({"items": [{"sha256": "0" * 64}]}, 409, None),
    ],
)
async def test_edits_of_pictures_that_are_refused(
    api: Api, body: dict[str, Any], status: int, field: str | None
) -> None:
    """Without a picture, with too many, one twice or a strange one, nothing changes."""
    ann = await api.user()
    photo = await ready_post(api, ann)
    problem = (await ann.call("PATCH", f"/photos/{photo['id']}", json=body)).expect(status)
    assert [error["field"] for error in problem.get("errors", [])] == ([field] if field else [])
    assert (await ann.call("GET", f"/photos/{photo['id']}")).expect(200) == photo


async def test_the_exif_of_every_picture(api: Api) -> None:
    """The author reads the EXIF of each picture, that of the first also as the photo's, and deletes all of it."""
    ann, bob = await api.user(), await api.user()
    photo = await ready_post(api, ann)
    path = f"/photos/{photo['id']}/exif"
    found = (await ann.call("GET", path)).expect(200)
    assert found == {
        "tags": {"Make": "Camera 0"},
        "location": None,
        "items": [
            {"sha256": sha256, "tags": {"Make": f"Camera {place}"}, "location": None}
            for place, sha256 in enumerate(HASHES)
        ],
    }
    (await bob.call("GET", path)).expect(404)
    (await ann.call("DELETE", path)).expect(204)
    assert [item["tags"] for item in (await ann.call("GET", path)).expect(200)["items"]] == [{}, {}, {}]
