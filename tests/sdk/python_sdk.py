"""The unmodified package centrifuge-python, with JSON or Protobuf."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from centrifuge import Client, ClientEventHandler, ReplyError, StreamPosition, SubscriptionEventHandler

from tests.sdk.clients import ErrorReply, Event, SdkClient

_FAST_RECONNECT = {"min_reconnect_delay": 0.01, "max_reconnect_delay": 0.05}  # seconds
_FAST_RESUBSCRIBE = {"min_resubscribe_delay": 0.01, "max_resubscribe_delay": 0.05}


class PythonSdk:
    """Opens clients in this process."""

    def __init__(self, *, binary: bool) -> None:
        self._binary = binary

    @asynccontextmanager
    async def open(self, url: str, *tokens: str) -> AsyncIterator[SdkClient]:
        """Connect a client until the end of the block."""
        client = PythonClient(url, tokens, binary=self._binary)
        await client.connect()
        try:
            yield client
        finally:
            await client.sdk.disconnect()


class PythonClient:
    """Executes the commands of a test and records the events of the SDK."""

    def __init__(self, url: str, tokens: tuple[str, ...], *, binary: bool) -> None:
        self.events: list[Event] = []
        self._binary = binary
        remaining = list(tokens)

        async def get_token() -> str:
            return remaining.pop(0) if len(remaining) > 1 else remaining[0]

        self.sdk = Client(
            url, events=self._recorder(None), get_token=get_token, use_protobuf=binary, proxy=None, **_FAST_RECONNECT
        )

    async def connect(self) -> None:
        """Connect."""
        await self.sdk.connect()

    async def subscribe(self, channel: str) -> None:
        """Subscribe, for the first time or again."""
        subscription = self.sdk.get_subscription(channel)
        if subscription is None:
            subscription = self.sdk.new_subscription(channel, events=self._recorder(channel), **_FAST_RESUBSCRIBE)
        await subscription.subscribe()

    async def unsubscribe(self, channel: str) -> None:
        """Unsubscribe."""
        await self.sdk.get_subscription(channel).unsubscribe()

    async def request(self, method: str, **params: Any) -> Any:
        """Return the result of a request; raise `ErrorReply`."""
        try:
            return await self._request(method, params)
        except ReplyError as error:
            raise ErrorReply(error.code) from error

    async def _request(self, method: str, params: dict[str, Any]) -> Any:
        match method:
            case "publish":
                await self.sdk.publish(params["channel"], self._encode(params["data"]))
                return {}
            case "rpc":
                return {"data": self._decode((await self.sdk.rpc(params["name"], self._encode(params["data"]))).data)}
            case "history":
                since = StreamPosition(**params["since"]) if "since" in params else None
                result = await self.sdk.history(**{**params, "since": since})
                items = [{"offset": item.offset, "data": self._decode(item.data)} for item in result.publications]
                return {"publications": items, "offset": result.offset, "epoch": result.epoch}
            case "presence":
                clients = (await self.sdk.presence(**params)).clients
                return {"clients": {key: info.user for key, info in clients.items()}}
            case _:
                return vars(await self.sdk.presence_stats(**params))

    def _recorder(self, channel: str | None) -> _Recorder:
        return _Recorder(self.events.append, self._decode, channel)

    def _decode(self, data: Any) -> Any:
        return json.loads(data) if self._binary and data else data

    def _encode(self, data: Any) -> Any:
        return json.dumps(data).encode() if self._binary else data


class _Recorder(ClientEventHandler, SubscriptionEventHandler):
    """Records events; `channel` is the channel of a subscription, None for those of the client."""

    def __init__(self, record: Callable[[Event], None], read: Callable[[Any], Any], channel: str | None) -> None:
        self._record, self._decode, self._channel = record, read, channel

    def __getattribute__(self, name: str) -> Any:
        """Return a handler that records its event, for every `on_…` method that the SDK calls."""
        return self._handler(name[3:]) if name.startswith("on_") else super().__getattribute__(name)

    def _handler(self, event: str) -> Callable[[Any], Awaitable[None]]:
        async def handle(context: Any) -> None:
            fields = {"channel": self._channel, **vars(context)}
            publication, error = fields.pop("pub", None), fields.pop("error", None)
            if publication is not None:
                fields |= {"offset": publication.offset, "data": self._decode(publication.data)}
            if isinstance(error, ReplyError):
                fields["code"] = error.code
            self._record({"event": event, **{key: value for key, value in fields.items() if value is not None}})

        return handle
