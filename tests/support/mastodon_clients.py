"""Unmodified clients of Mastodon, which block: Mastodon.py as a library, and toot as a command."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from mastodon import Mastodon, StreamListener

from tests.support.api_user import ApiUser
from tests.support.eventually import eventually

T = TypeVar("T")

SCOPES = ["read", "write", "follow", "push"]


async def blocking(function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Run a function that blocks in a thread."""
    return await asyncio.to_thread(function, *arguments, **options)


async def approve(user: ApiUser, url: str) -> str:
    """Let a user approve the request for authorization at an address, and return the code that is shown."""
    body = {"request": urlsplit(url).query, "approve": True}
    code: str = (await user.call("POST", "/oauth/authorization", json=body)).expect(201)["code"]
    return code


async def signed_in(user: ApiUser) -> Mastodon:
    """Register Mastodon.py as an app, let a user approve it, and return it with its token."""
    app = await blocking(Mastodon.create_app, "Mastodon.py", api_base_url=user.url, scopes=SCOPES)
    client = Mastodon(client_id=app[0], client_secret=app[1], api_base_url=user.url, request_timeout=60)
    url = await blocking(client.auth_request_url, scopes=SCOPES, allow_http=True)
    await blocking(client.log_in, code=await approve(user, url), scopes=SCOPES, allow_http=True)
    return client


class Events(StreamListener):
    """The events of a stream, in order, as (name, payload)."""

    def __init__(self) -> None:
        self.received: list[tuple[str, Any]] = []
        self.beats = 0

    @classmethod
    async def of(cls, stream: Callable[..., Any], *arguments: Any) -> Events:
        """Open a stream, and return its events once the first comment has arrived."""
        events = cls()
        await blocking(stream, *arguments, events, run_async=True)
        await eventually(lambda: events.beats)
        return events

    def handle_heartbeat(self) -> None:
        """Count a comment."""
        self.beats += 1

    def on_any_event(self, name: str, data: Any = None, for_stream: Any = None) -> None:
        """Record an event."""
        del for_stream
        self.received.append((name, data))

    async def expect(self, name: str, fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """Wait for an event, and return its payload."""
        return await eventually(
            lambda: next((data for each, data in self.received if each == name and fits(data)), None)
        )


class Toot:
    """The command `toot` of one user, with a configuration of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = Path(sys.executable).parent / "toot"

    async def sign_in(self, user: ApiUser) -> str:
        """Sign in with the code that the user gets in the browser; return what is printed."""
        process = await self._start("login", "--instance", user.url)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"n\n")  # do not open the browser
        printed = b""
        while b"Authorization code" not in printed:
            piece = await asyncio.wait_for(process.stdout.read(4096), 60)
            assert piece, printed.decode()
            printed += piece
        (url,) = [word for word in printed.decode().split() if "/oauth/authorize" in word]
        code = await approve(user, url)
        rest, _ = await process.communicate(code.encode() + b"\n")
        assert process.returncode == 0, rest.decode()
        return rest.decode()

    async def run(self, *arguments: str) -> str:
        """Run a command that succeeds, and return what it prints."""
        process = await self._start(*arguments)
        printed, _ = await process.communicate()
        assert process.returncode == 0, (arguments, printed.decode())
        return printed.decode()

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        environment = {**os.environ, "HOME": str(self._folder), "XDG_CONFIG_HOME": str(self._folder), "NO_COLOR": "1"}
        return await asyncio.create_subprocess_exec(
            self._program,
            *arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
        )
