"""A request of an app as its handler sees it: decimal ids, and parameters in each of the forms that apps use."""

from __future__ import annotations

import time
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from server.edge.api_request import RESPONSE_HEADERS, ApiRequest
from server.edge.problem import ProblemError, invalid
from server.identity.rate_limits import Charge
from server.mastodon import ids
from server.mastodon.paging import Page, link_header
from server.mastodon.parameters import Parameters, nested
from server.media.multipart import FormParser, MultipartError, PartBegin, PartData
from storage.render.timestamps import timestamp_of

M = TypeVar("M", bound=BaseModel)

_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_MAX_PARTS = 100


class MastodonRequest(ApiRequest):
    """A request and its viewer."""

    __slots__ = ()

    def id(self, name: str = "id") -> int:
        """Return an id from the path; raise `NotFoundError`."""
        return ids.parse_id(self.http.match_info[name])

    def status_ref(self, name: str = "id") -> ids.StatusRef:
        """Return the photo or comment that the path names; raise `NotFoundError`."""
        return ids.parse_status(self.http.match_info[name])

    def query(self, model: type[M]) -> M:
        """Return the query parameters; raise a 400 that names the invalid ones."""
        try:
            return model.model_validate(self._query_parameters())
        except ValidationError as error:
            raise invalid(error, status=400) from error

    async def form(self, model: type[M]) -> M:
        """Return the parameters of the body and the query; raise a 400, 408, 413, 415 or 422."""
        return self.fitted(model, await self._body_parameters())

    def fitted(self, model: type[M], body: Parameters) -> M:
        """Return the parameters of a body that was read, and those of the query; raise a 422."""
        given = {**self._query_parameters(), **body}
        # Apps send null for what they leave out.
        return model.model_validate({name: value for name, value in given.items() if value is not None})

    def report_rate_limit(self, charge: Charge) -> None:
        """Add what is left of a rate limit to the response, also in the header fields of Mastodon."""
        super().report_rate_limit(charge)
        reset = int((time.time() + charge.quota.reset_after) * 1000)
        self.http[RESPONSE_HEADERS] |= {
            "X-RateLimit-Limit": str(charge.policy.limit),
            "X-RateLimit-Remaining": str(charge.quota.remaining),
            "X-RateLimit-Reset": timestamp_of(reset),
        }

    def page_response(self, entities: list[dict[str, Any]], page: Page, url: str, **options: Any) -> web.Response:
        """Return a page of entities with the header `Link`; `url` is that of this installation."""
        response = respond(entities)
        link = link_header(url + self.http.path.rstrip("/"), self.http.rel_url.raw_query_string, page, **options)
        if link is not None:
            response.headers["Link"] = link
        return response

    def _query_parameters(self) -> Parameters:
        return nested(parse_qsl(self.http.rel_url.raw_query_string, keep_blank_values=True))

    async def _body_parameters(self) -> Parameters:
        kind = self.http.content_type if self.http.body_exists else _FORM
        if kind == "application/json":
            return await self._json()
        if kind == _FORM:
            return nested(parse_qsl((await self.read_body()).decode(errors="replace"), keep_blank_values=True))
        if kind == _MULTIPART:
            return texts_of(self.http.headers.get("Content-Type", ""), await self.read_body())
        # An app that sends a body of another type sends nothing that could be read.
        raise ProblemError(415, "unsupported_media_type", "Send a form or JSON.")

    async def _json(self) -> Parameters:
        raw = await self.read_body()
        try:
            value = orjson.loads(raw) if raw else {}
        except orjson.JSONDecodeError as error:
            raise ProblemError(400, "malformed_json", f"The body is not valid JSON: {error}.") from error
        if not isinstance(value, dict):
            raise ProblemError(422, "invalid_input", "The body must be a JSON object.")
        return value


def texts_of(content_type: str, body: bytes) -> Parameters:
    """Return the text fields of a multipart form that is in memory."""
    parser, pairs = FormParser(content_type, max_parts=_MAX_PARTS), []
    try:
        for event in parser.feed(body):
            if isinstance(event, PartBegin):
                pairs.append((event.name, bytearray()))
            elif isinstance(event, PartData):
                pairs[-1][1].extend(event.data)
    except MultipartError as error:
        raise ProblemError(400, "malformed_form", str(error)) from error
    if not parser.ended:
        raise ProblemError(400, "malformed_form", "The form ended before its final boundary. Send it again.")
    return nested((name, value.decode(errors="replace")) for name, value in pairs)


def respond(entity: Any, *, status: int = 200) -> web.Response:
    """Return a response with an entity, or a list of them."""
    return web.Response(body=orjson.dumps(entity), status=status, content_type="application/json")
