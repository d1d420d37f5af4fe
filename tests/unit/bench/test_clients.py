"""What the benchmark's clients read and send, without a socket."""

from __future__ import annotations

import itertools

import pytest

from bench.sockets.client.concurrency import ConcurrencyLimit
from bench.sockets.client.frames import BadServerFrameError, client_frame, server_frame, split_frames
from bench.sockets.client.handshake import Handshake, HandshakeError, Opening, Step, websocket_upgrade
from bench.sockets.client.message import SIZE, WrongMessageError, message, number_in

WELCOME = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
OPENING = Opening(request=websocket_upgrade("/"), ping=b"{}", pong=client_frame(b"{}"))
STEPS = [Step(client_frame(b"connect"), b"connected"), Step(client_frame(b"subscribe"), b"subscribed")]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 300, 65535, 65536])
def test_frames_are_read_completely_however_they_are_split(size: int) -> None:
    """Two frames are read as two payloads, and an incomplete one is returned as rest."""
    whole = server_frame(b"x" * size) + server_frame(b"end")
    assert split_frames(whole) == ([b"x" * size, b"end"], b"")
    for cut in {1, 2, 3, 5, len(whole) // 2, len(whole) - 1}:
        first, rest = split_frames(whole[:cut])
        then, none = split_frames(rest + whole[cut:])
        assert (first + then, none) == ([b"x" * size, b"end"], b"")


@pytest.mark.parametrize("head", [b"\x01\x00", b"\x81\x80\0\0\0\0", b"\xc1\x00", b"\x88\x02\x03\xe9"])
def test_unsupported_frames_are_refused(head: bytes) -> None:
    """Fragments, masked, compressed and closing frames are not counted as messages."""
    with pytest.raises(BadServerFrameError):
        split_frames(head)


def test_a_client_s_frame_is_masked() -> None:
    """The mask bit is set and the mask is zero, so the payload is unchanged."""
    assert client_frame(b"hi") == b"\x81\x82\0\0\0\0hi"


def test_messages_have_one_size_and_contain_their_numbers() -> None:
    """Every message is 300 bytes of JSON and is found within a server's envelope."""
    assert {len(message(number)) for number in (0, 7, 99_999_999)} == {SIZE}
    assert number_in(b'42["message",%b]' % message(1234)) == 1234


@pytest.mark.parametrize("text", [b"", b"{}", message(7)[:-1], message(7).replace(b"....", b"...,", 1)])
def test_an_incomplete_message_is_an_error(text: bytes) -> None:
    """A truncated, changed or missing message does not count as delivered."""
    with pytest.raises(WrongMessageError):
        number_in(text)


def sent_by(handshake: Handshake, *arrivals: bytes) -> list[bytes]:
    """Return what a handshake sends first and after each received piece."""
    return [handshake.begin(), *(handshake.feed(data) for data in arrivals)]


def test_a_greeting_goes_step_by_step() -> None:
    """After the upgrade each step is sent once the previous one was answered; pings are answered in between."""
    handshake = Handshake(OPENING, STEPS)
    sent = sent_by(
        handshake, WELCOME, server_frame(b"connected as 5"), server_frame(b"{}"), server_frame(b"subscribed")
    )
    assert sent == [OPENING.request, STEPS[0].send, STEPS[1].send, OPENING.pong, b""]
    assert handshake.done
    assert handshake.replies == [b"connected as 5", b"subscribed"]


def test_a_greeting_takes_its_answers_in_any_pieces() -> None:
    """Byte by byte, or all texts in one frame with more after them: the same steps are sent."""
    whole = WELCOME + server_frame(b"connected\nnews\nsubscribed\nmore")
    for pieces in ([whole], [bytes((byte,)) for byte in whole]):
        handshake = Handshake(OPENING, STEPS)
        assert b"".join(sent_by(handshake, *pieces)) == OPENING.request + STEPS[0].send + STEPS[1].send
        assert handshake.done
        assert handshake.others == [b"news", b"more"]


def test_a_bare_connection_needs_no_greeting() -> None:
    """Without request and steps the handshake is complete at once."""
    handshake = Handshake(Opening(), ())
    assert (handshake.begin(), handshake.done) == (b"", True)


@pytest.mark.parametrize(
    ("arrival", "reason"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "503"),
        (WELCOME + server_frame(b'{"id":1,"error":{"code":100}}'), "100"),
    ],
)
def test_a_refusal_is_an_error(arrival: bytes, reason: str) -> None:
    """A status other than 101, or an error reply, ends the handshake with the server's text."""
    handshake = Handshake(OPENING, STEPS)
    handshake.begin()
    with pytest.raises(HandshakeError, match=reason):
        handshake.feed(arrival)


def test_the_limit_bounds_how_many_operations_run() -> None:
    """The next operation starts when one has finished, in order, and the limit is idle at the end."""
    started: list[int] = []
    limit = ConcurrencyLimit(2)
    for number in range(5):
        limit.start(lambda number=number: started.append(number))  # type: ignore[misc]
    assert started == [0, 1]
    for passed in itertools.count(1):
        limit.finished()
        assert started == [*range(min(5, 2 + passed))]
        if limit.idle:
            break
    assert passed == 5
