"""What apps send that is wrong is answered with a sentence, and never with a 500."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.apps import AppUser, register_app

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WRONG: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/v1/timelines/home?max_id=x", {}, 400),
    ("GET", "/v1/timelines/home?limit[]=5", {}, 400),
    ("GET", "/v1/timelines/home?limit=-1", {}, 400),
    ("GET", "/v1/timelines/tag/%20", {}, 400),
    ("GET", "/v1/accounts/lookup", {}, 400),
    ("GET", "/v1/accounts/lookup?acct=%00", {}, 404),
    ("GET", "/v1/accounts/search?q=%00%ff", {}, 200),
    ("GET", "/v2/search?q=%00&type=x", {}, 400),
    ("GET", "/v2/search?q=http%3A%2F%2F127.0.0.1%3A8080%2Fu%2F%00", {}, 200),
    ("GET", "/v1/accounts/99999999999999999999999/statuses", {}, 404),
    ("GET", "/v1/statuses/-1", {}, 404),
    ("GET", "/v1/nothing", {}, 404),
    ("POST", "/v1/statuses", {"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
    ("POST", "/v1/statuses", {"json": [1]}, 422),
    ("POST", "/v1/statuses", {"data": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
    ("POST", "/v1/statuses", {"json": {"status": "text alone"}}, 422),
    ("POST", "/v1/statuses", {"json": {"status": "x", "media_ids": ["1"]}}, 422),
    ("POST", "/v1/statuses", {"json": {"status": "x", "media_ids": ["1"], "visibility": "everyone"}}, 422),
    ("POST", "/v1/statuses", {"json": {"status": "x", "scheduled_at": "2030-01-01"}}, 422),
    ("POST", "/v1/statuses", {"json": {"status": "x", "poll": {"options": ["a"]}}}, 422),
    ("POST", "/v1/statuses", {"data": b"&".join(b"a%d=1" % n for n in range(1001)), "headers": FORM}, 400),
    ("POST", "/v1/statuses", {"data": b"status=" + b"x" * 70_000, "headers": FORM}, 413),
    ("POST", "/v2/media", {"json": {}}, 415),
    ("POST", "/v2/media", {"data": {"file": io.BytesIO(b"no picture")}}, 415),
    ("POST", "/v1/lists", {"json": {"title": ""}}, 422),
    ("POST", "/v1/lists", {"json": {"title": "a\x00b"}}, 422),
    ("POST", "/v1/markers", {"json": {"home": {"last_read_id": "x"}}}, 422),
    ("POST", "/v1/reports", {"json": {"account_id": "1", "comment": "\x00"}}, 422),
    ("POST", "/v1/reports", {"json": {"account_id": "1"}}, 404),
    ("POST", "/v1/push/subscription", {"json": {}}, 422),
    ("PATCH", "/v1/accounts/update_credentials", {"json": {"note": "x" * 501}}, 422),
]


async def test_wrong_requests_are_answered(users: tuple[AppUser, AppUser]) -> None:
    """Each with its status and a sentence, on paths of this interface in the member `error`."""
    ann, _ = users
    for method, path, options, status in WRONG:
        response = await ann.call(method, path, **options)
        assert response.status == status, (method, path, options, response.status, response.body[:300])
        if status >= 400 and path != "/v1/nothing":
            assert response.json["error"], path


async def test_what_is_left_out_may_be_null(users: tuple[AppUser, AppUser]) -> None:
    """As apps written in Kotlin or Swift send it; ids may be numbers."""
    ann, ben = users
    photo = await ben.post()
    form = {"status": "hi", "media_ids": None, "poll": None, "spoiler_text": None, "in_reply_to_id": int(photo["id"])}
    reply = (await ann.call("POST", "/v1/statuses", json=form)).expect(200)
    assert reply["in_reply_to_id"] == photo["id"]


async def test_a_form_has_several_pictures(users: tuple[AppUser, AppUser]) -> None:
    """In the names of Rails, in their order; a warning marks the photo as sensitive, and is its first line."""
    ann, _ = users
    media = [(await ann.upload(str(place)))["id"] for place in range(2)]
    pairs = [("status", "two"), ("spoiler_text", "careful"), ("visibility", "private")]
    status = (await ann.call("POST", "/v1/statuses", data=[*pairs, *(("media_ids[]", each) for each in media)])).expect(
        200
    )
    assert [each["description"] for each in status["media_attachments"]] == ["0", "1"]
    assert (status["sensitive"], status["visibility"]) == (True, "private")
    assert status["content"] == "<p>careful</p><p>two</p>"


@pytest.mark.parametrize(
    "changed", [{"redirect_uris": "javascript:alert(1)"}, {"scopes": "admin"}, {"client_name": ""}]
)
async def test_a_wrong_app_is_not_registered(api: Api, changed: dict[str, str]) -> None:
    """With an address that browsers would run, an unknown scope, or no name."""
    with pytest.raises(AssertionError, match="error"):
        await register_app(api, **changed)
