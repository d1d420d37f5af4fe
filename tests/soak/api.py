"""The client of the REST API for the soak, in which any request may fail at any time."""

from __future__ import annotations

from typing import Any

import aiohttp

REQUEST_ERRORS = (aiohttp.ClientError, OSError, TimeoutError)


class Api:
    """Sends requests with a token; any failure, also a status other than 2xx, raises one of `REQUEST_ERRORS`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/api/v1"

    async def call(self, token: str, method: str, path: str, **options: Any) -> Any:
        """Send a request and return the JSON of its response, None if it has none."""
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        async with self._session.request(method, self._url + path, headers=headers, **options) as response:
            response.raise_for_status()
            return await response.json() if response.status != 204 else None

    async def read_all(self, token: str, name: str) -> list[dict[str, Any]]:
        """Return all items of a list, page by page."""
        items: list[dict[str, Any]] = []
        query = {"limit": "100"}
        while True:
            page = await self.call(token, "GET", f"/{name}", params=query)
            items += page["items"]
            if page["next"] is None:
                return items
            query = {"limit": "100", "cursor": page["next"]}
