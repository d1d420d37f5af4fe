"""Photos over the API: upload, read, edit, delete, lists."""

from __future__ import annotations

import hashlib

import pytest
from structlog.testing import capture_logs

from storage.blobs.keys import variant_key
from tests.support.api import Api
from tests.support.objects import has
from tests.support.pictures import case, encoded, halves, photograph

pytestmark = pytest.mark.engines


async def test_an_upload_returns_the_photo_as_processing(api: Api) -> None:
    """The response to an upload is the photo itself, which has no images yet."""
    ann = await api.user()
    photo = await ann.upload(photograph(), "A rocket")
    assert photo["state"] == "processing"
    assert photo["caption"] == "A rocket"
    assert (photo["width"], photo["height"]) == (640, 427)
    assert photo["urls"] == {}
    assert photo["author"]["username"] == ann.name


async def test_an_original_is_stored_byte_for_byte_under_its_hash(api: Api) -> None:
    """The stored original is exactly what was sent, and no temporary file is left."""
    ann = await api.user()
    await ann.upload(photograph())
    data = photograph().read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    blob = await api.services.blobs.open(f"original/{digest[:2]}/{digest}")
    assert blob.path is not None
    assert blob.path.read_bytes() == data
    assert list(api.services.settings.upload_dir.iterdir()) == []


async def test_a_form_carries_caption_alt_text_tags_and_location(api: Api) -> None:
    """Every text of the form is stored with the photo, tags in normal form and each once."""
    import aiohttp

    ann = await api.user()
    form = aiohttp.FormData()
    form.add_field("alt_text", "two halves")
    form.add_field("tags", "#Red")
    form.add_field("tags", "blue")
    form.add_field("tags", "BLUE")
    form.add_field("location", "Bern")
    form.add_field("file", encoded(halves(), "PNG"), filename="../../etc/passwd", content_type="text/html")
    photo = (await ann.call("POST", "/photos", data=form)).expect(201)
    assert photo["alt_text"] == "two halves"
    assert photo["tags"] == ["red", "blue"]
    assert photo["location"] == "Bern"


async def test_the_same_photo_twice_without_a_key_is_two_posts(api: Api) -> None:
    """Posting the same image again is allowed."""
    ann = await api.user()
    first, second = await ann.upload(photograph()), await ann.upload(photograph())
    assert first["id"] != second["id"]


async def test_a_ready_photo_is_listed_for_visitors(api: Api) -> None:
    """Visitors see public photos: by id, newest, by tag and by author."""
    ann = await api.user("ann_of_tags")
    photo = await ann.upload(photograph())
    (await ann.call("PATCH", f"/photos/{photo['id']}", json={"tags": ["space"]})).expect(200)
    await api.finish(photo)
    for path in ("/photos", "/photos?tag=space", "/photos?tag=%23SPACE", f"/users/{ann.id}/photos"):
        page = (await api.visitor.call("GET", path)).expect(200)
        assert [item["id"] for item in page["items"]] == [photo["id"]], path
        assert page["next"] is None
    alone = (await api.visitor.call("GET", f"/photos/{photo['id']}")).expect(200)
    assert set(alone["urls"]) == {"thumb", "feed"}
    assert alone["liked"] is False


async def test_cursors_page_lists_without_gap_or_repeat(api: Api) -> None:
    """Pages of one item, joined together, are the whole list, newest first."""
    ann = await api.user()
    made = [(await ann.upload(photograph()))["id"] for _ in range(5)]
    for photo_id in made:
        await api.finish({"id": photo_id})
    seen, cursor = [], None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await api.visitor.call("GET", "/photos", params=query)).expect(200)
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made[::-1]


