"""`/tags`: the tags that the viewer follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from server.actions.tags import QUOTA, TagActions
from server.edge.api_request import ApiRequest, empty_response, list_response
from server.edge.endpoint import Endpoint
from server.edge.problem import bad_field
from server.edge.responses import ListResponse, TagResponse
from storage import texts
from storage.postgres.reads import Reads
from storage.stores.social import tag_follows


class TagsApi:
    """Follow, unfollow and list tags."""

    def __init__(self, reads: Reads, actions: TagActions) -> None:
        self._reads = reads
        self._actions = actions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/tags/followed",
                handler=self.followed,
                summary="List the tags that you follow, in alphabetical order",
                tag="tags",
                response=ListResponse[TagResponse],
            ),
            self._change("PUT", self._actions.follow, "Follow a tag: its photos are in the feed of followed tags"),
            self._change("DELETE", self._actions.unfollow, "Unfollow a tag"),
        ]

    async def followed(self, request: ApiRequest) -> web.Response:
        """Handle `GET /tags/followed`."""
        viewer_id = request.viewer.user_id
        tags = await self._reads.read(viewer_id, lambda db: tag_follows.followed(db, viewer_id))
        return list_response([TagResponse(tag=tag).to_bytes() for tag in tags], None)

    def _change(self, method: str, action: Callable[[int, str], Awaitable[None]], summary: str) -> Endpoint:
        async def handler(request: ApiRequest) -> web.Response:
            await action(request.viewer.user_id, _tag(request))
            return empty_response()

        return Endpoint(
            method=method,
            path="/tags/{tag}/follow",
            handler=handler,
            summary=summary,
            tag="tags",
            quota=QUOTA,
            stores=method == "PUT",
            status=204,
            errors=(409,) if method == "PUT" else (),
        )


def _tag(request: ApiRequest) -> str:
    try:
        return texts.tag(request.http.match_info["tag"], max_letters=texts.MAX_TAG_LENGTH)
    except ValueError as error:
        raise bad_field("tag", str(error)) from error
