"""Requests with which a streaming client sends commands: session, process, and the commands."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson
from google.protobuf.message import DecodeError

from channels.protocol import live_pb2
from channels.protocol.codec import BadFrameError


@dataclass(frozen=True, slots=True)
class EmulationRequest:
    """Commands for one session, in the wire format of its stream; the session name is a secret of the client."""

    session: str = field(repr=False)
    node: str
    data: bytes | str


def request_from_json(body: bytes) -> EmulationRequest:
    """Decode a JSON body; raise `BadFrameError`."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadFrameError("the body is not JSON") from error
    match value:
        case {"session": str(session), "node": str(node), "data": str(data)}:
            return EmulationRequest(session, node, data)
        case _:
            raise BadFrameError("the body must have the strings session, node and data")


def request_from_protobuf(body: bytes) -> EmulationRequest:
    """Decode a Protobuf body; raise `BadFrameError`."""
    try:
        value = live_pb2.EmulationRequest.FromString(body)
    except DecodeError as error:
        raise BadFrameError("the body is not an EmulationRequest") from error
    return EmulationRequest(value.session, value.node, value.data)