async def test_an_edit_is_seen_in_the_feed_at_once(api: Api) -> None:
    """The next page of the feed shows the edited caption."""
    ann = await api.user()
    photo = await ann.upload(photograph(), "before")
    await api.finish(photo)
    assert (await ann.feed())[0]["caption"] == "before"
    (await ann.call("PATCH", f"/photos/{photo['id']}", json={"caption": "after", "location": "Bern"})).expect(200)
    assert (await ann.feed())[0]["caption"] == "after"
    changed = (await ann.call("PATCH", f"/photos/{photo['id']}", json={"location": ""})).expect(200)
    assert changed["location"] is None


async def test_a_deleted_photo_disappears_at_once(api: Api) -> None:
    """After a deletion neither the photo nor its images are found anywhere."""
    ann, bob = await api.user(), await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    urls = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)["urls"]
    assert len(await ann.feed()) == 1
    assert (await api.get(urls["thumb"])).status == 200
    (await bob.call("DELETE", f"/photos/{photo['id']}")).expect(404)
    (await ann.call("DELETE", f"/photos/{photo['id']}")).expect(204)
    assert await ann.feed() == []
    (await ann.call("GET", f"/photos/{photo['id']}")).expect(404)
    assert (await api.get(urls["thumb"])).status == 404


async def test_public_images_are_cached_for_a_year(api: Api) -> None:
    """Browsers and CDNs may cache a variant of a public photo, which has the right media type."""
    ann = await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    urls = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)["urls"]
    image = await api.get(urls["feed"])
    for headers in ({"If-Match": '"other"'}, {"Range": "bytes=100-"}):
        refused = await api.get(urls["feed"], headers=headers)
        assert (refused.status in {412, 416}, refused.headers["Cache-Control"]) == (True, "no-store")
    assert image.body == b"variant"
    assert image.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert image.headers["Content-Type"] == "image/jpeg"
    assert image.headers["X-Content-Type-Options"] == "nosniff"


async def test_images_of_a_private_account_need_a_signed_url(api: Api) -> None:
    """The bare URL of a private photo's image is a 404; a signature serves all its images, unless it is changed."""
    ann, bob = await api.user(), await api.user()
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    photo = await ann.upload(photograph())
    await api.finish(photo)
    (await bob.call("GET", f"/photos/{photo['id']}")).expect(404)
    url = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)["urls"]["thumb"]
    bare, _, query = url.partition("?")
    assert (await api.get(bare)).status == 404
    signed = await api.get(url)
    assert signed.status == 200
    assert signed.headers["Cache-Control"].startswith("private, max-age=")
    assert (await api.get(f"{bare}?{query[:-1]}{'A' if query[-1] != 'A' else 'B'}")).status == 404
    assert (await api.get(f"{bare.replace('320.jpg', '1080.webp')}?{query}")).status == 200
    assert (await api.get(f"{bare.replace('/r1/', '/').replace('320', 'thumb')}?{query}")).status == 404
    other = await ann.upload(photograph("coffee"))
    await api.finish(other)
    of_other = (await ann.call("GET", f"/photos/{other['id']}")).expect(200)["urls"]["thumb"].partition("?")[0]
    assert (await api.get(f"{of_other}?{query}")).status == 404


async def test_the_signed_url_of_a_deleted_photo_is_a_404(api: Api) -> None:
    """A deletion also ends the signed URLs that were given out before it, while the bytes are still stored."""
    ann = await api.user()
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    photo = await ann.upload(photograph())
    await api.finish(photo)
    url = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)["urls"]["thumb"]
    assert (await api.get(url)).status == 200
    (await ann.call("DELETE", f"/photos/{photo['id']}")).expect(204)
    assert await has(
        api.services.blobs, variant_key(hashlib.sha256(photograph().read_bytes()).hexdigest(), 1, "320.jpg")
    )
    gone = await api.get(url)
    assert (gone.status, gone.headers["Cache-Control"]) == (404, "public, max-age=10")


