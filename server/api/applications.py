"""`/oauth/applications`, the applications of a developer, and `/oauth/authorization`, the answer of their users."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from server.actions import applications, authorizations
from server.actions.applications import ApplicationActions, Registered
from server.actions.authorizations import AuthorizationActions
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import Endpoint
from server.edge.oauth_requests import ApplicationCreate, ApplicationUpdate, AuthorizationAnswer
from server.edge.oauth_responses import (
    ApplicationResponse,
    ApplicationsResponse,
    AuthorizationAnswerResponse,
    AuthorizationResponse,
)
from server.identity.errors import AuthorizationRefusedError
from storage.stores.credentials.oauth_clients import ApplicationFields

_TAG = "applications"
_ALL = "/oauth/applications"
_ONE = f"{_ALL}/{{id}}"
_AUTHORIZATION = "/oauth/authorization"


class ApplicationsApi:
    """Register, change and delete applications, and answer their requests."""

    def __init__(self, actions: ApplicationActions, authorization: AuthorizationActions) -> None:
        self._actions = actions
        self._authorization = authorization

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of these resources."""
        return [*self._all_endpoints(), *self._one_endpoints(), *self._authorization_endpoints()]

    def _all_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=_ALL,
                handler=self.list_,
                summary="List the applications that you have registered",
                tag=_TAG,
                response=ApplicationsResponse,
            ),
            Endpoint(
                method="POST",
                path=_ALL,
                handler=self.create,
                summary="Register an application",
                tag=_TAG,
                quota=applications.QUOTA,
                stores=True,
                body=ApplicationCreate,
                status=201,
                response=ApplicationResponse,
                errors=(409,),
            ),
        ]

    def _one_endpoints(self) -> list[Endpoint]:
        one = partial(Endpoint, path=_ONE, tag=_TAG, errors=(404,))
        change = partial(one, quota=applications.QUOTA, recent_proof=True)
        return [
            one(
                method="GET",
                handler=self.get,
                summary="Read an application that you have registered",
                response=ApplicationResponse,
            ),
            change(
                method="PUT",
                handler=self.update,
                summary="Change an application that you have registered",
                body=ApplicationUpdate,
                response=ApplicationResponse,
            ),
            change(
                method="DELETE",
                handler=self.delete,
                summary="Delete an application; the tokens of its users end",
                status=204,
            ),
            change(
                method="POST",
                path=f"{_ONE}/secret",
                handler=self.renew_secret,
                summary="Replace the secret of your application, at once",
                status=201,
                response=ApplicationResponse,
            ),
        ]

    def _authorization_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=_AUTHORIZATION,
                handler=self.asked,
                summary="Read what an application asks for, with the query of its request for authorization",
                tag=_TAG,
                response=AuthorizationResponse,
            ),
            Endpoint(
                method="POST",
                path=_AUTHORIZATION,
                handler=self.answer,
                summary="Approve or deny what an application asks for",
                tag=_TAG,
                quota=authorizations.QUOTA,
                body=AuthorizationAnswer,
                status=201,
                response=AuthorizationAnswerResponse,
                errors=(400,),
            ),
        ]

    async def list_(self, request: ApiRequest) -> web.Response:
        """Handle `GET /oauth/applications`."""
        found = await self._actions.of_owner(request.viewer.user_id)
        items = [ApplicationResponse.from_model(each) for each in found]
        return json_response(ApplicationsResponse(items=items).to_bytes())

    async def create(self, request: ApiRequest) -> web.Response:
        """Handle `POST /oauth/applications`."""
        form = await request.body(ApplicationCreate)
        registered = await self._actions.register(request.viewer.user_id, _fields(form), confidential=form.confidential)
        return _with_secret(registered)

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /oauth/applications/{id}`."""
        application = await self._actions.get(request.id(), owner_id=request.viewer.user_id)
        return json_response(ApplicationResponse.from_model(application).to_bytes())

    async def update(self, request: ApiRequest) -> web.Response:
        """Handle `PUT /oauth/applications/{id}`."""
        form = await request.body(ApplicationUpdate)
        updated = await self._actions.update(request.id(), _fields(form), owner_id=request.viewer.user_id)
        return json_response(ApplicationResponse.from_model(updated).to_bytes())

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /oauth/applications/{id}`."""
        await self._actions.delete(request.id(), owner_id=request.viewer.user_id)
        return empty_response()

    async def renew_secret(self, request: ApiRequest) -> web.Response:
        """Handle `POST /oauth/applications/{id}/secret`."""
        return _with_secret(await self._actions.renew_secret(request.id(), owner_id=request.viewer.user_id))

    async def asked(self, request: ApiRequest) -> web.Response:
        """Handle `GET /oauth/authorization`."""
        try:
            asked = await self._authorization.read(request.http.rel_url.raw_query_string)
        except AuthorizationRefusedError as error:
            if error.redirect_to is None:
                raise
            return json_response(AuthorizationResponse.of_problem(str(error), error.redirect_to).to_bytes())
        response = AuthorizationResponse.from_model(asked.application, asked.scopes, asked.redirect_uri)
        return json_response(response.to_bytes())

    async def answer(self, request: ApiRequest) -> web.Response:
        """Handle `POST /oauth/authorization`."""
        form = await request.body(AuthorizationAnswer)
        if form.approve:
            answer = await self._authorization.approve(request.viewer.user_id, form.request, client=request.client)
        else:
            answer = await self._authorization.deny(form.request)
        body = AuthorizationAnswerResponse(redirect_to=answer.redirect_to, code=answer.code)
        return json_response(body.to_bytes(), status=201)


def _fields(form: ApplicationUpdate) -> ApplicationFields:
    return ApplicationFields(
        name=form.name,
        website=form.website,
        redirect_uris=form.redirect_uris,
        scopes=form.scopes,
        refreshes=form.refreshes,
    )


def _with_secret(registered: Registered) -> web.Response:
    body = ApplicationResponse.from_model(registered.application, secret=registered.secret)
    return json_response(body.to_bytes(), status=201)
