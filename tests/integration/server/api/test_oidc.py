"""Sign-in with a provider over the API: what a browser does, and what attackers try."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
import pytest_asyncio
from yarl import URL

from server.edge.provider_responses import IdentitiesResponse, ProvidersResponse
from storage import ids
from storage.stores.accounts import account_restrictions, email_addresses, users
from storage.stores.credentials import identities
from tests.integration.server.api.test_account_security import Phone
from tests.support.api import Api, InspectableServices, running_api, with_accounts, with_limits, with_providers
from tests.support.api_user import API, PASSWORD, ApiUser, Response
from tests.support.community import topics
from tests.support.issuer import ADA, Issuer, running_issuer

pytestmark = pytest.mark.engines

COOKIE = "picshare_oidc"


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """A provider that is honest unless a test changes it."""
    async with running_issuer() as running:
        yield running


@pytest_asyncio.fixture
async def provided(services: InspectableServices, issuer: Issuer) -> AsyncIterator[Api]:
    """An API with sign-in with that provider."""
    async with running_api(with_providers(services, issuer.settings)) as api:
        yield api


class Browser:
    """A browser: it keeps cookies, and follows no redirect by itself."""

    def __init__(self, api: Api, issuer: Issuer) -> None:
        self.api = api
        self.issuer = issuer
        self.cookies: dict[str, str] = {}

    async def request(self, method: str, path: str, **options: Any) -> Response:
        """Send a request with the cookies, and keep those of the response."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if "picshare_csrf" in self.cookies:
            headers["X-CSRF-Token"] = self.cookies["picshare_csrf"]
        async with self.api.session.request(
            method, self.api.url + path, headers=headers, allow_redirects=False, **options
        ) as response:
            for field in response.headers.getall("Set-Cookie", []):
                for name, morsel in SimpleCookie(field).items():
                    self.cookies[name] = morsel.value
                    if morsel["max-age"] == "0":
                        del self.cookies[name]
            return Response(response.status, response.headers, await response.read())

    async def start(self) -> str:
        """Go to the provider and sign in there; return the path to which it sends the browser back."""
        response = await self.request("GET", f"{API}/oidc/id/start")
        assert response.status == 303
        return _path(self.issuer.authorize(response.headers["Location"]))

    async def arrive(self) -> str:
        """Sign in at the provider and come back; return the page that is opened then."""
        return await self.come_back(await self.start())

    async def come_back(self, path: str) -> str:
        """Open a path to which the provider has sent the browser; return the page that is opened then."""
        response = await self.request("GET", path)
        assert response.status == 303
        return response.headers["Location"]

    async def finish(self, **fields: Any) -> Response:
        """End the sign-in as the page does."""
        return await self.request("POST", f"{API}/oidc/sessions", json={"cookie": True, **fields})

    async def sign_up(self, username: str) -> dict[str, Any]:
        """Sign in at the provider and create an account; return it."""
        assert await self.arrive() == "/signin/provider"
        created = await self.finish(username=username, email=f"{username}@picshare.example")
        user: dict[str, Any] = created.expect(201)["user"]
        return user

    async def start_link(self) -> str:
        """Ask to link the provider, and sign in there; return the path to which it sends the browser back."""
        response = await self.request("POST", f"{API}/users/me/identities/id")
        return _path(self.issuer.authorize(response.expect(201)["url"]))


def _path(url: str) -> str:
    return str(URL(url).relative())


async def of_user(api: Api, issuer: Issuer, user: ApiUser) -> Browser:
    """Return a browser in which a user is signed in with the password."""
    browser = Browser(api, issuer)
    form = {"username": user.name, "password": PASSWORD, "cookie": True}
    (await browser.request("POST", f"{API}/tokens", json=form)).expect(201)
    return browser


