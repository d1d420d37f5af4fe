"""What happens before an endpoint's handler: authentication, the rate limit, and the check for space."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from server.config.section import from_sections
from server.config.settings import Settings
from server.edge.api_request import ADDRESS, RESPONSE_HEADERS, VIEWER, ApiRequest, empty_response
from server.edge.authentication import RequestAuthenticator
from server.edge.body import BodyPace
from server.edge.endpoint import Auth, Endpoint
from server.edge.guard import Guard
from server.edge.problem import ProblemError
from server.identity.api_tokens import ApiTokens
from server.identity.errors import (
    InsufficientScopeError,
    RateLimitedError,
    ReauthenticationRequiredError,
    SessionRequiredError,
    SessionRevokedError,
)
from server.identity.opaque_tokens import TokenKind, new_token
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import RateLimits
from server.identity.scopes import ANY
from server.identity.tokens import AccessTokens
from storage.errors import FullError, UnavailableError
from storage.models import Role
from tests.support.api_tokens import found_token, known_tokens
from tests.support.memory_quotas import MemoryQuotas
from tests.support.recorded_reads import RecordedReads

TOKENS = AccessTokens(b"a secret for tests, 32 bytes long", ttl=900)
BEARER = f"Bearer {TOKENS.issue(user_id=7, session='s', role=Role.USER)}"


class Scene:
    """A guard, what it charges, and the viewers of the requests that reach the handler."""

    def __init__(
        self,
        *used_up: str,
        revoked: bool = False,
        full: bool = False,
        scope: str | None = None,
        api_tokens: ApiTokens | None = None,
    ) -> None:
        self.quotas = MemoryQuotas(*used_up, revoked=revoked)
        self.handled: list[int | None] = []
        self.reads = RecordedReads()
        self.kept_before: list[int] = []
        self.failing = False
        self.proofs: list[tuple[int, str]] = []
        self.proven = True
        self._full = full
        limits = from_sections(RateLimits, Settings().limits)
        self.guard = Guard(
            RequestAuthenticator(TOKENS, api_tokens),
            RateLimiter(self.quotas, limits),
            BodyPace(idle_timeout=1, min_rate=1),
            self.reads,
            require_space=self._require_space,
            require_proof=self._require_proof,
            scope_of=lambda _: scope,
        )

    async def _require_proof(self, user_id: int, session: str) -> None:
        self.proofs.append((user_id, session))
        if not self.proven:
            raise ReauthenticationRequiredError

    def _require_space(self) -> None:
        if self._full:
            raise FullError("blobs", "no space")

    async def _handle(self, request: ApiRequest) -> web.StreamResponse:
        self.handled.append(request.viewer_id)
        self.kept_before = list(self.reads.kept)
        if self.failing:
            raise UnavailableError("database", "the commit was not answered")
        return empty_response()

    def endpoint(self, method: str = "POST", *, auth: Auth = Auth.REQUIRED, **options: bool | str) -> Endpoint:
        """Return an endpoint with this handler."""
        return Endpoint(
            method=method,
            path="/x",
            handler=self._handle,
            summary="x",
            tag="x",
            auth=auth,
            **options,  # type: ignore[arg-type]
        )

    async def request(self, endpoint: Endpoint, authorization: str | None = None) -> web.Request:
        """Send a request, and return it."""
        headers = {} if authorization is None else {"Authorization": authorization}
        request = make_mocked_request("POST", "/x", headers=headers)
        request[ADDRESS] = "203.0.113.1"
        await self.guard.bind(endpoint)(request)
        return request


@pytest.mark.parametrize(
    ("auth", "authorization", "viewer"),
    [
        (Auth.REQUIRED, BEARER, 7),
        (Auth.OPTIONAL, BEARER, 7),
        (Auth.OPTIONAL, None, None),
        (Auth.NONE, BEARER, None),
        (Auth.NONE, "Bearer expired", None),
        (Auth.NONE, None, None),
    ],
)
async def test_the_viewer_of_a_request(auth: Auth, authorization: str | None, viewer: int | None) -> None:
    """Credentials count unless the endpoint ignores them; the access log gets the viewer from the request."""
    scene = Scene()
    request = await scene.request(scene.endpoint(auth=auth), authorization)
    assert scene.handled == [viewer]
    assert (request[VIEWER].user_id if VIEWER in request else None) == viewer


@pytest.mark.parametrize(
    ("auth", "authorization"), [(Auth.REQUIRED, None), (Auth.REQUIRED, "Bearer x"), (Auth.OPTIONAL, "Bearer x")]
)
async def test_a_request_without_valid_credentials_is_refused_first(auth: Auth, authorization: str | None) -> None:
    """It charges no rate limit and does not reach the handler."""
    scene = Scene()
    with pytest.raises(ProblemError) as caught:
        await scene.request(scene.endpoint(auth=auth, stores=True), authorization)
    assert caught.value.status == 401
    assert (scene.quotas.charged, scene.handled) == ([], [])


async def test_users_and_visitors_are_charged_to_different_limits() -> None:
    """A user is charged to the endpoint's limit, a visitor's address to that of visitors; the response reports it."""
    scene = Scene()
    endpoint = scene.endpoint(auth=Auth.OPTIONAL, quota="likes")
    by_user, by_visitor = await scene.request(endpoint, BEARER), await scene.request(endpoint)
    assert scene.quotas.charged == [("likes", "7 s"), ("anonymous", "addr:203.0.113.1")]
    assert by_user[RESPONSE_HEADERS]["RateLimit-Policy"].startswith('"likes"')
    assert by_visitor[RESPONSE_HEADERS]["RateLimit-Policy"].startswith('"anonymous"')


async def test_a_used_up_limit_and_a_revoked_session_are_refused() -> None:
    """Neither reaches the handler."""
    for scene, error in ((Scene("reads"), RateLimitedError), (Scene(revoked=True), SessionRevokedError)):
        with pytest.raises(error):
            await scene.request(scene.endpoint(), BEARER)
        assert scene.handled == []


async def test_an_endpoint_may_charge_by_itself() -> None:
    """The guard charges nothing for such an endpoint."""
    scene = Scene("reads")
    await scene.request(scene.endpoint(guarded=False), BEARER)
    assert (scene.quotas.charged, scene.handled) == ([], [7])


async def test_nothing_is_stored_while_the_disk_is_full() -> None:
    """An endpoint that stores something is refused after its charge; others go on."""
    scene = Scene(full=True)
    with pytest.raises(FullError):
        await scene.request(scene.endpoint(stores=True), BEARER)
    assert (len(scene.quotas.charged), scene.handled) == (1, [])
    await scene.request(scene.endpoint(), BEARER)
    assert scene.handled == [7]


@pytest.mark.parametrize(
    ("method", "authorization", "kept"),
    [("POST", BEARER, [7]), ("DELETE", BEARER, [7]), ("GET", BEARER, []), ("PUT", None, [])],
)
async def test_the_position_of_a_write_is_kept(method: str, authorization: str | None, kept: list[int]) -> None:
    """It is kept once the handler is done, after every write of a user; not after a read, nor for a visitor."""
    scene = Scene()
    await scene.request(scene.endpoint(method, auth=Auth.OPTIONAL), authorization)
    assert (scene.kept_before, scene.reads.kept) == ([], kept)


async def test_the_position_of_a_write_with_an_unknown_outcome_is_kept() -> None:
    """A commit that was not answered may have been carried out."""
    scene = Scene()
    scene.failing = True
    with pytest.raises(UnavailableError):
        await scene.request(scene.endpoint(), BEARER)
    assert scene.reads.kept == [7]


def test_an_unknown_limit_is_found_at_the_start() -> None:
    """An endpoint whose limit does not exist cannot be bound."""
    scene = Scene()
    with pytest.raises(KeyError):
        scene.guard.bind(scene.endpoint(quota="misspelt"))


async def test_a_dangerous_step_needs_a_proof() -> None:
    """Without a recent proof the handler is not called; a suspended user's token is one, and other steps need none."""
    scene = Scene()
    await scene.request(scene.endpoint(recent_proof=True), BEARER)
    assert scene.proofs == [(7, "s")]
    scene.proven = False
    with pytest.raises(ReauthenticationRequiredError):
        await scene.request(scene.endpoint(recent_proof=True), BEARER)
    assert scene.handled == [7]
    await scene.request(scene.endpoint(), BEARER)
    restricted = f"Bearer {TOKENS.issue(user_id=7, session='none', role=Role.USER, restricted=True)}"
    await scene.request(scene.endpoint(recent_proof=True, while_suspended=True), restricted)
    assert scene.handled == [7, 7, 7]


@pytest.mark.parametrize(
    ("granted", "needed", "error"),
    [
        (("read",), "read:likes", None),
        (("read:likes",), "read:likes", None),
        (("read:likes",), ANY, None),
        (("write",), "read:likes", InsufficientScopeError),
        (("read", "write", "moderation"), None, SessionRequiredError),
    ],
)
async def test_the_token_of_an_application_needs_the_scope_of_the_endpoint(
    granted: tuple[str, ...], needed: str | None, error: type[Exception] | None
) -> None:
    """It is refused before anything is charged; the token of a session that a user signed in to permits everything."""
    token = new_token(TokenKind.ACCESS, 7)
    scene = Scene(scope=needed, api_tokens=known_tokens({token: found_token(scopes=granted)}))
    await scene.request(scene.endpoint(), BEARER)
    scene.quotas.charged.clear()
    with nullcontext() if error is None else pytest.raises(error):
        await scene.request(scene.endpoint(), f"Bearer {token}")
    assert scene.handled == ([7, 7] if error is None else [7])
    assert len(scene.quotas.charged) == (1 if error is None else 0)