@pytest.mark.parametrize("private", [False, True])
async def test_only_the_owner_gets_the_url_of_the_original(api: Api, private: bool) -> None:
    """Only the author of a ready photo gets the URL of its original, and the bytes there."""
    ann, bob = await api.user(), await api.user()
    await bob.follow(ann)
    (await ann.call("PATCH", "/users/me", json={"private": private})).expect(200)
    sent = {"jpg": photograph().read_bytes(), "heic": case("plain.heic")}
    sent |= {kind.lower(): encoded(halves(), kind) for kind in ("PNG", "WEBP", "AVIF", "GIF")}
    for extension, data in sent.items():
        photo = await ann.upload(data)
        assert "original" not in photo["urls"]
        await api.finish(photo)
        path = f"/photos/{photo['id']}"
        mine = (await ann.call("GET", path)).expect(200)["urls"]
        assert mine["original"] == f"/media/{hashlib.sha256(data).hexdigest()}/original.{extension}"
        assert (await ann.call("GET", mine["original"])).body == data
        assert (await ann.call("GET", mine["thumb"])).status == 200
        (listed, *_) = (await ann.call("GET", f"/users/{ann.id}/photos")).expect(200)["items"]
        assert listed["urls"]["original"] == mine["original"]
        assert set((await bob.call("GET", path)).expect(200)["urls"]) == {"thumb", "feed"}


async def test_an_original_that_the_store_has_lost_is_unavailable(api: Api) -> None:
    """Its owner learns that the service has a fault, and the operator which file is missing; others learn nothing."""
    ann, bob = await api.user(), await api.user()
    photo = await ann.upload(photograph().read_bytes())
    await api.finish(photo)
    path = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)["urls"]["original"]
    digest = path.split("/")[2]
    await api.services.blobs.delete([f"original/{digest[:2]}/{digest}"])
    with capture_logs() as logs:
        response = await ann.call("GET", path)
    assert response.expect(503)["code"] == "unavailable"
    assert response.headers["Cache-Control"] == "no-store"
    assert [log["sha256"] for log in logs if log["event"] == "original_missing"] == [digest]
    assert (await bob.call("GET", path)).status == 404


async def test_tags_of_all_scripts_find_their_photos(api: Api) -> None:
    """A tag in any script is stored, and the photo is found by it in another spelling."""
    ann = await api.user()
    words = ["हिन्दी", "தமிழ்", "မြန်မာ", "ខ្មែរ", "อนิเมะ", "مُحَمَّد", "می‌خواهم", "İstanbul", "Straße"]
    photo = await ann.upload(photograph())
    edited = (await ann.call("PATCH", f"/photos/{photo['id']}", json={"tags": words})).expect(200)
    assert edited["tags"] == [*words[:7], "i\u0307stanbul", "strasse"]
    await api.finish(photo)
    for tag in (*words, "İSTANBUL", "STRASSE", "#หนัง"):
        found = (await api.visitor.call("GET", "/photos", params={"tag": tag})).expect(200)["items"]
        assert len(found) == (0 if tag == "#หนัง" else 1), tag


async def test_invisible_texts_are_empty(api: Api) -> None:
    """A name, comment or place of invisible characters alone is treated as if nothing had been sent."""
    ann = await api.user("ann")
    photo = await ann.upload(photograph())
    for number, text in enumerate(("\u200b", "\u2800", "\u3164", "\u00ad", "\u115f", " \u2060\n\ufeff")):
        line = text.replace("\n", "")
        (await ann.call("PATCH", "/users/me", json={"display_name": line})).expect(422)
        (await ann.call("POST", f"/photos/{photo['id']}/comments", json={"text": text})).expect(422)
        changed = await ann.call("PATCH", f"/photos/{photo['id']}", json={"caption": text, "location": line})
        assert (changed.expect(200)["caption"], changed.json["location"]) == ("", None)
        name = f"new{number}"
        body = {"username": name, "email": f"{name}@example.org", "password": "correct horse battery"}
        made = await api.visitor.call("POST", "/users", json={**body, "display_name": line})
        assert made.expect(201)["user"]["display_name"] == name
    assert (await ann.call("GET", "/users/me")).expect(200)["display_name"] == "ann"