async def test_a_new_user_signs_up_and_signs_in(provided: Api, issuer: Issuer) -> None:
    """The provider's names are suggested; afterwards the identity leads to the account, in any browser."""
    listed = (await provided.visitor.call("GET", "/oidc/providers")).expect(200)
    assert ProvidersResponse.model_validate(listed).model_dump() == {"items": [{"name": "id", "label": "Example ID"}]}
    browser = Browser(provided, issuer)
    assert await browser.arrive() == "/signin/provider"
    asked = (await browser.finish()).expect(409)
    assert asked["code"] == "account_required"
    said = [asked[name] for name in ("provider", "email", "email_verified", "display_name", "username")]
    assert said == ["id", "ada@id.example", True, "Ada Lovelace", "ada"]
    assert (await browser.finish(username="ada")).expect(422)["code"] == "invalid_input"
    taken = await provided.user()
    assert (await browser.finish(username=taken.name, email="ada@id.example")).expect(409)["code"] == "username_taken"
    fields = {"username": "ada.l", "email": "ada@id.example", "display_name": "Ada"}
    user = (await browser.finish(**fields)).expect(201)["user"]
    assert (user["username"], user["display_name"], user["email"]) == ("ada.l", "Ada", "ada@id.example")
    assert COOKIE not in browser.cookies
    assert (await browser.request("GET", f"{API}/users/me")).expect(200)["id"] == user["id"]
    # The provider has verified the address, so that no mail has to.
    assert await email_addresses.claimant(provided.services.db, "ada@id.example") == ids.decode(user["id"])
    linked = (await browser.request("GET", f"{API}/users/me/identities")).expect(200)
    assert IdentitiesResponse.model_validate(linked).password is False
    assert [(item["provider"], item["label"], item["email"]) for item in linked["items"]] == [
        ("id", "Example ID", "ada@id.example")
    ]
    assert (await browser.finish()).expect(410)["code"] == "sign_in_expired"
    second = Browser(provided, issuer)
    await second.arrive()
    assert (await second.finish()).expect(201)["user"]["id"] == user["id"]


async def test_an_account_without_a_password_has_none(provided: Api, issuer: Issuer) -> None:
    """No password opens it, its only identity cannot be removed, and it is deleted without a password."""
    browser = Browser(provided, issuer)
    user = await browser.sign_up("ada")
    for password in ("decoy", "", " ", PASSWORD):
        refused = await provided.visitor.call("POST", "/tokens", json={"username": "ada", "password": password})
        assert refused.status in {401, 422}
    refused = await browser.request("DELETE", f"{API}/users/me/identities/id")
    assert refused.expect(409)["code"] == "last_sign_in_method"
    assert (await browser.request("DELETE", f"{API}/users/me/identities/other")).expect(404)["code"] == (
        "provider_not_found"
    )
    (await browser.request("DELETE", f"{API}/users/me", json={})).expect(202)
    await browser.arrive()
    assert (await browser.finish()).expect(403)["code"] == "deletion_pending"
    assert (await browser.finish(restore=True)).expect(201)["user"]["id"] == user["id"]


async def test_a_deleted_account_frees_its_identity(services: InspectableServices, issuer: Issuer) -> None:
    """After a deletion for good the same identity can have another account, and no row is left."""
    async with running_api(with_accounts(with_providers(services, issuer.settings), deletion_grace=0)) as api:
        browser = Browser(api, issuer)
        first = await browser.sign_up("ada")
        (await browser.request("DELETE", f"{API}/users/me", json={})).expect(202)
        for table in ("identities", "account_identities"):
            assert await services.db.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608
        assert (await browser.sign_up("ada"))["id"] != first["id"]


async def test_a_suspended_account_gets_a_restricted_token(provided: Api, issuer: Issuer) -> None:
    """As with a password."""
    browser = Browser(provided, issuer)
    user = await browser.sign_up("ada")
    async with provided.services.db.transaction() as tx:
        await account_restrictions.suspend(tx, ids.decode(user["id"]))
    await browser.arrive()
    refused = (await browser.finish()).expect(403)
    assert (refused["code"], "access_token" in refused) == ("account_suspended", True)


