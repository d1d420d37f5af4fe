"""`/moderation/{id}`: verdicts about a photo, by moderators and by services, and the photo as moderators get it."""

from __future__ import annotations

import orjson
from aiohttp import web

from server.actions.moderation import QUOTA, ModerationActions
from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import ApiRequest, json_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.moderation_requests import ModeratedPhotoResponse, VerdictCreate, VerdictResponse
from server.edge.problem import sign_in_required
from server.identity.rate_limiter import RateLimiter
from storage.render.moderation import decision_fields


class ModerationApi:
    """Give verdicts, and read a photo with the decisions about it."""

    def __init__(self, actions: ModerationActions, limiter: RateLimiter, serializer: PhotoSerializer) -> None:
        self._actions = actions
        self._limiter = limiter
        self._serializer = serializer

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/moderation/{id}",
                handler=self.decide,
                summary="Give a verdict about a photo, as a moderator or with the token of a message",
                tag="moderation",
                auth=Auth.OPTIONAL,
                quota=QUOTA,
                # A service sends many verdicts from one address. Its tokens are made by PicShare, one for each photo.
                guarded=False,
                body=VerdictCreate,
                response=VerdictResponse,
                errors=(401, 403, 404, 409, 410),
            ),
            Endpoint(
                method="GET",
                path="/moderation/{id}",
                handler=self.get,
                summary="Get a photo in any state, and the decisions about it, as a moderator",
                tag="moderation",
                response=ModeratedPhotoResponse,
                errors=(403, 404),
            ),
        ]

    async def decide(self, request: ApiRequest) -> web.Response:
        """Handle `POST /moderation/{id}`."""
        photo_id, form = request.id(), await request.body(VerdictCreate)
        if form.verdict_token is not None:
            decided = await self._actions.give_verdict(photo_id, form, token=form.verdict_token)
        else:
            if request.viewer_id is None:
                raise sign_in_required()
            viewer = request.viewer
            request.report_rate_limit(await self._limiter.check_user(QUOTA, viewer.user_id, viewer.session))
            decided = await self._actions.give_moderators_verdict(viewer.user_id, photo_id, form)
        return json_response(
            VerdictResponse(
                state=decided.state,
                moderation_state=decided.applied.state,
                applied=decided.applied.action is form.verdict.action,
            ).to_bytes()
        )

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /moderation/{id}`."""
        photo, decisions = await self._actions.look(request.viewer.user_id, request.id())
        json = self._serializer.serialize_for_review(photo)
        listed = orjson.dumps([decision_fields(decision) for decision in decisions])
        return json_response(b'{"photo":%b,"decisions":%b}' % (json, listed))
