"""Frames that must be rejected: malformed, forbidden, endless or meaningless (abuse row 10)."""

from __future__ import annotations

import asyncio
import os
import struct

import msgpack
import psutil
import pytest

from channels.transports import websocket
from tests.integration.channels.conftest import Serve
from tests.support.eventually import DEADLINE, eventually
from tests.support.live import PATH, BareClient, LiveServer

pytestmark = pytest.mark.engines

_MASK = bytes(4)


class RawSocket:
    """A TCP connection after the handshake, for frames that no client library would send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, server: LiveServer) -> RawSocket:
        """Complete a handshake."""
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer)

    async def closed(self) -> tuple[int, str]:
        """Return code and reason of the close frame."""
        async with asyncio.timeout(DEADLINE):
            while True:
                first, length = await self.reader.readexactly(2)
                if length == 126:
                    (length,) = struct.unpack(">H", await self.reader.readexactly(2))
                payload = await self.reader.readexactly(length)
                if first == 0x88:
                    self.writer.close()
                    return int.from_bytes(payload[:2], "big"), payload[2:].decode()


def frame(first: int, payload: bytes) -> bytes:
    """Return a client's frame, masked with zeros."""
    return bytes((first, 0x80 | len(payload))) + _MASK + payload


BROKEN = {
    "invalid utf-8": (frame(0x81, b"\xff\xfe"), 1007),
    "unknown opcode": (frame(0x83, b"x"), 1002),
    "reserved bit": (frame(0xC1, b"x"), 1002),
    "continuation of nothing": (frame(0x80, b"x"), 1002),
    "fragmented ping": (frame(0x09, b"x"), 1002),
    "2^62 bytes": (bytes((0x81, 0xFF)) + struct.pack(">Q", 1 << 62) + _MASK, 3501),
    "just too big": (bytes((0x81, 0xFF)) + struct.pack(">Q", 65_537) + _MASK, 3501),
    "empty": (frame(0x81, b""), 3501),
    "not json": (frame(0x81, b"{"), 3501),
    "not a map": (frame(0x81, b"[]"), 3501),
    "binary for json": (frame(0x82, b"{}"), 3501),
    "id is text": (frame(0x81, b'{"id":"1"}'), 3501),
    "huge id": (frame(0x81, b'{"id":4294967296,"connect":{}}'), 3501),
    "before connect": (frame(0x81, b'{"id":1,"ping":{}}'), 3501),
    "no id": (frame(0x81, b'{"connect":{}}'), 3501),
    "close code 1006": (frame(0x88, struct.pack(">H", 1006)), 1002),
    "close code 999": (frame(0x88, struct.pack(">H", 999)), 1002),
    "close of one byte": (frame(0x88, b"x"), 1002),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_broken_frame(server: LiveServer, case: str) -> None:
    """A malformed frame closes the connection with its code and a reason that is not empty."""
    data, expected = BROKEN[case]
    raw = await RawSocket.to(server)
    raw.writer.write(data)
    code, reason = await raw.closed()
    assert code == expected
    assert reason.strip()


async def test_broken_peer_that_goes_on_sending(server: LiveServer) -> None:
    """A peer that continues to send after a malformed frame can still read the reason: no reset comes first."""
    raw = await RawSocket.to(server)
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    raw.writer.write(frame(0x83, b"x"))
    for _ in range(10):
        await asyncio.sleep(0.02)
        raw.writer.write(bytes(100))
    raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert (await raw.closed())[0] == 1002


@pytest.mark.parametrize(
    ("fault", "reply"),
    [(frame(0x83, b"x"), frame(0x88, struct.pack(">H", 1002))), (frame(0x88, b"x"), b"")],
    ids=["close after a fault", "faulty close"],
)
async def test_after_both_close_frames_the_connection_ends_at_once(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, fault: bytes, reply: bytes
) -> None:
    """After a violation the connection ends with the peer's close frame (RFC 6455, 7.1.1), not when a time is over."""
    monkeypatch.setattr(websocket, "_LINGER", 60)
    async with serve(close_deadline=60.0) as server:
        raw = await RawSocket.to(server)
        raw.writer.write(fault)
        async with asyncio.timeout(DEADLINE):
            first, length = await raw.reader.readexactly(2)
            assert first == 0x88
            await raw.reader.readexactly(length)
            raw.writer.write(reply)
            assert await raw.reader.read() == b""
        raw.writer.close()


@pytest.mark.parametrize("close", [frame(0x88, struct.pack(">H", 1000)), frame(0x88, b""), frame(0x88, b"\x0f\xa0x")])
async def test_orderly_close(server: LiveServer, close: bytes) -> None:
    """A close frame is answered with the peer's own code, and leaves nothing behind."""
    raw = await RawSocket.to(server)
    raw.writer.write(close)
    assert (await raw.closed())[0] == (int.from_bytes(close[6:8], "big") or 1000)
    await eventually(lambda: server.live.connections == 0)


async def test_second_connect(server: LiveServer) -> None:
    """A second connect closes with 3501."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        await client.send({"id": 9, "connect": {"token": "7"}})
        assert await client.closed() == (3501, "bad request")


@pytest.mark.parametrize(
    "subs", [[1], {"feed": 1}, {"feed": {"recover": True, "offset": -1}}, {"feed": {"recover": True, "epoch": 1}}]
)
async def test_bad_subs(server: LiveServer, subs: object) -> None:
    """Meaningless positions are a bad request (107), not a crash."""
    async with BareClient.to(server.url) as client:
        assert (await client.request("connect", token="7", subs=subs))["error"]["code"] == 107
        assert "connect" in await client.request("connect", token="7")


@pytest.mark.parametrize(
    "data", [b"", b"\xc1", b"\x81", msgpack.packb([1]), msgpack.packb({"id": 1}) + b"\x82", b"\xdf\xff\xff\xff\xff"]
)
async def test_broken_msgpack(server: LiveServer, data: bytes) -> None:
    """MessagePack that is truncated, has a wrong length, or is no map closes with 3501."""
    async with BareClient.to(server.url, packed=True) as client:
        await client.socket.send_bytes(data)
        assert await client.closed() == (3501, "bad request")


async def test_many_fragments(server: LiveServer) -> None:
    """70,000 fragments of one message end at the size limit, without growing memory."""
    raw = await RawSocket.to(server)
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    raw.writer.write(frame(0x01, b"x") + frame(0x00, b"x") * 70_000)
    assert (await raw.closed())[0] == 3501
    assert process.memory_info().rss - before < 30_000_000


async def test_websocket_pings(server: LiveServer) -> None:
    """A WebSocket ping is answered with its payload, and a flood of them closes with 3013."""
    async with BareClient.to(server.url) as client:
        await client.connect("7")
        await client.socket.ping(b"hello")
        assert (await client.socket.receive()).data == b"hello"
        for _ in range(600):
            await client.socket.ping()
        assert (await client.closed())[0] == 3013
