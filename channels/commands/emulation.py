"""Sessions of streaming answers: what their clients say comes by other requests, perhaps to other processes."""

from __future__ import annotations

import secrets

from channels.bus.envelope import session_input_body
from channels.bus.publisher import LivePublisher
from channels.commands.connection_manager import ConnectionManager
from channels.connection.connection import Connection
from channels.protocol.emulation import Spoken


class Emulation:
    """Keep this process's sessions, and pass on what belongs to those of others."""

    def __init__(self, conversations: ConnectionManager, publisher: LivePublisher, process_id: bytes) -> None:
        self._conversations = conversations
        self._publisher = publisher
        self.node = process_id.decode()
        self._sessions: dict[str, Connection] = {}

    def begin(self, connection: Connection) -> str:
        """Give a connection a session; who knows its name speaks for it."""
        session = secrets.token_urlsafe(24)
        self._sessions[session] = connection
        connection.on_end = lambda: self._sessions.pop(session, None)
        return session

    def hear(self, session: str, data: bytes | str) -> None:
        """Handle commands of a session; ignore those of a session that has ended."""
        connection = self._sessions.get(session)
        if connection is not None:
            self._conversations.received(connection, data)

    async def pass_on(self, spoken: Spoken) -> bool:
        """Handle commands here, or forward them to the process of their session; return False if that process is gone.

        Raises `LiveUnavailableError`.
        """
        if spoken.node == self.node:
            self.hear(spoken.session, spoken.data)
            return True
        if len(spoken.node) != len(self.node) or not spoken.node.isalnum() or not spoken.node.isascii():
            return False
        return await self._publisher.to_process(spoken.node.encode(), session_input_body(spoken.session, spoken.data))
