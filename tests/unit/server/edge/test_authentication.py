"""Authentication of requests by bearer token or cookie, and the cookies of a session."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from server.edge.api_request import ADDRESS, Viewer
from server.edge.authentication import RequestAuthenticator, SessionCookies
from server.edge.problem import ProblemError
from server.identity.api_tokens import ApiTokens
from server.identity.opaque_tokens import TokenKind, new_token
from server.identity.tokens import AccessTokens
from storage import ids
from storage.models import Role
from tests.support.api_tokens import found_token, known_tokens

SECRET = b"a secret for tests, 32 bytes long"
NOW = 1_800_000_000
TOKENS = AccessTokens(SECRET, ttl=900, clock=lambda: NOW)
VALID = TOKENS.issue(user_id=7, session="s", role=Role.MODERATOR)
EXPIRED = AccessTokens(SECRET, ttl=900, clock=lambda: NOW - 900).issue(user_id=7, session="s", role=Role.USER)
CSRF = TOKENS.csrf("s")


def request_of(method: str = "GET", cookies: Mapping[str, str] | None = None, **headers: str) -> web.Request:
    """Return a request with these cookies and header fields."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if cookies is not None:
        fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return make_mocked_request(method, "/", headers=fields)


async def viewer_of(request: web.Request, api_tokens: ApiTokens | None = None) -> Viewer | None:
    """Return the viewer of a request."""
    return await RequestAuthenticator(TOKENS, api_tokens).viewer(request)


async def refused(request: web.Request, api_tokens: ApiTokens | None = None) -> tuple[int, str]:
    """Return the status and the code of the problem of a refused request."""
    with pytest.raises(ProblemError) as caught:
        await viewer_of(request, api_tokens)
    return caught.value.status, caught.value.code


async def test_a_request_without_credentials_has_no_viewer() -> None:
    """A visitor is no user, whatever the method."""
    assert await viewer_of(request_of()) is None
    assert await viewer_of(request_of("POST")) is None


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_bearer_token_needs_no_csrf_token(method: str) -> None:
    """The viewer has the token's claims, and is not marked as coming from a cookie."""
    assert await viewer_of(request_of(method, Authorization=f"Bearer {VALID}")) == Viewer(
        user_id=7,
        user_text=ids.encode(7),
        session="s",
        role=Role.MODERATOR,
        expires_at=NOW + 900,
        by_cookie=False,
    )


async def test_an_expired_token_has_a_code_of_its_own() -> None:
    """Clients refresh their tokens for one code, and sign in again for the other."""
    for token, code in ((EXPIRED, "token_expired"), (VALID + "x", "invalid_token"), ("", "invalid_token")):
        assert await refused(request_of(Authorization=f"Bearer {token}")) == (401, code)
    assert await refused(request_of(cookies={"picshare_access": EXPIRED})) == (401, "token_expired")
    assert await refused(request_of(Authorization=f"Basic {VALID}")) == (401, "invalid_token")


async def test_the_header_takes_precedence_over_the_cookie() -> None:
    """A request with both needs no CSRF token, and is refused if the header is not valid."""
    cookies = {"picshare_access": VALID}
    viewer = await viewer_of(request_of("POST", cookies, Authorization=f"Bearer {VALID}"))
    assert viewer is not None
    assert not viewer.by_cookie
    assert await refused(request_of("GET", cookies, Authorization="Bearer x")) == (401, "invalid_token")


async def test_an_opaque_token_is_looked_up() -> None:
    """The viewer has what the token permits; an application's own token has no viewer, and others are refused."""
    token, own = new_token(TokenKind.ACCESS, 7), new_token(TokenKind.ACCESS, 7)
    api_tokens = known_tokens({token: found_token(scopes=("read:blocks",), client_id=3), own: found_token(user_id=None)})
    viewer = await viewer_of(with_bearer(token), api_tokens)
    assert viewer is not None
    assert (viewer.user_id, viewer.session, viewer.scopes, viewer.client_id) == (7, "s", frozenset({"read:blocks"}), 3)
    assert await viewer_of(with_bearer(own), api_tokens) is None
    for text in (new_token(TokenKind.ACCESS, 7), token[:-1], "picshare_pat_"):
        assert await refused(with_bearer(text), api_tokens) == (401, "invalid_token")


