"""Messages of the live protocol as plain values, independent of codecs.

Field names are the protocol's. A client sends `Command`s. The functions here build what it receives, as maps in which
`RawJson` marks a document that is already JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from channels.contract.ports import Position, Publication
from channels.protocol.codes import Disconnect, ErrorCode, Unsubscribed

METHODS = frozenset(
    {
        *("connect", "refresh", "ping", "send"),
        *("subscribe", "unsubscribe", "sub_refresh", "publish"),
        *("presence", "presence_stats", "history", "rpc"),
    }
)

Message = dict[str, Any]


class RawJson:
    """Bytes of a JSON document, for a codec to embed in its own way without a copy."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


@dataclass(frozen=True, slots=True)
class Command:
    """One message of a client; `id` is 0 if missing, `method` is None if missing or unknown."""

    id: int
    method: str | None
    params: Mapping[str, Any]
    blank: bool = False


def reply(command_id: int | str, method: str, result: Message) -> Message:
    """Return a reply; an empty result is included as well."""
    return {"id": command_id, method: result}


def error_reply(command_id: int | str, code: ErrorCode) -> Message:
    """Return the reply to a command that failed."""
    return custom_error_reply(command_id, int(code), code.message, temporary=code.temporary)


def custom_error_reply(command_id: int | str, code: int, message: str, *, temporary: bool) -> Message:
    """Return an error reply with a code and message of the service (400–1999)."""
    error: Message = {"code": code, "message": message}
    if temporary:
        error["temporary"] = True
    return {"id": command_id, "error": error}


def publication(item: Publication) -> Message:
    """Return a publication as in pushes and recovered lists; offset 0 is left out."""
    fields: Message = {"data": RawJson(item.data)}
    if item.offset:
        fields["offset"] = item.offset
    return fields


def publication_push(channel: str, item: Publication) -> Message:
    """Return the push of a publication."""
    return {"push": {"channel": channel, "pub": publication(item)}}


def unsubscribe_push(channel: str, code: Unsubscribed) -> Message:
    """Return the push that ends a subscription."""
    return {"push": {"channel": channel, "unsubscribe": {"code": int(code), "reason": code.reason}}}


def disconnect_push(disconnect: Disconnect) -> Message:
    """Return the push that ends a connection whose transport has no close frame."""
    return {"push": {"disconnect": {"code": disconnect.code, "reason": disconnect.reason}}}


def stream_result(position: Position, *, recovered: bool | None, publications: Iterable[Publication]) -> Message:
    """Return the subscribe result of a stream; `recovered` is None if no recovery was requested."""
    result: Message = {
        "recoverable": True,
        "positioned": True,
        "epoch": position.epoch,
        "offset": position.offset,
    }
    if recovered is not None:
        result["was_recovering"] = True
        result["recovered"] = recovered
        result["publications"] = [publication(item) for item in publications]
    return result


def history_result(position: Position, publications: Iterable[Publication]) -> Message:
    """Return the result of a history command."""
    return {
        "publications": [publication(item) for item in publications],
        "epoch": position.epoch,
        "offset": position.offset,
    }
