"""What becomes of each pub/sub message: decoded, and handed to the hub."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

from channels.bus.envelope import (
    BadEnvelopeError,
    DisconnectOrder,
    PresenceChange,
    Revoke,
    SessionInput,
    StreamBody,
    TopicData,
    TopicEnd,
    decode_envelope,
    decode_topic_message,
)
from channels.contract.ports import Presences, Publication
from channels.hub.hub import Hub

log = structlog.get_logger(__name__)


InputHandler = Callable[[str, bytes | str], None]


class LossHandler(Protocol):
    """What is told when messages may have been missed."""

    def lost(self) -> None:
        """Hold all streams back."""
        ...

    def restored(self) -> None:
        """Read all held streams again by their offsets."""
        ...


class Delivery:
    """Listen to pub/sub on behalf of the hub; `process_channels` are those that address this process.

    `hear` is told what clients of streaming answers say.
    """

    def __init__(
        self,
        hub: Hub,
        presences: Presences,
        process_channels: frozenset[bytes],
        loss_handler: LossHandler,
        on_input: InputHandler,
    ) -> None:
        self._hub = hub
        self._presences = presences
        self._on_input = on_input
        self._process_channels = process_channels
        self._loss_handler = loss_handler

    def message(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Deliver one message; one that cannot be read counts as a loss, since it may have held anything."""
        try:
            if channel in self._process_channels:
                self._deliver_to_process(data, more=more)
            else:
                self._deliver_to_topic(channel, data, more=more)
        except BadEnvelopeError as error:
            log.warning("live_message_unreadable", channel=channel.decode(errors="replace"), error=str(error))
            if channel in self._process_channels:
                self._loss_handler.lost()
                self._loss_handler.restored()

    def lost(self) -> None:
        """Pass the news on."""
        self._loss_handler.lost()

    def restored(self) -> None:
        """Pass the news on."""
        self._loss_handler.restored()

    def _deliver_to_process(self, data: bytes, *, more: bool) -> None:
        envelope = decode_envelope(data)
        match envelope.body:
            case StreamBody(stream, document):
                item = Publication(data=document, offset=envelope.offset)
                self._hub.deliver(envelope.user_ids, stream, item, more=more)
            case Revoke(owner, topic):
                self._hub.revoke(envelope.user_ids, owner, topic)
            case DisconnectOrder(session):
                self._hub.disconnect(envelope.user_ids, session)
            case SessionInput(session, commands):
                self._on_input(session, commands)

    def _deliver_to_topic(self, channel: bytes, data: bytes, *, more: bool) -> None:
        match decode_topic_message(data):
            case TopicData(document):
                self._hub.deliver_topic(channel, Publication(data=document), more=more)
            case TopicEnd(spare_owner):
                self._hub.close_topic(channel, spare_owner=spare_owner)
            case PresenceChange(user_id, presence):
                document = self._presences.encode_change(user_id, presence)
                self._hub.deliver_topic(channel, Publication(data=document), more=more)
