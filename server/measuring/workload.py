"""Requests of users, one kind at a time: what a measurement lets an installation do."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image

from loadtest.community.pictures import DEFAULT, Pictures
from server.errors import ServerError

MEGAPIXELS = 12.5  # of the large photo
_SIZE = (4080, 3072)
_API = "/api/v1"
_AT_ONCE = 4
_PASSWORD = "measured by picshare plan"  # noqa: S105 - of accounts that exist for a minute, on a loopback port
_PAGE = 20  # photos
_READY_STEP, _READY_DEADLINE = 0.5, 120.0  # seconds


class MeasuringError(ServerError):
    """A request of the measurement was answered with an error."""


class Account:
    """An account of the measurement with its tokens."""

    def __init__(self, name: str, created: dict[str, Any]) -> None:
        self.name = name
        self.id: str = created["user"]["id"]
        self.token: str = created["access_token"]
        self.refresh_token: str = created["refresh_token"]


class Workload:
    """Clients of the installation at `api` and `live`, with accounts of their own.

    The first account owns the photos and is followed by all others.
    """

    def __init__(self, http: aiohttp.ClientSession, api: str, live: str) -> None:
        self._http = http
        self._api, self._live = api, live
        salt = secrets.token_hex(4)
        self._salt = salt
        self._small = Pictures.read(DEFAULT, salt)
        self._large = Pictures(_mosaic(DEFAULT), salt)
        self.accounts: list[Account] = []
        self._photos: list[str] = []
        self._likes: Iterable[tuple[Account, str]] = iter(())
        self._edges: Iterable[tuple[Account, Account]] = iter(())

    @classmethod
    @asynccontextmanager
    async def open(cls, api: str, live: str, *, accounts: int) -> AsyncIterator[Workload]:
        """Create the accounts, and let them follow the first one; the connections close at the end of the block."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_AT_ONCE)) as http:
            workload = cls(http, api, live)
            for number in range(accounts):
                name = f"plan{workload._salt}{number}"
                fields = {"username": name, "email": f"{name}@picshare.invalid", "password": _PASSWORD}
                created = await workload._call(None, "POST", "/users", json=fields)
                workload.accounts.append(Account(name, created))
            first, *others = workload.accounts
            await _several(workload._call(one, "PUT", f"/users/{first.id}/follow") for one in others)
            workload._edges = itertools.permutations(others, 2)
            yield workload

    async def upload(self, count: int) -> None:
        """Post small photos."""
        await self._post(self._small, count)
        self._likes = ((one, photo) for photo in list(self._photos) for one in self.accounts[1:])

    async def upload_large(self, count: int) -> None:
        """Post photos of `MEGAPIXELS`."""
        await self._post(self._large, count)

    async def like(self, count: int) -> None:
        """Like photos that were not liked by the same account yet."""
        pairs = list(itertools.islice(self._likes, count))
        await _several(self._call(one, "PUT", f"/photos/{photo}/like") for one, photo in pairs)

    async def follow(self, count: int) -> None:
        """Follow accounts for the first time."""
        pairs = list(itertools.islice(self._edges, count))
        await _several(self._call(one, "PUT", f"/users/{other.id}/follow") for one, other in pairs)

    async def comment(self, count: int) -> None:
        """Comment on the photos."""
        turns = zip(range(count), itertools.cycle(self._photos), itertools.cycle(self.accounts[1:]), strict=False)
        await _several(
            self._call(one, "POST", f"/photos/{photo}/comments", json={"text": "What a light!"})
            for _, photo, one in turns
        )

    async def page(self, count: int) -> None:
        """Read pages of the home feed."""
        readers = itertools.islice(itertools.cycle(self.accounts[1:]), count)
        await _several(self._call(one, "GET", f"/feed?limit={_PAGE}") for one in readers)

    async def refresh(self, count: int) -> None:
        """Exchange refresh tokens, as a client does at the beginning of a session."""
        await _several(self._refresh(one) for one in itertools.islice(itertools.cycle(self.accounts), count))

    async def connect(self, count: int) -> None:
        """Open live connections, and close each one once it is connected."""
        readers = itertools.islice(itertools.cycle(self.accounts[1:]), count)
        await _several(self._connect(one) for one in readers)

    async def _post(self, pictures: Pictures, count: int) -> None:
        """Post photos, and wait until others see them. Looking costs little: most are ready at the first look."""
        known = len(self._photos)
        await _several(self._upload(pictures) for _ in range(count))
        async with asyncio.timeout(_READY_DEADLINE):
            for photo in self._photos[known:]:
                while not await self._is_ready(photo):  # noqa: ASYNC110 - another process makes it so
                    await asyncio.sleep(_READY_STEP)

    async def _is_ready(self, photo: str) -> bool:
        headers = {"Authorization": f"Bearer {self.accounts[1].token}"}
        async with self._http.get(f"{self._api}{_API}/photos/{photo}", headers=headers) as response:
            return response.status == HTTPStatus.OK

    async def _upload(self, pictures: Pictures) -> None:
        form = aiohttp.FormData()
        form.add_field("file", BytesIO(pictures.next()), filename="picture.jpg", content_type="image/jpeg")
        photo = await self._call(self.accounts[0], "POST", "/photos", data=form)
        self._photos.append(photo["id"])

    async def _refresh(self, account: Account) -> None:
        fresh = await self._call(None, "POST", "/tokens/refresh", json={"refresh_token": account.refresh_token})
        account.token, account.refresh_token = fresh["access_token"], fresh["refresh_token"]

    async def _connect(self, account: Account) -> None:
        async with self._http.ws_connect(f"{self._live}/connection/websocket") as socket:
            await socket.send_str(json.dumps({"id": 1, "connect": {"token": account.token}}))
            reply = await socket.receive_str()
            if '"connect"' not in reply:
                raise MeasuringError(f"A live connection was answered with {reply[:200]}.")

    async def _call(self, account: Account | None, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {account.token}"} if account else {}
        async with self._http.request(method, f"{self._api}{_API}{path}", headers=headers, **options) as response:
            body = await response.read()
            if response.status >= 400:
                raise MeasuringError(f"{method} {path} was answered with {response.status}: {body[:300]!r}.")
            return json.loads(body) if body else None


async def _several(calls: Iterable[Awaitable[None]]) -> None:
    """Await the calls, a few at a time."""
    waiting = iter(calls)

    async def work() -> None:
        for call in waiting:
            await call

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())


def _mosaic(path: Path) -> bytes:
    """Return a JPEG of `MEGAPIXELS` that is covered with a photo in its own size, so that it has as much detail."""
    with Image.open(path) as photo:
        tile, image = photo.convert("RGB"), Image.new("RGB", _SIZE)
    for top in range(0, _SIZE[1], tile.height):
        for left in range(0, _SIZE[0], tile.width):
            image.paste(tile, (left, top))
    output = BytesIO()
    image.save(output, "JPEG", quality=90)
    return output.getvalue()


Action = Callable[[int], Awaitable[None]]
