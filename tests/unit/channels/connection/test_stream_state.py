"""Order, repeats and holds of one connection's streams."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from channels.connection.stream_state import StreamState
from channels.connection.wire_format import SharedMessage


def frames(count: int) -> list[SharedMessage]:
    """Return that many frames, distinguished by identity."""
    return [SharedMessage({"n": number}) for number in range(count)]


def test_connecting() -> None:
    """Publications before the position is known are queued; at release those that the position covers are dropped."""
    old, new = frames(2)
    state = StreamState("feed", limit=10)
    assert [state.offer(4, old), state.offer(6, new)] == [False, False]
    state.advance("e", 5)
    assert state.release() == [new]
    assert state.offset == 6


def test_repeats() -> None:
    """A repeated offset is dropped; offset 0 is outside the order."""
    state = StreamState("feed", limit=10)
    state.advance("e", 5)
    state.release()
    frame = frames(1)[0]
    assert [state.offer(offset, frame) for offset in (6, 6, 5, 0, 8, 7, 0)] == [
        True,
        False,
        False,
        True,
        True,
        False,
        True,
    ]


def test_nested_holds() -> None:
    """Queued publications are released after the last of several holds, once."""
    state = StreamState("feed", limit=10)
    state.advance("e", 1)
    state.hold()
    frame = frames(1)[0]
    state.offer(2, frame)
    assert state.release() == []
    assert state.release() == [frame]
    state.hold()
    assert state.release() == []


def test_overflow() -> None:
    """Publications beyond the limit are dropped, and the overflow is recorded."""
    state = StreamState("feed", limit=2)
    for number, frame in enumerate(frames(2)):
        state.offer(number + 1, frame)
    assert not state.overflowed
    state.offer(3, frames(1)[0])
    assert state.overflowed


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from(["offer", "hold", "release"])), max_size=60))
def test_never_backwards(steps: list[tuple[int, str]]) -> None:
    """Offsets of sent publications strictly increase, in any order of events."""
    state = StreamState("feed", limit=100)
    state.advance("e", 0)
    state.release()
    sent: list[int] = []
    offsets: dict[int, int] = {}
    holds = 0
    for offset, step in steps:
        if step == "hold":
            state.hold()
            holds += 1
        elif step == "release" and holds:
            holds -= 1
            sent.extend(offsets[id(frame)] for frame in state.release())
        elif step == "offer":
            frame = SharedMessage({})
            offsets[id(frame)] = offset
            if state.offer(offset, frame):
                sent.append(offset)
            _keep.append(frame)
    assert sent == sorted(set(sent))


_keep: list[SharedMessage] = []  # so that no identity is reused
