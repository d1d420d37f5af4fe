"""A client of any published SDK, as tests see it: orders to it, and what it tells of itself.

Events are maps in the order in which they came: `event` (the SDKs' names: connecting, connected, disconnected,
error, subscribing, subscribed, unsubscribed, publication), and of `channel`, `code`, `reason`, `was_recovering`,
`recovered`, `offset` and `data` what the SDK said. Documents are plain values in every form of the protocol.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from tests.support.eventually import eventually

Event = dict[str, Any]


class Unanswered(Exception):  # noqa: N818 - what a question came to, not a fault of the test
    """Carry the code of the error that the server answered with."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error {code}")
        self.code = code


class SdkClient(Protocol):
    """One client; every method returns once the SDK has been told."""

    events: list[Event]

    async def connect(self) -> None:
        """Connect, and come back after interruptions as the SDK sees fit."""
        ...

    async def subscribe(self, channel: str) -> None:
        """Subscribe, or do it again."""
        ...

    async def unsubscribe(self, channel: str) -> None:
        """Unsubscribe."""
        ...

    async def ask(self, method: str, **params: Any) -> Any:
        """Return the result of publish, rpc, history, presence or presence_stats; raise `Unanswered`."""
        ...


class Sdk(Protocol):
    """One published SDK in one form of the protocol."""

    def open(self, url: str, *tokens: str) -> AbstractAsyncContextManager[SdkClient]:
        """Connect a client for the time of the block; it hands in the tokens in turn, and the last one for ever."""
        ...


def told(client: SdkClient, **wanted: Any) -> list[Event]:
    """Return the events that have all these fields."""
    return [event for event in client.events if wanted.items() <= event.items()]


def heard(client: SdkClient, channel: str) -> list[Any]:
    """Return the documents that were published on a channel."""
    return [event["data"] for event in told(client, event="publication", channel=channel)]


async def tells(client: SdkClient, times: int = 1, **wanted: Any) -> Event:
    """Wait until an event with these fields was told so many times; return the last."""

    def enough() -> Event | None:
        found = told(client, **wanted)
        assert len(found) >= times, f"not {wanted} {times} times in {client.events}"
        return found[-1]

    event = await eventually(enough)
    assert event is not None
    return event
