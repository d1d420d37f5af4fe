"""Unsubscribing by the link of a mail: by a program in one step, or by a reader on a page."""

from __future__ import annotations

import pytest
from aiohttp import FormData

from server.composition.signing import mail_tokens
from storage import ids
from storage.stores.notifications import mail_opt_outs
from tests.support.api import Api

pytestmark = pytest.mark.engines

PATH = "/mail/unsubscribe"


async def test_a_program_unsubscribes_in_one_step(api: Api) -> None:
    """The POST of RFC 8058, a form without a session, has its effect once and again; a GET has none."""
    ann = await api.user("ann")
    token = mail_tokens(api.services.base).unsubscribe(ids.decode(ann.id), "digest")
    page = await api.visitor.call("GET", f"{PATH}?token={token}")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert b'<form method="post">' in page.body
    assert token.encode() not in page.body
    assert await mail_opt_outs.lists_of(api.services.db, ids.decode(ann.id)) == frozenset()
    for encoding in ({"data": {"List-Unsubscribe": "One-Click"}}, {"data": _multipart()}, {}):
        response = await api.visitor.call("POST", f"{PATH}?token={token}", **encoding)
        assert (response.status, response.body) == (200, b"")
    assert await mail_opt_outs.lists_of(api.services.db, ids.decode(ann.id)) == {"digest"}


async def test_a_reader_sees_what_has_happened(api: Api) -> None:
    """The form of the page leads to another page."""
    ann = await api.user("ann")
    token = mail_tokens(api.services.base).unsubscribe(ids.decode(ann.id), "webhook_failing")
    response = await api.visitor.call("POST", f"{PATH}?token={token}", headers={"Accept": "text/html"})
    assert response.status == 200
    assert b"You have unsubscribed" in response.body


async def test_a_token_that_was_not_made_here_is_refused(api: Api) -> None:
    """A changed, cut or missing token is a 404, and unsubscribes nobody."""
    ann = await api.user("ann")
    token = mail_tokens(api.services.base).unsubscribe(ids.decode(ann.id), "digest")
    other = token.replace("digest", "news")
    for bad in ("", "x", token[:-1], other, "é" * 40, "." * 50):
        for method in ("GET", "POST"):
            response = await api.visitor.call(method, f"{PATH}?token={bad}")
            assert response.expect(404)["code"] == "link_invalid"
    assert await mail_opt_outs.lists_of(api.services.db, ids.decode(ann.id)) == frozenset()


def _multipart() -> FormData:
    form = FormData()
    form.add_field("List-Unsubscribe", "One-Click", content_type="text/plain")
    return form
