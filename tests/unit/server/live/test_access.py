"""Authentication and authorization of live connections while an engine is unavailable, and unknown channels."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from channels.contract.errors import LiveUnavailableError, NotOfferedError, TokenInvalidError, UnknownChannelError
from channels.contract.ports import Identity
from server.actions.presence import PresenceReader
from server.identity.tokens import AccessTokens
from server.live.access import LiveAuthenticator, LiveAuthorizer, LivePresences
from storage import ids
from storage.errors import UnavailableError
from storage.models import Role

ANN = Identity(user_id=1, session="s", expires_at=time.time() + 86_400)
TICKET = "t" * 43
PAYLOAD = {"user": 1, "session": "s", "expires_at": int(time.time()) + 86_400}
ID = ids.encode(7)


class Tickets:
    """Tickets of which one method fails."""

    def __init__(self, failing: str) -> None:
        self._failing = failing

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        """Return a method."""
        results: dict[str, object] = {"redeem": PAYLOAD, "reconnect": PAYLOAD, "is_revoked": False}

        async def method(*_: object, **__: object) -> object:
            if name == self._failing:
                raise UnavailableError("redis", "down")
            return results.get(name)

        return method


class Down:
    """A database that does not answer."""

    def __getattr__(self, _name: str) -> Callable[..., Awaitable[object]]:
        """Return a method that fails."""

        async def method(*_: object) -> object:
            raise UnavailableError("database", "down")

        return method


def authenticator(failing: str = "") -> LiveAuthenticator:
    """Return an authenticator whose tickets fail in one method."""
    tokens = AccessTokens(b"a secret for tests, 32 bytes long", ttl=900)
    return LiveAuthenticator(tokens, cast(Any, Tickets(failing)))


async def test_the_token_of_a_suspended_account_opens_no_connection() -> None:
    """It is for the few requests of such a user alone; the same token without this mark opens one."""
    tokens = AccessTokens(b"a secret for tests, 32 bytes long", ttl=900)
    assert (await authenticator().authenticate(tokens.issue(user_id=1, session="s", role=Role.USER))).user_id == 1
    restricted = tokens.issue(user_id=1, session="s", role=Role.USER, restricted=True)
    with pytest.raises(TokenInvalidError, match="suspended"):
        await authenticator().authenticate(restricted)


@pytest.mark.parametrize(
    ("failing", "call"),
    [
        ("redeem", lambda it: it.authenticate(TICKET)),
        ("redeem", lambda it: it.authenticate_stream(TICKET, None)),
        ("keep_for_reconnects", lambda it: it.authenticate_stream(TICKET, None)),
        ("reconnect", lambda it: it.authenticate_stream(TICKET, "key")),
        ("is_revoked", lambda it: it.confirm(ANN)),
    ],
)
async def test_a_client_may_try_again_after_an_outage(
    failing: str, call: Callable[[LiveAuthenticator], Awaitable[object]]
) -> None:
    """Without Redis no ticket is refused for good: the client is asked to reconnect."""
    await call(authenticator())
    with pytest.raises(LiveUnavailableError):
        await call(authenticator(failing))


async def test_no_permission_is_decided_without_the_database() -> None:
    """A subscription is neither granted nor denied, and neither are blocks unknown."""
    down = cast(Any, Down())
    authorizer = LiveAuthorizer(down, PresenceReader(down, down), down)
    for kind in ("photo", "user", "presence"):
        with pytest.raises(LiveUnavailableError):
            await authorizer.authorize(ANN, f"{kind}:{ID}")
    with pytest.raises(LiveUnavailableError):
        await authorizer.blocks(ANN)
    with pytest.raises(LiveUnavailableError):
        await LivePresences(PresenceReader(down, down)).members(ANN, f"presence:{ID}")


@pytest.mark.parametrize("channel", [f"topic:{ID}", f":{ID}", f"Photo:{ID}", f"photo {ID}"])
async def test_an_unknown_kind_of_channel_does_not_exist(channel: str) -> None:
    """The kind is checked before the id, and nothing is read."""
    down = cast(Any, Down())
    with pytest.raises(UnknownChannelError, match="There is no channel"):
        await LiveAuthorizer(down, PresenceReader(down, down), down).authorize(ANN, channel)


async def test_only_presence_channels_have_members() -> None:
    """Other channels offer no presence, and one without a valid id does not exist."""
    down = cast(Any, Down())
    presences = LivePresences(PresenceReader(down, down))
    with pytest.raises(NotOfferedError):
        await presences.members(ANN, f"photo:{ID}")
    with pytest.raises(UnknownChannelError):
        await presences.members(ANN, "presence:x")