def with_bearer(token: str) -> web.Request:
    """Return a request with a token, whose client has an address."""
    request = request_of(Authorization=f"Bearer {token}")
    request[ADDRESS] = "203.0.113.1"
    return request


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_a_cookie_is_enough_to_read(method: str) -> None:
    """A request that changes nothing needs no CSRF token."""
    viewer = await viewer_of(request_of(method, {"picshare_access": VALID}))
    assert viewer is not None
    assert viewer.by_cookie


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_cookie_needs_the_csrf_token_of_its_session_to_write(method: str) -> None:
    """The header must have the token of this session; a cookie of the same name does not help."""
    cookies = {"picshare_access": VALID, "picshare_csrf": CSRF}
    viewer = await viewer_of(request_of(method, cookies, X_CSRF_Token=CSRF))
    assert viewer is not None
    assert viewer.by_cookie
    assert await refused(request_of(method, cookies)) == (403, "csrf_token_missing")
    for other in ("", "x", TOKENS.csrf("another"), CSRF[:-1], "\u00e9"):
        assert await refused(request_of(method, cookies, X_CSRF_Token=other)) == (403, "csrf_token_missing")


def test_a_refresh_cookie_needs_the_csrf_cookie_s_value() -> None:
    """The session is not known yet, so header and cookie are compared; two empty ones are not equal."""
    authenticator = RequestAuthenticator(TOKENS)
    assert authenticator.refresh_cookie(request_of("POST")) is None
    assert authenticator.refresh_cookie(request_of("POST", {"picshare_csrf": "c"})) is None
    good = request_of("POST", {"picshare_refresh": "r", "picshare_csrf": "c"}, X_CSRF_Token="c")
    assert authenticator.refresh_cookie(good) == "r"
    for cookies, headers in (
        ({"picshare_refresh": "r"}, {}),
        ({"picshare_refresh": "r", "picshare_csrf": ""}, {}),
        ({"picshare_refresh": "r", "picshare_csrf": "c"}, {}),
        ({"picshare_refresh": "r"}, {"X_CSRF_Token": "c"}),
        ({"picshare_refresh": "r", "picshare_csrf": "c"}, {"X_CSRF_Token": "d"}),
    ):
        with pytest.raises(ProblemError) as caught:
            authenticator.refresh_cookie(request_of("POST", cookies, **headers))
        assert (caught.value.status, caught.value.code) == (403, "csrf_token_missing")


@pytest.mark.parametrize("secure", [False, True])
def test_the_cookies_of_a_session(secure: bool) -> None:
    """The tokens are hidden from scripts, the refresh token goes to one path, and all last as long as their tokens."""
    cookies = SessionCookies(secure=secure, access_ttl=900, refresh_ttl=86400)
    response = web.Response()
    cookies.write(response, access="a", refresh="r", csrf="c")
    expected = {
        "picshare_access": ("a", "/", "900", True),
        "picshare_refresh": ("r", "/api/v1/tokens", "86400", True),
        "picshare_csrf": ("c", "/", "86400", False),
    }
    found = response.cookies
    assert {
        name: (morsel.value, morsel["path"], morsel["max-age"], bool(morsel["httponly"]))
        for name, morsel in found.items()
    } == expected
    assert {bool(morsel["secure"]) for morsel in found.values()} == {secure}
    assert {morsel["samesite"] for morsel in found.values()} == {"Lax"}


def test_signing_out_deletes_each_cookie_at_its_path() -> None:
    """A browser deletes a cookie only if its path is the same."""
    response = web.Response()
    SessionCookies(secure=True, access_ttl=900, refresh_ttl=86400).clear(response)
    assert {
        name: (morsel.value, morsel["path"], int(morsel["max-age"]), morsel["secure"], morsel["samesite"])
        for name, morsel in response.cookies.items()
    } == {
        "picshare_access": ("", "/", 0, True, "Lax"),
        "picshare_refresh": ("", "/api/v1/tokens", 0, True, "Lax"),
        "picshare_csrf": ("", "/", 0, True, "Lax"),
    }