async def test_an_account_with_a_password_links_and_unlinks(provided: Api, issuer: Issuer) -> None:
    """A linked identity signs in to it, and an unlinked one does not; each belongs to one account."""
    ann, bob = await provided.user(), await provided.user()
    browser = await of_user(provided, issuer, ann)
    assert await browser.come_back(await browser.start_link()) == "/settings/provider"
    linked = (await browser.request("POST", f"{API}/users/me/identities")).expect(201)
    assert (linked["provider"], linked["email"]) == ("id", "ada@id.example")
    assert (await browser.request("POST", f"{API}/users/me/identities")).expect(410)["code"] == "sign_in_expired"
    other = Browser(provided, issuer)
    await other.arrive()
    assert (await other.finish()).expect(201)["user"]["id"] == ann.id

    await browser.come_back(await browser.start_link())
    (await browser.request("POST", f"{API}/users/me/identities")).expect(201)
    issuer.user = {"sub": "another"}
    await browser.come_back(await browser.start_link())
    assert (await browser.request("POST", f"{API}/users/me/identities")).expect(409)["code"] == "provider_linked"
    issuer.user = dict(ADA)
    bobs = await of_user(provided, issuer, bob)
    await bobs.come_back(await bobs.start_link())
    assert (await bobs.request("POST", f"{API}/users/me/identities")).expect(409)["code"] == "identity_taken"

    (await browser.request("DELETE", f"{API}/users/me/identities/id")).expect(204)
    assert (await browser.request("DELETE", f"{API}/users/me/identities/id")).expect(404)["code"] == (
        "identity_not_found"
    )
    await other.arrive()
    assert (await other.finish()).expect(409)["code"] == "account_required"


async def test_a_link_is_for_the_user_who_asked_for_it(provided: Api, issuer: Issuer) -> None:
    """Another one cannot use it, it opens no session, and it needs the CSRF token."""
    ann, bob = await provided.user(), await provided.user()
    browser = await of_user(provided, issuer, ann)
    await browser.come_back(await browser.start_link())
    assert (await browser.finish()).expect(410)["code"] == "sign_in_expired"
    bobs = await of_user(provided, issuer, bob)
    bobs.cookies[COOKIE] = browser.cookies[COOKIE]
    assert (await bobs.request("POST", f"{API}/users/me/identities")).expect(410)["code"] == "sign_in_expired"
    await bobs.arrive()
    # A sign-in that has ended at the provider links nothing either.
    assert (await bobs.request("POST", f"{API}/users/me/identities")).expect(410)["code"] == "sign_in_expired"
    del bobs.cookies["picshare_csrf"]
    assert (await bobs.request("POST", f"{API}/users/me/identities/id")).expect(403)["code"] == "csrf_token_missing"
    assert await identities.of_account(provided.services.db, ids.decode(bob.id)) == []


async def test_a_return_is_accepted_once_and_from_the_browser_that_was_sent(provided: Api, issuer: Issuer) -> None:
    """A return that another browser opens, a second time, or with a state of nobody, ends at the page with an error."""
    victim, attacker = Browser(provided, issuer), Browser(provided, issuer)
    # The attacker signs in, and lets the victim open the address of the return.
    path = await attacker.start()
    assert await victim.come_back(path) == "/signin/provider?error=expired"
    assert await attacker.come_back(path) == "/signin/provider?error=expired"
    await victim.start()
    assert await victim.come_back(await attacker.start()) == "/signin/provider?error=expired"
    path = await attacker.start()
    assert await attacker.come_back(path) == "/signin/provider"
    assert await attacker.come_back(path) == "/signin/provider?error=expired"
    for query in ("", "?state=x&code=y", f"?state={'x' * 5000}", "?state=%ff%00&code=%ff"):
        assert await victim.come_back(f"{API}/oidc/id/callback{query}") == "/signin/provider?error=expired"
    assert (await victim.finish()).expect(410)["code"] == "sign_in_expired"
    assert (await provided.visitor.call("GET", "/oidc/other/start")).expect(404)["code"] == "provider_not_found"
    assert (await provided.visitor.call("GET", "/oidc/other/callback")).expect(404)["code"] == "provider_not_found"


