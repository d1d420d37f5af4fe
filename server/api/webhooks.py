"""`/webhooks`: endpoints of subscribers, their attempts, and replays."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
from aiohttp import web

from server.actions.webhooks import QUOTA, WebhookActions
from server.edge.api_request import ApiRequest, empty_response, json_response, list_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.idempotency import Creation, Idempotency, created_response
from server.edge.paging import Cursors, Pager
from server.edge.responses import ListResponse
from server.edge.webhook_requests import (
    AttemptsQuery,
    WebhookCreate,
    WebhookReplay,
    WebhookSecretCreate,
    WebhookUpdate,
)
from server.edge.webhook_responses import (
    AttemptResponse,
    EventTypeResponse,
    EventTypesResponse,
    NewSecretResponse,
    ReplayResponse,
    WebhookResponse,
    WebhooksResponse,
)
from storage.postgres.database import Queryable, Transaction
from storage.postgres.reads import Reads
from storage.render.webhook import attempt_json
from storage.stores.webhooks import webhook_attempts, webhook_endpoints
from storage.webhooks import Attempt, EndpointState
from workers.webhooks.payloads import EVENT_TYPES, PAYLOADS

_TAG = "webhooks"
_ONE = "/webhooks/{id}"


class WebhooksApi:
    """The viewer's webhooks; one of another user is a 404."""

    def __init__(self, reads: Reads, cursors: Cursors, actions: WebhookActions, idempotency: Idempotency) -> None:
        self._reads = reads
        self._cursors = cursors
        self._actions = actions
        self._idempotency = idempotency

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [*self._of_all(), *self._of_one(), *self._of_verification(), *self._of_attempts()]

    def _of_all(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path="/webhooks",
                handler=self.list_,
                summary="List your webhooks",
                tag=_TAG,
                response=WebhooksResponse,
            ),
            Endpoint(
                method="POST",
                path="/webhooks",
                handler=self.create,
                summary="Create a webhook and send it a ping",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                body=WebhookCreate,
                status=201,
                response=NewSecretResponse,
                errors=(409,),
                idempotent=True,
                recent_proof=True,
            ),
            Endpoint(
                method="GET",
                path="/webhooks/event-types",
                handler=self.event_types,
                summary="List the types of events, with the schemas of their messages",
                tag=_TAG,
                auth=Auth.OPTIONAL,
                response=EventTypesResponse,
            ),
        ]

    def _of_one(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=_ONE,
                handler=self.get,
                summary="Get your webhook",
                tag=_TAG,
                response=WebhookResponse,
                errors=(404,),
            ),
            Endpoint(
                method="PATCH",
                path=_ONE,
                handler=self.edit,
                summary="Edit your webhook, pause it, or let it go on",
                tag=_TAG,
                quota=QUOTA,
                body=WebhookUpdate,
                response=WebhookResponse,
                errors=(404, 409),
            ),
            Endpoint(
                method="DELETE",
                path=_ONE,
                handler=self.delete,
                summary="Delete your webhook",
                tag=_TAG,
                quota=QUOTA,
                status=204,
                errors=(404,),
            ),
        ]

    def _of_verification(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="POST",
                path=f"{_ONE}/ping",
                handler=self.ping,
                summary="Send a ping, whose challenge the receiver has to return",
                tag=_TAG,
                quota=QUOTA,
                status=202,
                errors=(404, 409),
            ),
            Endpoint(
                method="POST",
                path=f"{_ONE}/secret",
                handler=self.replace_secret,
                summary="Replace the secret; the present one signs for a day, too",
                tag=_TAG,
                quota=QUOTA,
                body=WebhookSecretCreate,
                response=NewSecretResponse,
                errors=(404,),
                recent_proof=True,
            ),
        ]

    def _of_attempts(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=f"{_ONE}/attempts",
                handler=self.attempts,
                summary="List the attempts of the last 30 days, newest first",
                tag=_TAG,
                query=AttemptsQuery,
                response=ListResponse[AttemptResponse],
                errors=(404,),
            ),
            Endpoint(
                method="POST",
                path=f"{_ONE}/attempts/{{attempt}}/replay",
                handler=self.replay_attempt,
                summary="Send the message of an attempt again, with the same id",
                tag=_TAG,
                quota=QUOTA,
                status=202,
                errors=(404, 409),
            ),
            Endpoint(
                method="POST",
                path=f"{_ONE}/replay",
                handler=self.replay,
                summary="Send messages again, all since a time or those that have failed",
                tag=_TAG,
                quota=QUOTA,
                body=WebhookReplay,
                status=202,
                response=ReplayResponse,
                errors=(404, 409),
            ),
        ]

    async def list_(self, request: ApiRequest) -> web.Response:
        """Handle `GET /webhooks`."""
        viewer_id = request.viewer.user_id
        found = await self._reads.read(viewer_id, lambda db: webhook_endpoints.of_owner(db, viewer_id))
        return json_response(WebhooksResponse(items=[WebhookResponse.from_model(one) for one in found]).to_bytes())

    async def create(self, request: ApiRequest) -> web.Response:
        """Handle `POST /webhooks`."""
        form = await request.body(WebhookCreate)
        await self._actions.check_url(form.url)

        async def create(tx: Transaction) -> bytes:
            made = await self._actions.create(
                tx,
                request.viewer.user_id,
                url=form.url,
                description=form.description,
                types=form.types,
                scope=form.scope,
                ordered=form.ordered,
                moderation=form.moderation,
                signing=form.signing,
            )
            return NewSecretResponse.from_model(made).to_bytes()

        return created_response(
            await self._idempotency.create(Creation.of(request), orjson.dumps(form.model_dump()), create)
        )

    async def event_types(self, request: ApiRequest) -> web.Response:
        """Handle `GET /webhooks/event-types`."""
        del request
        items = [
            EventTypeResponse(
                type=name, description=PAYLOADS[name].__doc__ or "", json_schema=PAYLOADS[name].model_json_schema()
            )
            for name in EVENT_TYPES
        ]
        return json_response(EventTypesResponse(items=items).to_bytes())

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /webhooks/{id}`."""
        endpoint_id, viewer_id = request.id(), request.viewer.user_id
        found = await self._reads.read(viewer_id, lambda db: webhook_endpoints.get(db, endpoint_id, owner_id=viewer_id))
        return json_response(WebhookResponse.from_model(found).to_bytes())

    async def edit(self, request: ApiRequest) -> web.Response:
        """Handle `PATCH /webhooks/{id}`."""
        endpoint_id, form = request.id(), await request.body(WebhookUpdate)
        edited = await self._actions.edit(
            request.viewer.user_id,
            endpoint_id,
            url=form.url,
            description=form.description,
            types=form.types,
            ordered=form.ordered,
            moderation=form.moderation,
            state=None if form.state is None else EndpointState(form.state),
        )
        return json_response(WebhookResponse.from_model(edited).to_bytes())

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /webhooks/{id}`."""
        await self._actions.delete(request.viewer.user_id, request.id())
        return empty_response()

    async def ping(self, request: ApiRequest) -> web.Response:
        """Handle `POST /webhooks/{id}/ping`."""
        await self._actions.ping(request.viewer.user_id, request.id())
        return empty_response(202)

    async def replace_secret(self, request: ApiRequest) -> web.Response:
        """Handle `POST /webhooks/{id}/secret`."""
        endpoint_id, form = request.id(), await request.body(WebhookSecretCreate)
        changed = await self._actions.replace_secret(request.viewer.user_id, endpoint_id, signing=form.signing)
        return json_response(NewSecretResponse.from_model(changed).to_bytes())

    async def attempts(self, request: ApiRequest) -> web.Response:
        """Handle `GET /webhooks/{id}/attempts`."""
        endpoint_id, query, viewer_id = request.id(), request.query(AttemptsQuery), request.viewer.user_id
        pager = Pager(self._cursors, f"attempts of {endpoint_id}")
        before, limit, failed_only = pager.before(query.cursor), query.limit + 1, query.only is not None

        async def attempts(db: Queryable) -> list[Attempt]:
            await webhook_endpoints.get(db, endpoint_id, owner_id=viewer_id)
            return await webhook_attempts.page(db, endpoint_id, before=before, limit=limit, failed_only=failed_only)

        found = await self._reads.read(viewer_id, attempts)
        page, next_cursor = pager.cut(found, query.limit, lambda attempt: attempt.id)
        return list_response([attempt_json(one) for one in page], next_cursor)

    async def replay_attempt(self, request: ApiRequest) -> web.Response:
        """Handle `POST /webhooks/{id}/attempts/{attempt}/replay`."""
        await self._actions.replay_attempt(request.viewer.user_id, request.id(), request.id("attempt"))
        return empty_response(202)

    async def replay(self, request: ApiRequest) -> web.Response:
        """Handle `POST /webhooks/{id}/replay`."""
        endpoint_id, form = request.id(), await request.body(WebhookReplay)
        replayed = await self._actions.replay(
            request.viewer.user_id,
            endpoint_id,
            since=form.since,
            failed_only=form.failed_only,
            now=datetime.now(UTC),
        )
        body = ReplayResponse(replayed=replayed.messages, more=replayed.more).to_bytes()
        return json_response(body, status=202)
