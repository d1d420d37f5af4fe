"""`/users/me/exports` and the download of an archive by its signed URL."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.edge.export_responses import ExportResponse
from server.media.export_urls import ExportUrls
from storage import ids
from storage.blobs.keys import export_key
from storage.events import ExportRequested
from storage.exports import Export, ExportState
from tests.support.api import Api
from tests.support.api_user import ApiUser
from workers.jobs.archives.exports import ExportHandlers
from workers.jobs.inbox.inbox import Inbox

pytestmark = pytest.mark.engines

UNKNOWN = ids.encode(7)


async def make(api: Api, user: ApiUser) -> dict[str, Any]:
    """Request an export, run its job, and return the export as it is listed."""
    made: dict[str, Any] = (await user.call("POST", "/users/me/exports")).expect(202)
    services = api.services
    inbox = Inbox(services.db, services.notification_log)
    worker = ExportHandlers(services.db, services.blobs, inbox, public_url=services.settings.public_url)
    await worker.requested(ExportRequested(export_id=ids.decode(made["id"]), user_id=ids.decode(user.id)))
    found: dict[str, Any] = (await listed(user))[0]
    assert found["id"] == made["id"]
    return found


async def listed(user: ApiUser) -> list[dict[str, Any]]:
    """Return a user's exports."""
    items: list[dict[str, Any]] = (await user.call("GET", "/users/me/exports")).expect(200)["items"]
    return items


async def test_an_export_is_requested_listed_and_downloaded(api: Api) -> None:
    """Without a session too, as by a download program, and in ranges."""
    ada = await api.user("ada")
    made = (await ada.call("POST", "/users/me/exports")).expect(202)
    ExportResponse.model_validate(made)
    assert (made["state"], made["url"], made["bytes"]) == ("queued", None, None)
    assert await listed(ada) == [made]
    ben = await api.user("ben")
    ready = await make(api, ben)
    assert (ready["state"], ready["photos"], ready["error"]) == ("ready", 0, None)
    assert await listed(ada) == [made]
    response = await api.get(ready["url"])
    assert response.status == 200
    assert len(response.body) == ready["bytes"]
    assert response.headers["Content-Type"] == "application/zip"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="picshare-')
    assert response.headers["Cache-Control"] == "private, no-store"
    assert b'"ben"' in zipfile.ZipFile(io.BytesIO(response.body)).read("profile.json")
    part = await api.get(ready["url"], headers={"Range": "bytes=0-3"})
    assert (part.status, part.body) == (206, b"PK\x03\x04")


async def test_a_second_request_of_the_day_is_refused(api: Api) -> None:
    """The response says whether one is being made, or when the next one is possible."""
    ada = await api.user()
    (await ada.call("POST", "/users/me/exports")).expect(202)
    again = (await ada.call("POST", "/users/me/exports")).expect(409)
    assert again["code"] == "export_in_progress"
    ben = await api.user()
    ready = await make(api, ben)
    again = (await ben.call("POST", "/users/me/exports")).expect(409)
    next_at = datetime.fromisoformat(ready["created_at"]) + timedelta(days=1)
    assert again["code"] == "export_too_soon"
    assert f"{next_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" in again["detail"]
    assert (await api.get("/api/v1/users/me/exports")).status == 401


async def test_only_the_whole_url_downloads(api: Api) -> None:
    """Neither the signature of another export nor another expiry does; all are the 404 of an unknown export."""
    ada, ben = await api.user(), await api.user()
    of_ada, of_ben = await make(api, ada), await make(api, ben)
    path, _, query = of_ada["url"].partition("?")
    other = of_ben["url"].partition("?")[2]
    expires, signature = query.split("&")
    later = f"exp={int(expires.removeprefix('exp=')) + 1}"
    refused = [
        "",
        other,
        expires,
        signature,
        f"{later}&{signature}",
        f"{query}x",
        f"{expires}&sig=%C3%A9",
        "exp=x&sig=",
    ]
    for wrong in refused:
        response = await api.get(f"{path}?{wrong}")
        assert (response.status, response.json["code"]) == (404, "export_not_found"), wrong
        # Not even for the owner's own session.
        assert (await ada.call("GET", f"/exports/{of_ada['id']}/archive?{wrong}")).status == 404
    assert (await api.get(f"/api/v1/exports/{UNKNOWN}/archive?{query}")).json["code"] == "export_not_found"
    assert (await api.get(of_ada["url"])).status == 200


async def test_an_expired_url(api: Api) -> None:
    """It is a 404 before the janitor has deleted the archive, and the list has no URL any more."""
    ada = await api.user()
    ready = await make(api, ada)
    async with api.services.db.transaction() as tx:
        await tx.execute("UPDATE exports SET expires_at = now() - interval '1 second'")
    assert (await api.get(ready["url"])).json["code"] == "export_not_found"
    (found,) = await listed(ada)
    assert (found["state"], found["url"]) == ("expired", None)


async def test_the_archive_of_a_deleted_account(api: Api) -> None:
    """Its URL ends with the account."""
    ada = await api.user()
    ready = await make(api, ada)
    (await ada.call("DELETE", "/users/me")).expect(202)
    assert (await api.get(ready["url"])).json["code"] == "export_not_found"


async def test_an_archive_that_is_not_in_the_store(api: Api) -> None:
    """A lost object is the same 404."""
    ada = await api.user()
    ready = await make(api, ada)
    await api.services.blobs.delete([export_key(ready["id"])])
    assert (await api.get(ready["url"])).json["code"] == "export_not_found"


def test_a_url_is_valid_until_its_archive_expires() -> None:
    """Not a second longer, and under the secret that signed it alone."""
    now = datetime(2026, 11, 29, tzinfo=UTC)
    export = Export(
        id=1,
        user_id=2,
        state=ExportState.READY,
        bytes=3,
        photos=4,
        error=None,
        created_at=now,
        ready_at=now,
        expires_at=now + timedelta(days=7),
    )
    clock = now.timestamp()
    urls = ExportUrls(b"s" * 32, clock=lambda: clock)
    url = urls.url(export)
    assert url is not None
    expires, signature = (part.partition("=")[2] for part in url.partition("?")[2].split("&"))
    assert urls.verify(export, expires=expires, signature=signature)
    assert not urls.verify(replace(export, id=3), expires=expires, signature=signature)
    assert not urls.verify(replace(export, user_id=3), expires=expires, signature=signature)
    assert not ExportUrls(b"t" * 32, clock=lambda: clock).verify(export, expires=expires, signature=signature)
    clock += timedelta(days=7).total_seconds() - 1
    assert urls.verify(export, expires=expires, signature=signature)
    clock += 1
    assert not urls.verify(export, expires=expires, signature=signature)
    assert urls.url(export) is None