@pytest.mark.parametrize(
    ("knobs", "change", "error"),
    [
        ({"denies": True}, {}, "refused"),
        ({}, {"code": None}, "refused"),
        ({}, {"code": "another"}, "invalid"),
        ({}, {"iss": "https://other.example"}, "invalid"),
        ({"claims": {"nonce": "another"}}, {}, "invalid"),
        ({"metadata": {"authorization_response_iss_parameter_supported": True}}, {"iss": None}, "invalid"),
        ({"statuses": {"/token": 500}}, {}, "unavailable"),
    ],
)
async def test_what_a_provider_refuses_or_spoils_is_an_error_on_the_page(
    provided: Api, issuer: Issuer, knobs: dict[str, Any], change: dict[str, str | None], error: str
) -> None:
    """The user sees one of four reasons and may start again; nothing that the provider has sent is shown."""
    for name, value in knobs.items():
        setattr(issuer, name, value)
    browser = Browser(provided, issuer)
    path = URL(await browser.start())
    query = {name: change.get(name, value) for name, value in path.query.items()}
    back = str(path.with_query({name: value for name, value in query.items() if value is not None}))
    assert await browser.come_back(back) == f"/signin/provider?error={error}"
    assert (await browser.finish()).expect(410)["code"] == "sign_in_expired"


async def test_a_provider_that_is_down(provided: Api, issuer: Issuer) -> None:
    """The start leads to the page with an error, and a link is refused with one."""
    issuer.statuses = {"/.well-known/openid-configuration": 503}
    response = await Browser(provided, issuer).request("GET", f"{API}/oidc/id/start")
    assert (response.status, response.headers["Location"]) == (303, "/signin/provider?error=unavailable")
    user = await provided.user()
    assert (await user.call("POST", "/users/me/identities/id")).expect(503)["code"] == "provider_unavailable"
    issuer.statuses, issuer.metadata = {}, {"issuer": "https://other.example"}
    assert (await user.call("POST", "/users/me/identities/id")).expect(502)["code"] == "provider_invalid"


async def test_the_cookie_is_for_the_api_alone(provided: Api, issuer: Issuer) -> None:
    """Scripts cannot read it, and it is sent to no other path; no address to return to is taken from the request."""
    response = await Browser(provided, issuer).request("GET", f"{API}/oidc/id/start?next=//evil.example")
    (field,) = response.headers.getall("Set-Cookie")  # type: ignore[attr-defined]
    for part in ("HttpOnly", "SameSite=Lax", f"Path={API}", "Max-Age=600"):
        assert part in field
    query = URL(response.headers["Location"]).query
    assert query["redirect_uri"] == f"{provided.services.settings.public_url}{API}/oidc/id/callback"
    assert (query["scope"], query["code_challenge_method"]) == ("openid email profile", "S256")
    assert "evil" not in response.headers["Location"]


async def test_sign_ups_and_sign_ins_are_limited(services: InspectableServices, issuer: Issuer) -> None:
    """By the limits of those with a password."""
    limited = with_limits(with_providers(services, issuer.settings), sign_up_address="1/h", sign_in_address="2/h")
    async with running_api(limited) as api:
        browser = Browser(api, issuer)
        await browser.sign_up("ada")
        issuer.user = {"sub": "another"}
        await browser.arrive()
        refused = await browser.finish(username="eve", email="eve@picshare.example")
        assert refused.expect(429)["code"] == "too_many_requests"
        issuer.user = dict(ADA)
        for status in (201, 201, 429):
            await browser.arrive()
            assert (await browser.finish()).status == status


async def test_an_identity_of_a_provider_that_is_gone(services: InspectableServices, issuer: Issuer) -> None:
    """It is listed without a name, and counts as no way to sign in."""
    async with running_api(with_providers(services, issuer.settings)) as api:
        user = await Browser(api, issuer).sign_up("ada")
    account = await users.get(services.db, ids.decode(user["id"]))
    other = {**issuer.settings, "name": "other", "issuer": "https://other.example"}
    async with running_api(with_providers(services, other)) as api:
        token = api.tokens.issue(user_id=account.id, session="s", role=account.role)
        found = await api.get(f"{API}/users/me/identities", headers={"Authorization": f"Bearer {token}"})
        (item,) = found.expect(200)["items"]
        assert (item["provider"], item["label"]) == (None, None)


