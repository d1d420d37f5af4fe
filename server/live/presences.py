"""Members of presence channels."""

from __future__ import annotations

from collections.abc import Sequence

from channels.contract.errors import NotOfferedError, PermissionDeniedError, UnknownChannelError
from channels.contract.ports import Identity, Member, Presence
from server.actions.presence import PresenceReader
from server.live.store_errors import store_errors
from storage import ids
from workers.jobs import publications


class LivePresences:
    """Presence on the channels `presence:<id>`; the only member of each is the user of that id."""

    def __init__(self, presence: PresenceReader) -> None:
        self._presence = presence

    async def members(self, identity: Identity, channel: str) -> Sequence[Member]:
        """Return the user if online; see the port for the errors."""
        kind, _, text = channel.partition(":")
        if kind != publications.PRESENCE:
            raise NotOfferedError(f"The channel {channel[:50]} has no presence.")
        try:
            user_id = ids.decode(text)
        except ids.BadIdError as error:
            raise UnknownChannelError(str(error)) from error
        with store_errors():
            presence = await self._presence.read(user_id, viewer_id=identity.user_id)
        if presence is None:
            raise PermissionDeniedError("You may not see whether this user is online.")
        # The channel has the user as its only member, so an offline user leaves it empty.
        return [Member(user=ids.encode(user_id))] if presence.online else []

    def encode_change(self, user_id: int, presence: Presence) -> bytes:
        """Return the publication of a change."""
        return publications.presence_changed(user_id, presence)
