"""A connection whose client subscribes with GraphQL: each publication becomes an event of every operation it concerns.

The operations share the connection's streams and subscriptions to topics. The response is projected once for all
operations of a process that select the same; only the id of the operation and the position are the connection's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import orjson

from channels.connection.connection import Connection
from channels.connection.stream_state import StreamState
from channels.connection.wire_format import EventForm, SharedMessage, WireFormat, event_form
from channels.contract.ports import Projection, Publication
from channels.protocol import codes
from channels.protocol.codes import Unsubscribed
from channels.protocol.graphql import GraphqlCore
from channels.protocol.messages import Message, publication_push

SUBSCRIBE_AGAIN = b'[{"message":"Events may have been missed. Fetch what you show, and subscribe again.",%b}]' % (
    b'"extensions":{"code":"subscribe_again"}'
)


class OperationFormat(WireFormat, Protocol):
    """A wire format with the messages of operations; ids are JSON strings, responses JSON objects."""

    @property
    def one_operation(self) -> bool:
        """Return whether the connection ends with its operation."""
        ...

    def acknowledge(self) -> bytes:
        """Return the message that accepts a connection."""
        ...

    def event_head(self, response: bytes, offset: int | None, tail: int) -> bytes:
        """Return the message of an event without its end, which has `tail` bytes.

        With an offset the event has a position, whose epoch belongs to the end.
        """
        ...

    def event_tail(self, operation_id: bytes, epoch: bytes | None) -> bytes:
        """Return the end of the messages of events, the same for all events of an operation."""
        ...

    def error(self, operation_id: bytes, entries: bytes) -> bytes:
        """Return the message that ends an operation with errors, a JSON list."""
        ...

    def complete(self, operation_id: bytes) -> bytes:
        """Return the message that ends an operation."""
        ...


@dataclass(slots=True, eq=False)
class Operation:
    """A subscription that runs; `state` is that of its stream, None for a topic.

    `tail` is the end of its messages: what differs from those of other operations that select the same. `form` is what
    their beginning depends on; both are set by `end_with` before the first event.
    """

    id: str
    channel: str
    projection: Projection
    state: StreamState | None = None
    encoded_id: bytes = b""
    tail: bytes = b""
    form: EventForm = field(init=False)

    def __post_init__(self) -> None:
        self.encoded_id = orjson.dumps(self.id)

    def end_with(self, tail: bytes, wire_format: WireFormat) -> None:
        """Set the end of the messages."""
        self.tail, self.form = tail, event_form(self.projection, wire_format, len(tail))


class GraphqlConnection(Connection):
    """Connection of a client of GraphQL; `operations` are those that run, by their ids."""

    __slots__ = ("_by_channel", "operations")

    core_type = GraphqlCore
    shares_messages = False
    operations: dict[str, Operation]
    # Nearly all connections have one operation on a channel, which is here without a list.
    _by_channel: dict[str, Operation | list[Operation]]

    def begin(self) -> None:
        """Begin without operations; to be called once."""
        self.operations, self._by_channel = {}, {}

    def add(self, operation: Operation) -> None:
        """Deliver the events of an operation from now on."""
        if operation.state is None:
            operation.end_with(self._format.event_tail(operation.encoded_id, None), self.wire_format)
        self.operations[operation.id] = operation
        others = self._on(operation.channel)
        self._by_channel[operation.channel] = [*others, operation] if others else operation

    def remove(self, operation_id: str) -> Operation | None:
        """Stop the delivery to an operation, and return it unless it had ended already."""
        cast(GraphqlCore, self.core).operations.discard(operation_id)
        operation = self.operations.pop(operation_id, None)
        if operation is not None:
            others = [each for each in self._on(operation.channel) if each is not operation]
            if others:
                self._by_channel[operation.channel] = others[0] if len(others) == 1 else others
            else:
                del self._by_channel[operation.channel]
        return operation

    def uses(self, channel: str) -> bool:
        """Return whether an operation has its events from a channel."""
        return channel in self._by_channel

    def bytes_of(self, message: SharedMessage) -> bytes:
        """Return the events of a publication, or the ends of the operations on a channel that has ended."""
        operation = self._by_channel.get(message.channel)
        if type(operation) is Operation:
            # `_event` written out: one delivery runs this for thousands of connections, whose memory is read for the
            # first time, so each call and each object on the way counts.
            state = operation.state
            if state is None or state.offer(message.offset, message):
                head = message.event_heads.get(operation.form)
                return head + operation.tail if head else self._encode(operation, message)
            return self._held(state)
        if operation is None:
            return self._bytes_of_other(message)
        return b"".join([self._event(each, message) for each in self._on(message.channel)])

    def send_shared(self, message: SharedMessage) -> None:
        """Send what the message means for the operations."""
        data = self.bytes_of(message)
        if data:
            self.put(data)

    def send(self, message: Message) -> None:
        """Translate a reply of the live protocol; other messages are sent as the wire format has them."""
        if "connect" in message:
            self.put(self._format.acknowledge())
        elif "subscribe" in message:
            self._begin_with(message)
        elif "error" in message:
            self._fail(message)
        elif "push" in message:
            self.send_shared(SharedMessage(message))
        else:
            super().send(message)

    def begin_at(self, operation: Operation, epoch: str) -> None:
        """Set the epoch of the positions of an operation, before its first event."""
        if operation.state is not None:
            operation.state.epoch = epoch
            tail = self._format.event_tail(operation.encoded_id, orjson.dumps(epoch))
            operation.end_with(tail, self.wire_format)

    def send_recovered(self, operation: Operation, item: Publication) -> None:
        """Send a publication to one operation, which has it from a read and not from the hub."""
        data = self._encode(operation, SharedMessage(publication_push(operation.channel, item)))
        if data:
            self.put(data)

    def release(self, operation: Operation) -> None:
        """Send the publications that arrived while an operation began, and all further ones."""
        if operation.state is not None:
            for message in operation.state.release():
                data = self._encode(operation, message)
                if data:
                    self.put(data)

    def fail(self, operation_id: str, entries: bytes) -> None:
        """End an operation with errors, a JSON list."""
        self.remove(operation_id)
        self.put(self._format.error(orjson.dumps(operation_id), entries))
        self._end_with_operation()

    @property
    def _format(self) -> OperationFormat:
        return cast(OperationFormat, self.wire_format)

    def _bytes_of_other(self, message: SharedMessage) -> bytes:
        push = message.message.get("push")
        if push is None:
            return message.encoded_for(self.wire_format)
        if "unsubscribe" in push:
            return self._ends(self._on(push["channel"]), push["unsubscribe"]["code"])
        return b""

    def _event(self, operation: Operation, message: SharedMessage) -> bytes:
        state = operation.state
        if state is not None and not state.offer(message.offset, message):
            return self._held(state)
        return self._encode(operation, message)

    def _held(self, state: StreamState) -> bytes:
        """Return nothing, for an event that waits or was delivered before."""
        if state.overflowed:
            self.close(codes.INSUFFICIENT_STATE)
        return b""

    def _encode(self, operation: Operation, message: SharedMessage) -> bytes:
        form = operation.form
        head = message.event_heads.get(form)
        if head is None:
            head = self._head(operation, message)
            # What is outside the order of a stream has the position of each connection.
            if message.offset or operation.state is None:
                message.event_heads[form] = head
        return head + operation.tail if head else b""

    def _head(self, operation: Operation, message: SharedMessage) -> bytes:
        """Return the beginning of an event, or nothing if the publication is no event of the operation."""
        response = self._project(operation.projection, message)
        if not response:
            return b""
        offset = None if operation.state is None else message.offset or operation.state.offset
        return self._format.event_head(response, offset, len(operation.tail))

    @staticmethod
    def _project(projection: Projection, message: SharedMessage) -> bytes:
        # Ids of operations have different lengths, and so have headers of frames, but the response is the same.
        response = message.responses.get(projection)
        if response is None:
            response = projection.project(bytes(message.message["push"]["pub"]["data"].data)) or b""
            message.responses[projection] = response
        return response

    def _begin_with(self, message: Message) -> None:
        """Send the state that a topic begins with, as the first event."""
        data = message["subscribe"].get("data")
        operation = self.operations.get(message["id"])
        if data is not None and operation is not None:
            self.send_recovered(operation, Publication(data=data.data))

    def _fail(self, message: Message) -> None:
        error, operation_id = message["error"], message["id"]
        if isinstance(operation_id, str):
            extensions = {"code": error["message"].replace(" ", "_")}
            self.fail(operation_id, orjson.dumps([{"message": error["message"], "extensions": extensions}]))
        else:
            # The connection is not accepted. An expired token is refused for good, since the client needs another.
            temporary = error.get("temporary", False)
            self.close(codes.SERVER_ERROR if temporary else codes.INVALID_TOKEN)

    def _on(self, channel: str) -> list[Operation]:
        """Return the operations on a channel."""
        found = self._by_channel.get(channel, [])
        return [found] if isinstance(found, Operation) else found

    def _ends(self, operations: Sequence[Operation], code: int) -> bytes:
        parts = []
        for operation in operations:
            self.remove(operation.id)
            if code == Unsubscribed.SERVER:
                parts.append(self._format.complete(operation.encoded_id))
            else:
                parts.append(self._format.error(operation.encoded_id, SUBSCRIBE_AGAIN))
        if parts:
            self._end_with_operation()
        return b"".join(parts)

    def _end_with_operation(self) -> None:
        if self._format.one_operation:
            # In a later turn: the last message is about to be written.
            asyncio.get_running_loop().call_soon(self.close, codes.NORMAL)
