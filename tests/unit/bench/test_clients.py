"""What the benchmark's clients read and say, without a socket."""

from __future__ import annotations

import itertools

import pytest

from bench.sockets.client.concurrency import Doorway
from bench.sockets.client.frames import BadServerFrameError, client_frame, server_frame, split_frames
from bench.sockets.client.handshake import Greeting, GreetingError, Manners, Step, websocket_upgrade
from bench.sockets.client.message import SIZE, WrongMessageError, message, number_in

WELCOME = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
MANNERS = Manners(upgrade=websocket_upgrade("/"), ping=b"{}", pong=client_frame(b"{}"))
STEPS = [Step(client_frame(b"connect"), b"connected"), Step(client_frame(b"subscribe"), b"subscribed")]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 300, 65535, 65536])
def test_frames_come_back_whole_however_they_are_cut(size: int) -> None:
    """Two frames are read as two payloads, and what is cut short is left over for later."""
    whole = server_frame(b"x" * size) + server_frame(b"end")
    assert split_frames(whole) == ([b"x" * size, b"end"], b"")
    for cut in {1, 2, 3, 5, len(whole) // 2, len(whole) - 1}:
        first, rest = split_frames(whole[:cut])
        then, none = split_frames(rest + whole[cut:])
        assert (first + then, none) == ([b"x" * size, b"end"], b"")


@pytest.mark.parametrize("head", [b"\x01\x00", b"\x81\x80\0\0\0\0", b"\xc1\x00", b"\x88\x02\x03\xe9"])
def test_frames_that_no_server_may_send_here_are_refused(head: bytes) -> None:
    """Fragments, masks, compressed frames and closing frames are not counted as messages."""
    with pytest.raises(BadServerFrameError):
        split_frames(head)


def test_a_client_s_frame_is_masked() -> None:
    """The mask bit is set and the mask is zero, so that the payload stands there as it is."""
    assert client_frame(b"hi") == b"\x81\x82\0\0\0\0hi"


def test_messages_are_of_one_size_and_bear_their_numbers() -> None:
    """Every message is 300 bytes of JSON and is found again within what a server wraps around it."""
    assert {len(message(number)) for number in (0, 7, 99_999_999)} == {SIZE}
    assert number_in(b'42["message",%b]' % message(1234)) == 1234


@pytest.mark.parametrize("text", [b"", b"{}", message(7)[:-1], message(7).replace(b"....", b"...,", 1)])
def test_a_message_that_is_not_whole_is_no_message(text: bytes) -> None:
    """Cut, changed or missing: it does not count as delivered."""
    with pytest.raises(WrongMessageError):
        number_in(text)


def said_by(greeting: Greeting, *arrivals: bytes) -> list[bytes]:
    """Return what a greeting says first and after each arrival."""
    return [greeting.begin(), *(greeting.feed(data) for data in arrivals)]


def test_a_greeting_goes_step_by_step() -> None:
    """After the upgrade each step is said once the one before was heard, and pings are answered on the way."""
    greeting = Greeting(MANNERS, STEPS)
    said = said_by(greeting, WELCOME, server_frame(b"connected as 5"), server_frame(b"{}"), server_frame(b"subscribed"))
    assert said == [MANNERS.upgrade, STEPS[0].say, STEPS[1].say, MANNERS.pong, b""]
    assert greeting.done
    assert greeting.answers == [b"connected as 5", b"subscribed"]


def test_a_greeting_takes_its_answers_in_any_pieces() -> None:
    """Byte by byte, or all texts in one frame with what follows: the same steps are said."""
    whole = WELCOME + server_frame(b"connected\nnews\nsubscribed\nmore")
    for pieces in ([whole], [bytes((byte,)) for byte in whole]):
        greeting = Greeting(MANNERS, STEPS)
        assert b"".join(said_by(greeting, *pieces)) == MANNERS.upgrade + STEPS[0].say + STEPS[1].say
        assert greeting.done
        assert greeting.others == [b"news", b"more"]


def test_a_bare_connection_needs_no_greeting() -> None:
    """Where nothing is to be said, it is done at once."""
    greeting = Greeting(Manners(), ())
    assert (greeting.begin(), greeting.done) == (b"", True)


@pytest.mark.parametrize(
    ("arrival", "reason"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "503"),
        (WELCOME + server_frame(b'{"id":1,"error":{"code":100}}'), "100"),
    ],
)
def test_a_refusal_is_told(arrival: bytes, reason: str) -> None:
    """Another status than 101, or an error for an answer, ends the greeting with the server's words."""
    greeting = Greeting(MANNERS, STEPS)
    greeting.begin()
    with pytest.raises(GreetingError, match=reason):
        greeting.feed(arrival)


def test_only_so_many_go_through_the_door_at_once() -> None:
    """The next starts when one is through, in order, and the door is clear at the end."""
    started: list[int] = []
    doorway = Doorway(2)
    for number in range(5):
        doorway.enter(lambda number=number: started.append(number))  # type: ignore[misc]
    assert started == [0, 1]
    for passed in itertools.count(1):
        doorway.passed()
        assert started == [*range(min(5, 2 + passed))]
        if doorway.clear:
            break
    assert passed == 5
