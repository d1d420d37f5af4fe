"""Positions of writes that clients carry: the cookie and the header field, and texts that are none."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from server.edge.positions import COOKIE, HEADER, add_position, carried_by
from storage.postgres.wal_position import START, UNREACHABLE, WalPosition

POSITION = WalPosition(2, 0x3A_0000_0128)
TEXT = "000000020000003a00000128"


@pytest.mark.parametrize("position", [START, POSITION, UNREACHABLE], ids=["start", "some", "unreachable"])
def test_a_response_is_read_back(position: WalPosition) -> None:
    """Both ways carry the same position."""
    response = web.Response()
    add_position(response, position, secure=True)
    text = response.headers[HEADER]
    for headers in ({HEADER: text}, {"Cookie": f"a=b; {COOKIE}={text}"}):
        assert carried_by(make_mocked_request("GET", "/", headers=headers)).given == position


def test_the_digits() -> None:
    """They are the timeline and the LSN; the cookie is for as long as a position is kept."""
    response = web.Response()
    add_position(response, POSITION, secure=False)
    assert response.headers[HEADER] == TEXT
    cookie = response.cookies[COOKIE].OutputString()
    assert cookie == f"{COOKIE}={TEXT}; HttpOnly; Max-Age=30; Path=/; SameSite=Lax"


@pytest.mark.parametrize(
    "text", ["", "x", TEXT[1:], TEXT + "0", TEXT.upper(), "-" + TEXT[1:], "\u0661" * 24], ids=range(7)
)
def test_a_text_that_is_no_position_counts_as_none(text: str) -> None:
    """A client may send anything."""
    assert carried_by(make_mocked_request("GET", "/", headers={HEADER: text})).given is None
    assert carried_by(make_mocked_request("GET", "/", headers={"Cookie": f"{COOKIE}={text}"})).given is None


def test_a_request_without_one() -> None:
    """Nothing is given and nothing written."""
    carried = carried_by(make_mocked_request("GET", "/", headers={"Cookie": "a=b"}))
    assert (carried.given, carried.written) == (None, None)
