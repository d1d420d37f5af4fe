"""The interface to the clients of all tested SDKs: commands to a client, and the events that it emits.

Events are dictionaries in order of arrival: `event` (the SDKs' names: connecting, connected, disconnected, error,
subscribing, subscribed, unsubscribed, publication), and those of `channel`, `code`, `reason`, `was_recovering`,
`recovered`, `offset` and `data` that the SDK reports. Documents are plain values in every encoding of the protocol.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from tests.support.eventually import eventually

Event = dict[str, Any]


class ErrorReply(Exception):  # noqa: N818 - an expected outcome, not a failure of the test
    """An error reply of the server, with its code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error {code}")
        self.code = code


class SdkClient(Protocol):
    """One client; a method returns when the SDK has the command, not when it is executed."""

    events: list[Event]

    async def connect(self) -> None:
        """Connect; the SDK reconnects by itself after interruptions."""
        ...

    async def subscribe(self, channel: str) -> None:
        """Subscribe, for the first time or again."""
        ...

    async def unsubscribe(self, channel: str) -> None:
        """Unsubscribe."""
        ...

    async def request(self, method: str, **params: Any) -> Any:
        """Return the result of publish, rpc, history, presence or presence_stats; raise `ErrorReply`."""
        ...


class Sdk(Protocol):
    """One published SDK with one encoding of the protocol."""

    def open(self, url: str, *tokens: str) -> AbstractAsyncContextManager[SdkClient]:
        """Connect a client until the end of the block; it uses the tokens in turn and repeats the last one."""
        ...


def matching_events(client: SdkClient, **expected: Any) -> list[Event]:
    """Return the events that have all these fields."""
    return [event for event in client.events if expected.items() <= event.items()]


def published(client: SdkClient, channel: str) -> list[Any]:
    """Return the documents that were published on a channel."""
    return [event["data"] for event in matching_events(client, event="publication", channel=channel)]


async def wait_for_event(client: SdkClient, times: int = 1, **expected: Any) -> Event:
    """Wait until this many events with these fields have arrived; return the last of them."""

    def last_event() -> Event | None:
        found = matching_events(client, **expected)
        assert len(found) >= times, f"not {expected} {times} times in {client.events}"
        return found[-1]

    event = await eventually(last_event)
    assert event is not None
    return event
