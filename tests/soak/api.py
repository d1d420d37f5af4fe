"""The REST API as the soak uses it: any request may fail at any time, and says so."""

from __future__ import annotations

from typing import Any

import aiohttp

TROUBLE = (aiohttp.ClientError, OSError, TimeoutError)


class Api:
    """Requests with a token; whatever goes wrong, an answer other than 2xx included, is one of `TROUBLE`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/api/v1"

    async def call(self, token: str, method: str, path: str, **options: Any) -> Any:
        """Send a request and return the document of its answer, None where there is none."""
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        async with self._session.request(method, self._url + path, headers=headers, **options) as answer:
            answer.raise_for_status()
            return await answer.json() if answer.status != 204 else None

    async def read_all(self, token: str, name: str) -> list[dict[str, Any]]:
        """Return a whole list, page by page."""
        items: list[dict[str, Any]] = []
        query = {"limit": "100"}
        while True:
            page = await self.call(token, "GET", f"/{name}", params=query)
            items += page["items"]
            if page["next"] is None:
                return items
            query = {"limit": "100", "cursor": page["next"]}
