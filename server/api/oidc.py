"""Sign-in with OpenID providers, and the identities that are linked with an account.

A sign-in has three steps: `start` sends the browser to the provider, `callback` receives it from there and sends it to
a page of the application, and that page ends the sign-in with a `POST`. A cookie that scripts cannot read binds all
three to one browser. No request has an address to return to, so none can be forged.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from aiohttp import web

from server.actions.provider_accounts import LINK_QUOTA, ProviderAccounts
from server.actions.provider_flow import MAX_PARAMETER, Arrival, Departure, outcome_of
from server.api.tokens import TokenResponses
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.authentication import ACCESS_COOKIE
from server.edge.endpoint import PREFIX, Auth, Endpoint
from server.edge.provider_requests import ProviderSignIn
from server.edge.provider_responses import (
    IdentitiesResponse,
    IdentityResponse,
    ProviderAddressResponse,
    ProviderResponse,
    ProvidersResponse,
)
from server.edge.responses import TokensResponse
from server.identity.errors import ProviderRefusedError, SignInExpiredError
from server.openid.errors import ProviderError
from storage.errors import UnavailableError
from storage.postgres.reads import Reads

COOKIE = "picshare_oidc"
SIGN_IN_PAGE, LINK_PAGE = "/signin/provider", "/settings/provider"


class OidcApi:
    """`/oidc` and `/users/me/identities`; with `secure` the cookie is sent over HTTPS alone."""

    def __init__(self, accounts: ProviderAccounts, reads: Reads, responses: TokenResponses, *, secure: bool) -> None:
        self._accounts = accounts
        self._flow = accounts.flow
        self._reads = reads
        self._responses = responses
        self._secure = secure

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [*self._sign_in_endpoints(), *self._identity_endpoints()]

    def _sign_in_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path="/oidc/providers",
                handler=self.providers,
                summary="List the providers with which users can sign in",
                tag="sign-in with providers",
                auth=Auth.NONE,
                response=ProvidersResponse,
            ),
            Endpoint(
                method="GET",
                path="/oidc/{provider}/start",
                handler=self.start,
                summary="Send the browser to a provider, to sign in there",
                tag="sign-in with providers",
                auth=Auth.NONE,
                status=303,
                errors=(404,),
            ),
            Endpoint(
                method="GET",
                path="/oidc/{provider}/callback",
                handler=self.callback,
                summary="Receive the browser from a provider, and send it to the page that ends the sign-in",
                tag="sign-in with providers",
                auth=Auth.NONE,
                status=303,
                errors=(404,),
            ),
            Endpoint(
                method="POST",
                path="/oidc/sessions",
                handler=self.sign_in,
                summary="Sign in as the user whom a provider has named, or create an account for that user",
                tag="sign-in with providers",
                auth=Auth.NONE,
                stores=True,
                body=ProviderSignIn,
                status=201,
                response=TokensResponse,
                errors=(401, 403, 409, 410),
            ),
        ]

    def _identity_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path="/users/me/identities",
                handler=self.identities,
                summary="List the providers that are linked with your account",
                tag="sign-in with providers",
                response=IdentitiesResponse,
            ),
            Endpoint(
                method="POST",
                path="/users/me/identities",
                handler=self.link,
                summary="Link the account that a provider has named with yours",
                tag="sign-in with providers",
                quota=LINK_QUOTA,
                stores=True,
                status=201,
                response=IdentityResponse,
                errors=(409, 410),
            ),
            Endpoint(
                method="POST",
                path="/users/me/identities/{provider}",
                handler=self.start_link,
                summary="Get the address at which to sign in with a provider, to link it with your account",
                tag="sign-in with providers",
                quota=LINK_QUOTA,
                status=201,
                response=ProviderAddressResponse,
                errors=(404, 502),
            ),
            Endpoint(
                method="DELETE",
                path="/users/me/identities/{provider}",
                handler=self.unlink,
                summary="Unlink a provider from your account, unless it is the only way to sign in",
                tag="sign-in with providers",
                quota=LINK_QUOTA,
                status=204,
                errors=(404, 409),
            ),
        ]

    async def providers(self, request: ApiRequest) -> web.Response:
        """Handle `GET /oidc/providers`."""
        del request
        items = [ProviderResponse(name=each.name, label=each.label) for each in self._flow.providers]
        return json_response(ProvidersResponse(items=items).to_bytes())

    async def start(self, request: ApiRequest) -> web.Response:
        """Handle `GET /oidc/{provider}/start`; what fails is shown on the page, because a browser opens this."""
        try:
            departure = await self._flow.depart(_provider(request))
        except (ProviderError, UnavailableError) as error:
            return self._to_page(SIGN_IN_PAGE, error=outcome_of(error))
        return self._with_cookie(_see(departure.url), departure)

    async def callback(self, request: ApiRequest) -> web.Response:
        """Handle `GET /oidc/{provider}/callback`."""
        cookies = request.http.cookies
        try:
            token, named = await self._flow.arrive(_provider(request), _arrival(request), browser=cookies.get(COOKIE))
        except (ProviderError, SignInExpiredError, ProviderRefusedError, UnavailableError) as error:
            page = LINK_PAGE if ACCESS_COOKIE in cookies else SIGN_IN_PAGE
            return self._to_page(page, error=outcome_of(error))
        response = self._to_page(SIGN_IN_PAGE if named.linked_to is None else LINK_PAGE)
        self._set_cookie(response, token)
        return response

    async def sign_in(self, request: ApiRequest) -> web.Response:
        """Handle `POST /oidc/sessions`."""
        form = await request.body(ProviderSignIn)
        token = request.http.cookies.get(COOKIE, "")
        if form.username is None or form.email is None:
            session = await self._accounts.sign_in(token, client=request.client, restore=form.restore)
        else:
            session = await self._accounts.sign_up(
                token,
                username=form.username,
                email=form.email,
                display_name=form.display_name,
                client=request.client,
            )
        await self._reads.keep_position(session.user.id)
        return self._without_cookie(self._responses.new_session(request, session, by_cookie=form.cookie))

    async def identities(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/identities`."""
        found, password = await self._accounts.linked(request.viewer.user_id)
        items = [IdentityResponse.from_model(each.identity, provider=each.provider, label=each.label) for each in found]
        return json_response(IdentitiesResponse(items=items, password=password).to_bytes())

    async def start_link(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/identities/{provider}`.

        It is no `GET`, which another page could cause: a user who is signed in at the provider as an attacker would
        link the attacker's account with the own one.
        """
        viewer = request.viewer
        departure = await self._accounts.start_link(_provider(request), viewer.user_id, viewer.session)
        body = ProviderAddressResponse(url=departure.url, expires_in=self._flow.sign_ins.ttl)
        return self._with_cookie(json_response(body.to_bytes(), status=201), departure)

    async def link(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/identities`."""
        token = request.http.cookies.get(COOKIE, "")
        linked = await self._accounts.link(token, request.viewer.user_id, client=request.client)
        body = IdentityResponse.from_model(linked.identity, provider=linked.provider, label=linked.label)
        return self._without_cookie(json_response(body.to_bytes(), status=201))

    async def unlink(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /users/me/identities/{provider}`."""
        await self._accounts.unlink(request.viewer.user_id, request.viewer.session, _provider(request))
        return empty_response()

    def _to_page(self, page: str, *, error: str | None = None) -> web.Response:
        if error is None:
            return _see(page)
        return self._without_cookie(_see(f"{page}?{urlencode({'error': error})}"))

    def _with_cookie(self, response: web.Response, departure: Departure) -> web.Response:
        self._set_cookie(response, departure.browser)
        return response

    def _set_cookie(self, response: web.Response, value: str) -> None:
        # Lax: the browser has to send it when it comes back from the provider, which is another site.
        response.set_cookie(
            COOKIE,
            value,
            max_age=self._flow.sign_ins.ttl,
            path=PREFIX,
            httponly=True,
            secure=self._secure,
            samesite="Lax",
        )

    def _without_cookie(self, response: web.Response) -> web.Response:
        response.del_cookie(COOKIE, path=PREFIX, secure=self._secure, samesite="Lax")
        return response


def _provider(request: ApiRequest) -> str:
    return request.http.match_info["provider"]


def _arrival(request: ApiRequest) -> Arrival:
    # Read here and not by a model of the query, whose values are kept in a cache: these are secrets.
    query = request.http.rel_url.query

    def value(name: str) -> str:
        text = query.get(name, "")
        return text if len(text) <= MAX_PARAMETER else ""

    return Arrival(state=value("state"), code=value("code"), error=value("error"), issuer=value("iss"))


def _see(address: str) -> web.Response:
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": address})
