from __future__ import annotations

from typing import Any

from aiohttp import FormData
from tests.support.api import Api
from tests.support.pictures import encoded, halves
from storage import ids


async def call(api: Api, user: Any, method: str, path: str, **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {user.token}"} if user else {}
    async with api.session.request(method, api.url + path, headers=headers, **options) as response:
        text = await response.text()
        assert response.status < 500, (method, path, text)
        return response.status, (await response.json(content_type=None) if text else None)


async def test_smoke(api: Api) -> None:
    ann, ben = await api.user("ann"), await api.user("ben")
    a, b = str(ids.decode(ann.id)), str(ids.decode(ben.id))
    for path in (
        "/api/v1/instance/",
        "/api/v1/instance",
        "/api/v2/instance",
        "/api/v1/accounts/verify_credentials",
        f"/api/v1/accounts/{b}",
        "/api/v1/accounts/lookup?acct=ben",
        "/api/v1/accounts/search?q=be",
        f"/api/v1/accounts/relationships?id[]={b}",
        "/api/v1/timelines/home",
        "/api/v1/timelines/public",
        "/api/v1/preferences",
        "/api/v1/custom_emojis",
        "/api/v1/filters",
        "/api/v1/markers?timeline[]=home",
        "/api/v1/follow_requests",
        "/api/v1/suggestions",
        "/api/v2/suggestions",
        "/api/v1/trends/tags",
        "/api/v1/trends/statuses",
        "/api/v1/favourites",
        "/api/v1/bookmarks",
        "/api/v2/search?q=be",
        "/api/v1/followed_tags",
        "/api/v1/notifications/unread_count",
    ):
        status, _ = await call(api, ann, "GET", path)
        assert status == 200, path
    for name in ("follow", "unfollow", "block", "unblock", "mute", "unmute", "follow"):
        assert (await call(api, ann, "POST", f"/api/v1/accounts/{b}/{name}"))[0] == 200
    form = FormData()
    form.add_field("file", encoded(halves(640, 427)), filename="a.jpg", content_type="image/jpeg")
    form.add_field("description", "the sea")
    status, media = await call(api, ben, "POST", "/api/v2/media", data=form)
    assert status == 200
    assert (await call(api, ben, "GET", f"/api/v1/media/{media['id']}"))[0] == 200
    assert (await call(api, ann, "GET", f"/api/v1/media/{media['id']}"))[0] == 404
    assert (await call(api, ben, "PUT", f"/api/v1/media/{media['id']}", data={"description": "the blue sea"}))[0] == 200
    async with api.session.get(api.url + media["url"].partition(":8080")[2]) as r:
        assert r.status == 200, await r.text()
        assert r.headers["Content-Type"] == "image/jpeg"
    assert (await call(api, ben, "POST", "/api/v1/statuses", data={"status": "text"}))[0] == 422
    status, post = await call(
        api,
        ben,
        "POST",
        "/api/v1/statuses",
        data={"status": "look @ann #sea", "media_ids[]": media["id"]},
    )
    assert status == 200
    assert post["media_attachments"][0]["description"] == "the blue sea"
    await api.finish({"id": ids.encode(int(post["id"]))})
    status, reply = await call(
        api, ann, "POST", "/api/v1/statuses", json={"status": "nice", "in_reply_to_id": post["id"]}
    )
    assert status == 200
    status, again = await call(
        api, ben, "POST", "/api/v1/statuses", json={"status": "thanks", "in_reply_to_id": reply["id"]}
    )
    assert status == 200 and again["in_reply_to_id"] == reply["id"]
    for sid in (post["id"], reply["id"]):
        for name in ("favourite", "unfavourite", "favourite"):
            assert (await call(api, ann, "POST", f"/api/v1/statuses/{sid}/{name}"))[0] == 200
        for name in ("", "/context", "/favourited_by", "/reblogged_by", "/history", "/source"):
            assert (await call(api, ann, "GET", f"/api/v1/statuses/{sid}{name}"))[0] == 200
    assert (await call(api, ann, "POST", f"/api/v1/statuses/{post['id']}/bookmark"))[1]["bookmarked"]
    assert len((await call(api, ann, "GET", "/api/v1/bookmarks"))[1]) == 1
    assert len((await call(api, ann, "GET", "/api/v1/favourites"))[1]) == 1
    assert (await call(api, ann, "POST", f"/api/v1/statuses/{post['id']}/reblog"))[0] == 422
    assert (
        await call(
            api,
            ben,
            "PUT",
            f"/api/v1/statuses/{post['id']}",
            json={
                "status": "changed",
                "media_attributes": [{"id": post["media_attachments"][0]["id"], "description": "x"}],
            },
        )
    )[0] == 200
    assert (await call(api, ann, "DELETE", f"/api/v1/statuses/{post['id']}"))[0] == 404
    assert (await call(api, ben, "DELETE", f"/api/v1/statuses/{post['id']}"))[0] == 200
    assert (
        await call(
            api, ann, "PATCH", "/api/v1/accounts/update_credentials", data={"display_name": "Ann A.", "note": "hi"}
        )
    )[1]["display_name"] == "Ann A."
    form = FormData()
    form.add_field("avatar", encoded(halves(640, 427)), filename="a.jpg")
    form.add_field("header", encoded(halves(640, 427)), filename="b.jpg")
    form.add_field("note", "xx")
    assert (await call(api, ann, "PATCH", "/api/v1/accounts/update_credentials", data=form))[0] == 200
    assert (await call(api, ann, "POST", "/api/v1/markers", json={"home": {"last_read_id": "12"}}))[1]["home"][
        "version"
    ] == 1
    assert False
