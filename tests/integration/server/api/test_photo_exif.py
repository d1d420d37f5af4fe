"""The EXIF of photos over the API: its owner alone reads and deletes it."""

from __future__ import annotations

from typing import Any

import pytest

from server.edge.photo_responses import PhotoResponse
from storage import ids
from storage.models import LocationMetadata
from storage.stores.photos import photo_exif
from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

EXIF = {"Make": "Leica", "ISOSpeedRatings": 100, "location": {"latitude": 1.5, "longitude": -2.25}}


async def photo_with_exif(api: Api, owner: ApiUser) -> str:
    """Post a photo whose EXIF is stored, and return its path."""
    photo = await owner.upload(photograph())
    await api.finish(photo)
    async with api.services.db.transaction() as tx:
        await photo_exif.store(tx, ids.decode(photo["id"]), EXIF, location=LocationMetadata.EXACT)
    return f"/photos/{photo['id']}/exif"


async def test_the_owner_reads_and_deletes_the_exif(api: Api) -> None:
    """Tags and position are returned until they are deleted, which may be repeated; the photo stays."""
    ann = await api.user()
    path = await photo_with_exif(api, ann)
    found = (await ann.call("GET", path)).expect(200)
    assert found == {
        "tags": {"Make": "Leica", "ISOSpeedRatings": 100},
        "location": {"latitude": 1.5, "longitude": -2.25, "altitude": None},
    }
    for _ in range(2):
        (await ann.call("DELETE", path)).expect(204)
        assert (await ann.call("GET", path)).expect(200) == {"tags": {}, "location": None}
    (await ann.call("GET", path.removesuffix("/exif"))).expect(200)


async def test_others_do_not_see_that_there_is_exif(api: Api) -> None:
    """Another user gets a 404 as for a photo that does not exist, visitors a 401; nothing is deleted."""
    ann, bob = await api.user(), await api.user()
    path = await photo_with_exif(api, ann)
    for method in ("GET", "DELETE"):
        (await bob.call(method, path)).expect(404)
        (await api.visitor.call(method, path)).expect(401)
    assert (await ann.call("GET", path)).expect(200)["tags"]


async def test_a_deleted_photo_has_no_exif(api: Api) -> None:
    """With the photo its EXIF is gone."""
    ann = await api.user()
    path = await photo_with_exif(api, ann)
    (await ann.call("DELETE", path.removesuffix("/exif"))).expect(204)
    for method in ("GET", "DELETE"):
        (await ann.call(method, path)).expect(404)
    assert await api.services.db.fetchval("SELECT count(*) FROM photo_exif") == 0


@pytest.mark.parametrize("setting", ["coarse", "exact", "off"])
async def test_the_setting_is_part_of_the_account(api: Api, setting: str) -> None:
    """Positions are off for a new account, and another value is stored and returned."""
    ann = await api.user()
    assert (await ann.call("GET", "/users/me")).expect(200)["location_metadata"] == "off"
    body: dict[str, Any] = {"location_metadata": setting}
    assert (await ann.call("PATCH", "/users/me", json=body)).expect(200)["location_metadata"] == setting
    (await ann.call("PATCH", "/users/me", json={"bio": "x"})).expect(200)
    assert (await ann.call("GET", "/users/me")).expect(200)["location_metadata"] == setting


async def test_a_block_that_an_earlier_version_stored_is_not_returned(api: Api) -> None:
    """The whole GPS block, which a worker of an earlier version stores without a setting, stays unread."""
    ann = await api.user()
    path = await photo_with_exif(api, ann)
    await api.services.db.fetch('UPDATE photo_exif SET exif = exif || \'{"GPS": {"GPSLatitude": "52.5"}}\'')
    assert (await ann.call("GET", path)).expect(200)["tags"] == {"Make": "Leica", "ISOSpeedRatings": 100}


async def test_the_author_gets_suggestions(api: Api) -> None:
    """A single photo of one's own has the texts of its file, in every form of the request; lists and others do not."""
    ann, bob = await api.user(), await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    texts = {"alt_text": "A rocket, lifting off", "caption": "2026"}
    async with api.services.db.transaction() as tx:
        identifier = ids.decode(photo["id"])
        await photo_exif.store(tx, identifier, {}, location=LocationMetadata.OFF, suggestions=texts)
    path = f"/photos/{photo['id']}"
    own = (await ann.call("GET", path)).expect(200)
    assert own["suggestions"] == texts
    assert PhotoResponse.model_validate(own)
    assert (await ann.call("PATCH", path, json={"caption": "x"})).expect(200)["suggestions"] == texts
    assert "suggestions" not in (await bob.call("GET", path)).expect(200)
    assert "suggestions" not in (await api.visitor.call("GET", path)).expect(200)
    for listing in ("/photos", f"/users/{ann.id}/photos"):
        assert "suggestions" not in (await ann.call("GET", listing)).expect(200)["items"][0]
    assert (await ann.call("GET", f"{path}/exif")).expect(200) == {"tags": {}, "location": None}


async def test_publishing_the_rights_is_a_setting(api: Api) -> None:
    """It is on for a new account, and stays as it was set."""
    ann = await api.user()
    assert (await ann.call("GET", "/users/me")).expect(200)["publish_rights"] is True
    for wanted in (False, True, False):
        assert (await ann.call("PATCH", "/users/me", json={"publish_rights": wanted})).expect(200)[
            "publish_rights"
        ] is wanted
        (await ann.call("PATCH", "/users/me", json={"bio": "x"})).expect(200)
        assert (await ann.call("GET", "/users/me")).expect(200)["publish_rights"] is wanted
