"""Routes of links: oEmbed, the embedded form of a photo, the rules for crawlers and the sitemap."""

from __future__ import annotations

import orjson
from aiohttp import web

from locales.negotiation import accepted_language
from server.edge.api_request import ApiRequest, json_response
from server.edge.endpoint import Auth, Endpoint, Handler
from server.previews.embed_page import POLICY, embed_page
from server.previews.link_previews import OEMBED_PATH, LinkPreviews
from server.previews.oembed import OembedQuery, oembed
from server.previews.sitemap import Sitemap, robots_txt

_HOUR = {"Cache-Control": "public, max-age=3600"}


class LinkRoutes:
    """Endpoints outside `/api/v1`, for other sites and crawlers."""

    def __init__(self, previews: LinkPreviews, sitemap: Sitemap, public_url: str) -> None:
        self._previews = previews
        self._sitemap = sitemap
        self._public_url = public_url

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints by their whole paths."""
        return [
            self._endpoint(
                OEMBED_PATH, self.oembed, "Describe a link for a page that shows what it leads to (oEmbed 1.0)"
            ),
            self._endpoint("/p/{id}/embed", self.embed, "Show a photo in a frame of another site"),
            self._endpoint("/robots.txt", self.robots, "Get the rules for crawlers"),
            self._endpoint("/sitemap.xml", self.sitemap, "Get the pages that search engines may index"),
        ]

    async def oembed(self, request: ApiRequest) -> web.Response:
        """Handle `GET /oembed`."""
        language = _language_of(request)
        answer = await oembed(request.query(OembedQuery), self._previews, self._public_url, language)
        response = json_response(orjson.dumps(answer))
        response.headers.update(_in(language))
        # Scripts of any page may read what any program may.
        response.headers.update({**_HOUR, "Access-Control-Allow-Origin": "*"})
        return response

    async def embed(self, request: ApiRequest) -> web.Response:
        """Handle `GET /p/{id}/embed`."""
        language = _language_of(request)
        page = embed_page(await self._previews.photo(request.http.match_info["id"], language), language)
        headers = {
            "Content-Security-Policy": POLICY,
            "Cache-Control": "public, max-age=300",
            **_in(language),
        }
        return web.Response(text=page, content_type="text/html", headers=headers)

    async def robots(self, _request: ApiRequest) -> web.Response:
        """Handle `GET /robots.txt`."""
        return web.Response(text=robots_txt(self._public_url), content_type="text/plain", headers=_HOUR)

    async def sitemap(self, _request: ApiRequest) -> web.Response:
        """Handle `GET /sitemap.xml`."""
        return web.Response(text=await self._sitemap.text(), content_type="application/xml", headers=_HOUR)

    @staticmethod
    def _endpoint(path: str, handler: Handler, summary: str) -> Endpoint:
        return Endpoint(method="GET", path=path, handler=handler, summary=summary, tag="links", auth=Auth.NONE)


def _language_of(request: ApiRequest) -> str:
    """Return the language of a request by another site, for which the browser has no cookie of this one."""
    return accepted_language(request.http.headers.get("Accept-Language", ""))


def _in(language: str) -> dict[str, str]:
    """Return what caches have to know about a response in a language."""
    return {"Content-Language": language, "Vary": "Accept-Language"}