async def give_address(api: Api, user: ApiUser, email: str, *, verified: bool) -> None:
    """Let a user have an address as the only one; accounts of earlier versions have not proven theirs."""
    user_id = ids.decode(user.id)
    async with api.services.db.transaction() as tx:
        await tx.execute("UPDATE users SET email = $2 WHERE id = $1", user_id, email)
        assert await (email_addresses.verify if verified else email_addresses.claim)(tx, email, user_id)


@pytest.mark.parametrize(("here", "there"), [(True, True), (True, False), (False, True)])
async def test_an_identity_is_linked_by_an_address_that_both_sides_have_verified(
    provided: Api, issuer: Issuer, here: bool, there: bool
) -> None:
    """Otherwise whoever enters a foreign address at one of them would take over an account; the owner is notified."""
    owner = await provided.user()
    await give_address(provided, owner, "ada@id.example", verified=here)
    issuer.user["email_verified"] = there
    browser = Browser(provided, issuer)
    await browser.arrive()
    if here and there:
        assert (await browser.finish()).expect(201)["user"]["id"] == owner.id
        assert "security.noticed" in await topics(provided.services.db)
        issuer.user = {**ADA, "sub": "another"}
        await browser.arrive()
    # The account has an identity of this provider by now, or none may be linked with it.
    assert (await browser.finish()).expect(409)["code"] == "account_required"
    created = (await browser.finish(username="ada", email="ada@id.example")).expect(201)["user"]
    assert created["id"] != owner.id
    assert await email_addresses.claimant(provided.services.db, "ada@id.example") == ids.decode(owner.id)


async def test_a_second_factor_is_asked_for_after_the_provider(provided: Api, issuer: Issuer) -> None:
    """The identity alone opens no session then, and cannot be used again."""
    ann = await provided.user()
    phone = Phone(provided)
    await phone.set_up(ann)
    async with provided.services.db.transaction() as tx:
        await identities.add(tx, ids.decode(ann.id), issuer.url, str(ADA["sub"]), email="")
    browser = Browser(provided, issuer)
    await browser.arrive()
    asked = (await browser.finish()).expect(403)
    assert asked["code"] == "second_factor_required"
    assert (await browser.finish()).expect(410)["code"] == "sign_in_expired"
    answer = {"challenge": asked["challenge"], "code": await phone.next_code(), "cookie": True}
    assert (await browser.request("POST", f"{API}/tokens/second-factor", json=answer)).status == 201


async def test_links_need_a_proof(provided: Api, issuer: Issuer) -> None:
    """A thief of a session cannot add a way to sign in, nor remove one."""
    browser = await of_user(provided, issuer, await provided.user())
    await browser.come_back(await browser.start_link())
    (await browser.request("POST", f"{API}/users/me/identities")).expect(201)
    assert "security.noticed" in await topics(provided.services.db)
    await provided.services.db.fetch("UPDATE sessions SET authenticated_at = authenticated_at - interval '16 minutes'")
    for method in ("POST", "DELETE"):
        refused = await browser.request(method, f"{API}/users/me/identities/id")
        assert refused.expect(403)["code"] == "reauthentication_required"


async def test_a_passkey_is_another_way_to_sign_in(provided: Api, issuer: Issuer) -> None:
    """So the last identity of an account without a password may go."""
    browser = Browser(provided, issuer)
    user = await browser.sign_up("ada")
    path = f"{API}/users/me/identities/id"
    assert (await browser.request("DELETE", path)).expect(409)["code"] == "last_sign_in_method"
    async with provided.services.db.transaction() as tx:
        await tx.execute(
            "INSERT INTO passkeys (shard, user_id, id, credential_id, public_key, sign_count, transports, name) "
            "VALUES ($1::bigint & 1023, $1, $1, 'x', 'y', 0, '{}', 'z')",
            ids.decode(user["id"]),
        )
    (await browser.request("DELETE", path)).expect(204)
