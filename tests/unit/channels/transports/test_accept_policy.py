"""Which pages may connect, and which codec a handshake selects."""

from __future__ import annotations

import pytest

from channels.contract.origins import origin_allowed
from channels.protocol.codec_json import JsonCodec
from channels.protocol.codec_msgpack import MsgpackCodec
from channels.protocol.codec_protobuf import ProtobufCodec
from channels.transports.websocket import choose_format
from channels.transports.websocket_format import WebSocketFormat


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "verdict"),
    [
        (None, "a.example", (), True),
        ("https://a.example", "a.example", (), True),
        ("http://a.example", "a.example", (), True),
        ("https://A.Example", "a.example", (), True),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", (), True),
        ("http://[::1]:8080", "[::1]:8080", (), True),
        ("https://a.example:443", "a.example", (), True),
        ("http://127.0.0.1:8081", "127.0.0.1:8080", (), False),
        ("https://evil.example", "a.example", (), False),
        ("https://a.example.evil.example", "a.example", (), False),
        ("https://a.example@evil.example", "a.example", (), False),
        ("null", "a.example", (), False),
        ("", "a.example", (), False),
        ("https://", "a.example", (), False),
        ("https://a.example:99999", "a.example", (), False),
        ("file:///etc/passwd", "", (), False),
        ("https://web.example", "a.example", ("https://web.example/",), True),
        ("http://web.example", "a.example", ("https://web.example",), False),
        ("null", "a.example", ("null",), False),
        ("https://user@web.example", "a.example", ("https://web.example",), False),
        ("https://web.example?a=b", "a.example", ("https://web.example",), False),
        ("https://web.example#a", "a.example", ("https://web.example",), False),
        ("https://*.example", "a.example", ("https://*.example",), False),
        ("https://evil.example", "a.example", ("*",), True),
    ],
)
def test_origins(origin: str | None, host: str, allowed: tuple[str, ...], verdict: bool) -> None:
    """Programs, the own host and configured origins may connect; others may not."""
    assert origin_allowed(origin, host, allowed) is verdict


@pytest.mark.parametrize(
    ("offered", "expected", "name"),
    [
        (None, None, "centrifuge-json"),
        (None, "json", "centrifuge-json"),
        (None, "msgpack", "picshare-msgpack"),
        (None, "protobuf", "centrifuge-protobuf"),
        (None, "cbor", None),
        ("picshare-msgpack", None, "picshare-msgpack"),
        ("other, centrifuge-json", None, "centrifuge-json"),
        ("picshare-msgpack, centrifuge-json", "json", "picshare-msgpack"),
        ("centrifuge-protobuf", "json", "centrifuge-protobuf"),
        ("centrifuge-cbor", "json", None),
    ],
)
def test_codecs(offered: str | None, expected: str | None, name: str | None) -> None:
    """A subprotocol takes precedence over the query, the first codec is the default, and an unknown one is rejected."""
    formats = [WebSocketFormat(codec) for codec in (JsonCodec(), ProtobufCodec(), MsgpackCodec())]
    chosen = choose_format(offered, expected, formats)
    assert (chosen.name if chosen else None) == name
