"""What ends with a session, as soon as it has ended and when its event is handled."""

from __future__ import annotations

from typing import cast

from channels.bus.envelope import DisconnectOrder, Envelope, decode_envelope, encode_envelope
from channels.bus.publisher import LivePublisher
from storage.limits.tickets import REVOCATION_MARGIN, Tickets
from workers.jobs.live.sessions import SessionRevoker


class Recorder:
    """The list of ended sessions and the live connections: calls in their order."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    async def revoke_session(self, session: str, user_id: int, *, ttl: int) -> None:
        """Record a revocation."""
        self.calls.append((session, user_id, ttl))

    async def to_users(self, user_ids: list[int], body: bytes) -> None:
        """Record an order to the live connections."""
        self.calls.append(decode_envelope(encode_envelope(user_ids, body)))


async def test_an_ended_session_is_revoked_before_its_connections_close() -> None:
    """A process that misses the order to close finds the revocation when it repairs the user's registration."""
    recorder = Recorder()
    revoker = SessionRevoker(cast(Tickets, recorder), cast(LivePublisher, recorder), access_ttl=900)
    await revoker.revoke(5, "s")
    assert recorder.calls == [("s", 5, 900 + REVOCATION_MARGIN), Envelope(0, (5,), DisconnectOrder("s"))]
