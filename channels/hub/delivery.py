"""Decoding of pub/sub messages and their delivery to the hub."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Protocol

import structlog

from channels.bus.addressing import STAR_CHANNELS
from channels.bus.envelope import (
    BadEnvelopeError,
    BlockChange,
    DisconnectOrder,
    OwnerEnd,
    PresenceChange,
    Revoke,
    SessionInput,
    StarChange,
    StreamBody,
    TopicData,
    TopicEnd,
    decode_envelope,
    decode_topic_message,
)
from channels.contract.causes import Cause
from channels.contract.ports import Presences, Publication
from channels.hub.hub import Hub

log = structlog.get_logger(__name__)

_ORDERS_KEPT = 1000

InputHandler = Callable[[str, bytes | str], None]
"""Takes the session of a streaming client and the commands that it sent."""

DeliveryObserver = Callable[[Cause, float, int], None]
"""Takes the cause of a publication, the Unix time of its arrival, and the number of connections it was written to."""


class LossHandler(Protocol):
    """Callbacks around a possible loss of messages."""

    def lost(self) -> None:
        """Hold all streams from now on."""
        ...

    def restored(self) -> None:
        """Read all held streams again, from their offsets."""
        ...


class Delivery:
    """Listener of this process's pub/sub messages; routes them to the hub.

    `process_channels` are the channels that address this process; all others are topics. `on_input` takes commands of
    streaming clients that another process received, `on_delivered` the causes of publications that were written.
    """

    def __init__(
        self,
        hub: Hub,
        presences: Presences,
        process_channels: frozenset[bytes],
        loss_handler: LossHandler,
        on_input: InputHandler,
        *,
        on_delivered: DeliveryObserver | None = None,
    ) -> None:
        self._hub = hub
        self._presences = presences
        self._on_input = on_input
        self._on_delivered = on_delivered
        self._process_channels = process_channels
        self._loss_handler = loss_handler
        # Names of orders, so that a worker's repetition does not end subscriptions that users have made since.
        self._orders: deque[str] = deque(maxlen=_ORDERS_KEPT)

    def message(self, channel: bytes, data: bytes, *, more: bool) -> None:
        """Deliver one message; with `more`, another one follows at once."""
        try:
            if channel in self._process_channels:
                self._deliver_to_process(channel, data, more=more)
            else:
                self._deliver_to_topic(channel, data, more=more)
        except BadEnvelopeError as error:
            log.warning("live_message_unreadable", channel=channel.decode(errors="replace"), error=str(error))
            # An unreadable message may have held a publication for anyone here, so all streams are read again. Topics
            # keep no history: there is nothing to read again for them.
            if channel in self._process_channels:
                self._loss_handler.lost()
                self._loss_handler.restored()

    def lost(self) -> None:
        """Forward the loss of the pub/sub connection."""
        self._loss_handler.lost()

    def restored(self) -> None:
        """Forward that all channels are subscribed again."""
        self._loss_handler.restored()

    def _deliver_to_process(self, channel: bytes, data: bytes, *, more: bool) -> None:
        received_at, envelope = time.time(), decode_envelope(data)
        # Publications come first, since nearly all messages are publications.
        match envelope.body:
            case StreamBody(stream, document, cause):
                item = Publication(data=document, offset=envelope.offset)
                user_ids: Collection[int] = envelope.user_ids
                if channel in STAR_CHANNELS:
                    user_ids = self._hub.stars.of(STAR_CHANNELS[channel], envelope.user_ids[0])
                self._count(cause, received_at, self._hub.deliver(user_ids, stream, item, more=more))
            case Revoke(owner, topic, prefix):
                self._hub.revoke(envelope.user_ids, owner, topic, prefix=prefix)
            case BlockChange(other, blocked):
                (self._hub.block if blocked else self._hub.unblock)(envelope.user_ids, other)
            case StarChange(star, following):
                self._hub.change_star(envelope.user_ids, star, following=following)
            case OwnerEnd(owner, spare_owner, order, last):
                if self._is_new(order):
                    final = Publication(data=last) if last else None
                    self._hub.close_topics_of(owner, spare_owner=spare_owner, last=final)
            case DisconnectOrder(session):
                self._hub.disconnect(envelope.user_ids, session)
            case SessionInput(session, commands):
                self._on_input(session, commands)

    def _is_new(self, order: str) -> bool:
        """Return whether an order has to be carried out: whether it has no name, or one that is not known yet."""
        if order in self._orders:
            return False
        if order:
            self._orders.append(order)
        return True

    def _count(self, cause: Cause | None, received_at: float, connections: int) -> None:
        if cause is not None and connections and self._on_delivered is not None:
            self._on_delivered(cause, received_at, connections)

    def _deliver_to_topic(self, channel: bytes, data: bytes, *, more: bool) -> None:
        received_at = time.time()
        match decode_topic_message(data):
            case TopicData(document, authors, cause):
                item = Publication(data=document)
                self._count(cause, received_at, self._hub.deliver_topic(channel, item, author_ids=authors, more=more))
            case TopicEnd(spare_owner, again):
                self._hub.close_topic(channel, spare_owner=spare_owner, again=again)
            case PresenceChange(user_id, presence):
                # The scripts publish numbers; only the adapter knows the JSON of the API.
                document = self._presences.encode_change(user_id, presence)
                self._hub.deliver_topic(channel, Publication(data=document), author_ids=(user_id,), more=more)
