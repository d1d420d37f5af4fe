"""`/push`: the key with which browsers subscribe to push messages, and their subscriptions."""

from __future__ import annotations

from aiohttp import web

from server.actions.push import QUOTA, PushActions
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.problem import bad_field
from server.edge.push_requests import PushSubscribe
from server.edge.push_responses import PushKeyResponse, PushSubscriptionResponse
from workers.outbound.errors import UrlRefusedError
from workers.web_push.keys import parse_auth, parse_browser_key

_TAG = "push"


class PushApi:
    """Subscribe the viewer's browser, and end its subscription."""

    def __init__(self, actions: PushActions) -> None:
        self._actions = actions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/push/key",
                handler=self.key,
                summary="Get the key with which a browser subscribes to push messages",
                tag=_TAG,
                auth=Auth.OPTIONAL,
                response=PushKeyResponse,
            ),
            Endpoint(
                method="POST",
                path="/push/subscriptions",
                handler=self.subscribe,
                summary="Subscribe your browser to push messages until you sign out; repeating it changes nothing",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                body=PushSubscribe,
                status=201,
                response=PushSubscriptionResponse,
                errors=(404, 409),
            ),
            Endpoint(
                method="DELETE",
                path="/push/subscriptions/{id}",
                handler=self.unsubscribe,
                summary="End a subscription of yours",
                tag=_TAG,
                quota=QUOTA,
                status=204,
                errors=(404,),
            ),
        ]

    async def key(self, _request: ApiRequest) -> web.Response:
        """Handle `GET /push/key`."""
        return json_response(PushKeyResponse(key=self._actions.public_key).to_bytes())

    async def subscribe(self, request: ApiRequest) -> web.Response:
        """Handle `POST /push/subscriptions`."""
        form = await request.body(PushSubscribe)
        try:
            subscription = await self._actions.subscribe(
                request.viewer.user_id,
                request.viewer.session,
                endpoint=form.endpoint,
                p256dh=parse_browser_key(form.keys.p256dh),
                auth=parse_auth(form.keys.auth),
                hide_content=form.hide_content,
            )
        except UrlRefusedError as error:
            raise bad_field("endpoint", str(error), status=422) from error
        return json_response(PushSubscriptionResponse.from_model(subscription).to_bytes(), status=201)

    async def unsubscribe(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /push/subscriptions/{id}`."""
        await self._actions.unsubscribe(request.viewer.user_id, request.id())
        return empty_response()
