"""What a client of a streaming answer says, by a request of its own: which session, at which process, and what."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson
from google.protobuf.message import DecodeError

from channels.protocol import live_pb2
from channels.protocol.codec import BadFrameError


@dataclass(frozen=True, slots=True)
class EmulationRequest:
    """Commands of one session, in the form of its stream; the session is the client's secret."""

    session: str = field(repr=False)
    node: str
    data: bytes | str


def request_from_json(body: bytes) -> EmulationRequest:
    """Return what a JSON body says; raise `BadFrameError`."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadFrameError("the body is not JSON") from error
    match value:
        case {"session": str(session), "node": str(node), "data": str(data)}:
            return EmulationRequest(session, node, data)
        case _:
            raise BadFrameError("the body has three texts: session, node and data")


def request_from_protobuf(body: bytes) -> EmulationRequest:
    """Return what a Protobuf body says; raise `BadFrameError`."""
    try:
        value = live_pb2.EmulationRequest.FromString(body)
    except DecodeError as error:
        raise BadFrameError("the body is not an EmulationRequest") from error
    return EmulationRequest(value.session, value.node, value.data)
