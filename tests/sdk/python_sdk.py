"""centrifuge-python, unmodified, in JSON or Protobuf."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from centrifuge import Client, ClientEventHandler, ReplyError, StreamPosition, SubscriptionEventHandler

from tests.sdk.clients import Event, SdkClient, Unanswered

_QUICK = {"min_reconnect_delay": 0.01, "max_reconnect_delay": 0.05}  # seconds
_QUICK_AGAIN = {"min_resubscribe_delay": 0.01, "max_resubscribe_delay": 0.05}


class PythonSdk:
    """Open clients in this process."""

    def __init__(self, *, binary: bool) -> None:
        self._binary = binary

    @asynccontextmanager
    async def open(self, url: str, *tokens: str) -> AsyncIterator[SdkClient]:
        """Connect a client for the time of the block."""
        client = PythonClient(url, tokens, binary=self._binary)
        await client.connect()
        try:
            yield client
        finally:
            await client.sdk.disconnect()


class PythonClient:
    """Do what a test orders, and write down what the SDK tells."""

    def __init__(self, url: str, tokens: tuple[str, ...], *, binary: bool) -> None:
        self.events: list[Event] = []
        self._binary = binary
        left = list(tokens)

        async def get_token() -> str:
            return left.pop(0) if len(left) > 1 else left[0]

        self.sdk = Client(url, events=self._diary(None), get_token=get_token, use_protobuf=binary, proxy=None, **_QUICK)

    async def connect(self) -> None:
        """Connect."""
        await self.sdk.connect()

    async def subscribe(self, channel: str) -> None:
        """Subscribe, or do it again."""
        subscription = self.sdk.get_subscription(channel)
        if subscription is None:
            subscription = self.sdk.new_subscription(channel, events=self._diary(channel), **_QUICK_AGAIN)
        await subscription.subscribe()

    async def unsubscribe(self, channel: str) -> None:
        """Unsubscribe."""
        await self.sdk.get_subscription(channel).unsubscribe()

    async def ask(self, method: str, **params: Any) -> Any:
        """Return the result of a question; raise `Unanswered`."""
        try:
            return await self._ask(method, params)
        except ReplyError as error:
            raise Unanswered(error.code) from error

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        match method:
            case "publish":
                await self.sdk.publish(params["channel"], self._write(params["data"]))
                return {}
            case "rpc":
                return {"data": self._read((await self.sdk.rpc(params["name"], self._write(params["data"]))).data)}
            case "history":
                since = StreamPosition(**params["since"]) if "since" in params else None
                result = await self.sdk.history(**{**params, "since": since})
                items = [{"offset": item.offset, "data": self._read(item.data)} for item in result.publications]
                return {"publications": items, "offset": result.offset, "epoch": result.epoch}
            case "presence":
                people = (await self.sdk.presence(**params)).clients
                return {"clients": {key: info.user for key, info in people.items()}}
            case _:
                return vars(await self.sdk.presence_stats(**params))

    def _diary(self, channel: str | None) -> _Diary:
        return _Diary(self.events.append, self._read, channel)

    def _read(self, data: Any) -> Any:
        return json.loads(data) if self._binary and data else data

    def _write(self, data: Any) -> Any:
        return json.dumps(data).encode() if self._binary else data


class _Diary(ClientEventHandler, SubscriptionEventHandler):
    """Write events down; `channel` is the subscription's, where it is of one."""

    def __init__(self, tell: Callable[[Event], None], read: Callable[[Any], Any], channel: str | None) -> None:
        self._tell, self._read, self._channel = tell, read, channel

    def __getattribute__(self, name: str) -> Any:
        """Answer every handler of the SDK's with one that writes down its event."""
        return self._writing(name[3:]) if name.startswith("on_") else super().__getattribute__(name)

    def _writing(self, event: str) -> Callable[[Any], Awaitable[None]]:
        async def write(context: Any) -> None:
            said = {"channel": self._channel, **vars(context)}
            publication, error = said.pop("pub", None), said.pop("error", None)
            if publication is not None:
                said |= {"offset": publication.offset, "data": self._read(publication.data)}
            if isinstance(error, ReplyError):
                said["code"] = error.code
            self._tell({"event": event, **{key: value for key, value in said.items() if value is not None}})

        return write
