"""Sessions of streaming clients, whose commands arrive in separate requests, possibly at another process."""

from __future__ import annotations

import secrets

from channels.bus.envelope import session_input_body
from channels.bus.publisher import LivePublisher
from channels.commands.connection_manager import ConnectionManager
from channels.connection.connection import Connection
from channels.protocol.emulation_request import EmulationRequest


class Emulation:
    """The sessions of this process; forwards commands for sessions of other processes."""

    def __init__(self, manager: ConnectionManager, publisher: LivePublisher, process_id: bytes) -> None:
        self._manager = manager
        self._publisher = publisher
        self.node = process_id.decode()
        self._sessions: dict[str, Connection] = {}

    def start_session(self, connection: Connection) -> str:
        """Start a session for a connection and return its name, which authorizes its commands."""
        session = secrets.token_urlsafe(24)
        self._sessions[session] = connection
        connection.on_close = lambda: self._sessions.pop(session, None)
        return session

    def receive(self, session: str, data: bytes | str) -> None:
        """Handle commands of a session; ignore those of a session that has ended."""
        connection = self._sessions.get(session)
        if connection is not None:
            self._manager.received(connection, data)

    async def forward(self, request: EmulationRequest) -> bool:
        """Handle commands here, or forward them to the process of their session; return False if that process is gone.

        Raises `LiveUnavailableError`.
        """
        if request.node == self.node:
            self.receive(request.session, request.data)
            return True
        if len(request.node) != len(self.node) or not request.node.isalnum() or not request.node.isascii():
            return False
        return await self._publisher.to_process(
            request.node.encode(), session_input_body(request.session, request.data)
        )
