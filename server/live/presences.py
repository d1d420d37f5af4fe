"""Who is present, for those who may know."""

from __future__ import annotations

from collections.abc import Sequence

from channels.contract.errors import NotOfferedError, PermissionDeniedError, UnknownChannelError
from channels.contract.ports import Identity, Member, Presence
from server.actions.presence import PresenceReader
from server.live.store_errors import store_errors
from storage import ids
from workers.jobs import publications


class LivePresences:
    """Tell of one person on each channel `presence:<id>`: the one that it is named by."""

    def __init__(self, view: PresenceReader) -> None:
        self._view = view

    async def members(self, identity: Identity, channel: str) -> Sequence[Member]:
        """Return the person if they are online; see the port for the errors."""
        kind, _, text = channel.partition(":")
        if kind != publications.PRESENCE:
            raise NotOfferedError(f"{channel[:50]} does not tell who is present")
        try:
            user_id = ids.decode(text)
        except ids.BadIdError as error:
            raise UnknownChannelError(str(error)) from error
        with store_errors():
            presence = await self._view.of(user_id, viewer_id=identity.user_id)
        if presence is None:
            raise PermissionDeniedError("whether this person is online is not yours to know")
        return [Member(user=ids.encode(user_id))] if presence.online else []

    def encode_change(self, user_id: int, presence: Presence) -> bytes:
        """Return the document of a change."""
        return publications.presence_changed(user_id, presence)
