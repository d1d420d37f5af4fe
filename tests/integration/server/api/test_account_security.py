"""The password, sessions, second factor and passkeys of an account, and the proofs that dangerous steps need."""

from __future__ import annotations

import base64
import time
import uuid
from http.cookies import SimpleCookie
from typing import Any

import pytest

from server.identity import totp
from server.identity.totp import PERIOD
from storage import events, ids
from storage.notifications import SecurityEvent, SecurityNotice
from storage.stores.credentials.passkeys import MOST
from storage.stores.notifications.security_notices import text_of
from tests.support.api import Api, InspectableServices, running_api, with_limits
from tests.support.api_user import PASSWORD, ApiUser, Response
from tests.support.authenticator import Authenticator

pytestmark = pytest.mark.engines

NEW_PASSWORD = "staple battery horse"
WRONG = "not this one, surely"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"


async def sign_in(api: Api, name: str, password: str = PASSWORD, **options: Any) -> Response:
    """Sign in."""
    return await api.visitor.call("POST", "/tokens", json={"username": name, "password": password}, **options)


async def another_session(api: Api, user: ApiUser) -> ApiUser:
    """Return the same user with a session of their own."""
    other = ApiUser(api.session, api.url, user.name)
    await other.sign_in()
    other.id = user.id
    return other


async def forget_proofs(api: Api) -> None:
    """Let all proofs be sixteen minutes old."""
    await api.services.db.fetch("UPDATE sessions SET authenticated_at = authenticated_at - interval '16 minutes'")


class Phone:
    """An authenticator application: it has the secret, and the codes that it shows are used in their order."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.secret = b""

    async def set_up(self, user: ApiUser) -> list[str]:
        """Turn the second factor on, and return the recovery codes."""
        begun = (await user.call("POST", "/users/me/totp")).expect(201)
        assert begun["secret"] in begun["uri"]
        assert begun["qr_svg"].startswith("<svg")
        self.secret = base64.b32decode(begun["secret"])
        path = "/users/me/totp/confirmation"
        codes: list[str] = (await user.call("POST", path, json={"code": self.code()})).expect(200)["recovery_codes"]
        return codes

    def code(self, offset: int = 0) -> str:
        """Return the code of the present step, or of one after it."""
        return totp.code_at(self.secret, int(time.time()) // PERIOD + offset)

    async def next_code(self) -> str:
        """Return a code that has not been used: time does not pass, so the used steps are forgotten."""
        await self._api.services.db.fetch("UPDATE totp SET last_step = 0")
        return self.code()


async def challenge_of(api: Api, user: ApiUser, **options: Any) -> str:
    """Sign in by the password, and return the challenge."""
    problem = (await sign_in(api, user.name, **options)).expect(403)
    assert problem["code"] == "second_factor_required"
    challenge: str = problem["challenge"]
    return challenge


async def answer(api: Api, challenge: str, code: str) -> Response:
    """Answer a challenge."""
    return await api.visitor.call("POST", "/tokens/second-factor", json={"challenge": challenge, "code": code})


async def test_a_password_is_changed_and_other_sessions_end(api: Api) -> None:
    """The present password is needed; afterwards the new one signs in, and only this session is left."""
    ann = await api.user()
    other = await another_session(api, ann)
    body = {"current_password": WRONG, "new_password": NEW_PASSWORD}
    problem = (await ann.call("PATCH", "/users/me/password", json=body)).expect(403)
    assert problem["code"] == "wrong_password"
    too_short = await ann.call("PATCH", "/users/me/password", json={"current_password": PASSWORD, "new_password": "x"})
    assert too_short.expect(422)["errors"][0]["field"] == "new_password"
    (await other.call("GET", "/users/me")).expect(200)
    (await ann.call("PATCH", "/users/me/password", json={**body, "current_password": PASSWORD})).expect(204)
    (await ann.call("GET", "/users/me")).expect(200)
    assert (await other.call("GET", "/users/me")).expect(401)["code"] == "session_revoked"
    refreshed = await api.visitor.call("POST", "/tokens/refresh", json={"refresh_token": other._refresh})
    refreshed.expect(401)
    (await sign_in(api, ann.name)).expect(401)
    (await sign_in(api, ann.name, NEW_PASSWORD)).expect(201)


async def test_guessing_the_present_password_is_throttled(services: InspectableServices) -> None:
    """A thief of a session has no more tries than anyone who signs in, whatever step asks for the password."""
    async with running_api(with_limits(services, sign_in_account="3/h")) as api:
        ann = await api.user()
        wrong = {"current_password": WRONG, "new_password": NEW_PASSWORD}
        for _ in range(2):
            (await ann.call("PATCH", "/users/me/password", json=wrong)).expect(403)
        (await ann.call("POST", "/users/me/reauthentication", json={"password": WRONG})).expect(403)
        right = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        response = await ann.call("PATCH", "/users/me/password", json=right)
        assert response.expect(429)["code"] == "too_many_requests"
        assert int(response.headers["Retry-After"]) > 0


async def test_sessions_are_listed_and_ended(api: Api) -> None:
    """Each has its device and network; one that is ended, or all others, are refused at once."""
    ann, ben = await api.user(), await api.user()
    first = (await sign_in(api, ann.name, headers={"User-Agent": FIREFOX})).expect(201)
    listed = (await ann.call("GET", "/users/me/sessions")).expect(200)
    assert listed["next"] is None
    newest, own = listed["items"]
    assert newest["device"] == {"browser": "Firefox", "system": "Linux"}
    assert own["device"] == {"browser": "Python", "system": "unknown"}
    assert (newest["network"], newest["current"], own["current"]) == ("127.0.0.0/24", False, True)

    # Of someone else, unknown, or malformed.
    for other, status in ((newest["id"], 404), (str(uuid.uuid4()), 404), ("x", 400)):
        (await ben.call("DELETE", f"/users/me/sessions/{other}")).expect(status)
    (await ann.call("DELETE", f"/users/me/sessions/{newest['id']}")).expect(204)
    (await ann.call("DELETE", f"/users/me/sessions/{newest['id']}")).expect(404)
    bearer = {"Authorization": f"Bearer {first['access_token']}"}
    assert (await api.visitor.call("GET", "/users/me", headers=bearer)).expect(401)["code"] == "session_revoked"

    others = [await another_session(api, ann) for _ in range(2)]
    (await ann.call("DELETE", "/users/me/sessions")).expect(400)
    (await ann.call("DELETE", "/users/me/sessions?others=false")).expect(400)
    assert (await ann.call("DELETE", "/users/me/sessions?others=true")).expect(200) == {"ended": 2}
    for other in others:
        (await other.call("GET", "/users/me")).expect(401)
    assert [item["current"] for item in (await ann.call("GET", "/users/me/sessions")).expect(200)["items"]] == [True]
    (await ben.call("GET", "/users/me")).expect(200)


async def test_a_refresh_updates_what_is_shown_of_a_session(api: Api) -> None:
    """The client that refreshed last is shown, and when; an expired session is not listed."""
    ann = await api.user()
    first = (await sign_in(api, ann.name)).expect(201)
    await api.services.db.fetch("UPDATE sessions SET last_seen_at = last_seen_at - interval '1 day'")
    before = (await ann.call("GET", "/users/me/sessions")).expect(200)["items"]
    body, agent = {"refresh_token": first["refresh_token"]}, {"User-Agent": FIREFOX}
    (await api.visitor.call("POST", "/tokens/refresh", json=body, headers=agent)).expect(201)
    after = (await ann.call("GET", "/users/me/sessions")).expect(200)["items"]
    assert after[0]["device"]["browser"] == "Firefox"
    assert after[0]["last_seen_at"] > before[0]["last_seen_at"]
    await api.services.db.fetch("UPDATE refresh_tokens SET expires_at = now() - interval '1 second'")
    assert (await ann.call("GET", "/users/me/sessions")).expect(200)["items"] == []


DANGEROUS: list[tuple[str, str, dict[str, Any]]] = [
    ("DELETE", "/users/me", {}),
    ("POST", "/users/me/exports", {}),
    ("POST", "/webhooks", {"json": {"url": "https://example.com/hook"}}),
    ("POST", "/webhooks/0000000000000/secret", {}),
    ("POST", "/users/me/totp", {}),
    ("POST", "/users/me/totp/confirmation", {"json": {"code": "123456"}}),
    ("DELETE", "/users/me/totp", {}),
    ("POST", "/users/me/recovery-codes", {}),
    ("POST", "/users/me/passkeys/challenge", {}),
    ("POST", "/users/me/passkeys", {"json": {"credential": {}}}),
    ("DELETE", "/users/me/passkeys/0000000000000", {}),
]


async def test_dangerous_steps_need_a_recent_proof(api: Api) -> None:
    """Sixteen minutes after the sign-in each is refused, until the user proves again who they are."""
    ann = await api.user()
    await forget_proofs(api)
    for method, path, options in DANGEROUS:
        problem = (await ann.call(method, path, **options)).expect(403)
        assert problem["code"] == "reauthentication_required", path
    (await ann.call("POST", "/users/me/reauthentication", json={"password": WRONG})).expect(403)
    for bad in ({}, {"password": PASSWORD, "code": "123456"}):
        (await ann.call("POST", "/users/me/reauthentication", json=bad)).expect(422)
    (await ann.call("POST", "/users/me/exports")).expect(403)
    # In another session it proves nothing.
    other = await another_session(api, ann)
    await forget_proofs(api)
    (await other.call("POST", "/users/me/reauthentication", json={"password": PASSWORD})).expect(200)
    (await ann.call("POST", "/users/me/exports")).expect(403)
    until = (await ann.call("POST", "/users/me/reauthentication", json={"password": PASSWORD})).expect(200)
    assert until["valid_until"] > "2026"
    (await ann.call("POST", "/users/me/exports")).expect(202)
    await forget_proofs(api)
    # A password in the request itself is a proof, as before.
    (await ann.call("DELETE", "/users/me", json={"password": PASSWORD})).expect(202)


async def test_a_sign_in_asks_for_a_code(api: Api) -> None:
    """With the second factor, the password leads to a challenge, and a code to a session."""
    ann, phone = await api.user(), Phone(api)
    assert (await ann.call("GET", "/users/me/totp")).expect(200)["enabled"] is False
    codes = await phone.set_up(ann)
    state = (await ann.call("GET", "/users/me/totp")).expect(200)
    assert (state["enabled"], state["recovery_codes"]) == (True, len(codes))
    assert (await ann.call("POST", "/users/me/totp")).expect(409)["code"] == "second_factor_exists"

    (await sign_in(api, ann.name, WRONG)).expect(401)
    challenge = await challenge_of(api, ann)
    for wrong in ("000000", "aaaa-aaaa-aaaa-aaaa"):
        problem = (await answer(api, challenge, wrong)).expect(403)
        assert (problem["code"], problem["errors"][0]["field"]) == ("wrong_code", "code")
    session = (await answer(api, challenge, await phone.next_code())).expect(201)
    assert session["user"]["id"] == ann.id
    assert (await answer(api, challenge, await phone.next_code())).expect(401)["code"] == "challenge_invalid"

    # The code that was used is not accepted again, however it is used.
    challenge, code = await challenge_of(api, ann), phone.code()
    await api.services.db.fetch("UPDATE totp SET last_step = $1", int(time.time()) // PERIOD + 1)
    (await answer(api, challenge, code)).expect(403)
    (await ann.call("POST", "/users/me/reauthentication", json={"code": code})).expect(403)

    (await ann.call("DELETE", "/users/me/totp")).expect(204)
    (await sign_in(api, ann.name)).expect(201)


async def test_a_recovery_code_works_once(api: Api) -> None:
    """It replaces a code once; new codes replace those of before."""
    ann, phone = await api.user(), Phone(api)
    codes = await phone.set_up(ann)
    (await answer(api, await challenge_of(api, ann), codes[0].upper())).expect(201)
    (await answer(api, await challenge_of(api, ann), codes[0])).expect(403)
    assert (await ann.call("GET", "/users/me/totp")).expect(200)["recovery_codes"] == 9
    renewed = (await ann.call("POST", "/users/me/recovery-codes")).expect(201)["recovery_codes"]
    challenge = await challenge_of(api, ann)
    (await answer(api, challenge, codes[1])).expect(403)
    (await answer(api, challenge, renewed[0])).expect(201)
    await forget_proofs(api)
    (await ann.call("POST", "/users/me/reauthentication", json={"code": renewed[1]})).expect(200)
    (await ann.call("DELETE", "/users/me/totp")).expect(204)
    assert (await ann.call("POST", "/users/me/recovery-codes")).expect(409)["code"] == "second_factor_off"


async def test_a_challenge_belongs_to_one_sign_in(api: Api) -> None:
    """One of another account, one that is forged, expired, tried too often, or older than the password is refused."""
    ann, ben = await api.user(), await api.user()
    phone, his = Phone(api), Phone(api)
    await phone.set_up(ann)
    codes = await his.set_up(ben)
    # Ben's codes are not Ann's.
    (await answer(api, await challenge_of(api, ann), codes[0])).expect(403)
    for forged in ("x", "a.b.c.d.e.f", f"{(await challenge_of(api, ann))[:-2]}AA"):
        (await answer(api, forged, "123456")).expect(401)
    challenge = await challenge_of(api, ann)
    for _ in range(5):
        (await answer(api, challenge, "000000")).expect(403)
    (await answer(api, challenge, await phone.next_code())).expect(401)
    challenge = await challenge_of(api, ann)
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    (await ann.call("PATCH", "/users/me/password", json=body)).expect(204)
    (await answer(api, challenge, await phone.next_code())).expect(401)


async def test_codes_are_throttled_wherever_they_come_from(services: InspectableServices) -> None:
    """Who knows the password cannot try all codes, with new challenges and from other addresses either."""
    async with running_api(with_limits(services, second_factor="4/h")) as api:
        ann, phone = await api.user(), Phone(api)
        await phone.set_up(ann)
        for _ in range(3):
            (await answer(api, await challenge_of(api, ann), "000000")).expect(403)
        (await answer(api, await challenge_of(api, ann), await phone.next_code())).expect(429)
        (await ann.call("POST", "/users/me/reauthentication", json={"code": phone.code()})).expect(429)


async def test_a_factor_that_is_not_confirmed_is_not_asked_for(api: Api) -> None:
    """A secret alone changes nothing, and another one replaces it."""
    ann = await api.user()
    problem = (await ann.call("POST", "/users/me/totp/confirmation", json={"code": "123456"})).expect(409)
    assert problem["code"] == "second_factor_not_begun"
    first = (await ann.call("POST", "/users/me/totp")).expect(201)["secret"]
    assert (await ann.call("POST", "/users/me/totp")).expect(201)["secret"] != first
    (await ann.call("POST", "/users/me/totp/confirmation", json={"code": "000000"})).expect(403)
    (await sign_in(api, ann.name)).expect(201)
    assert (await ann.call("GET", "/users/me/totp")).expect(200)["enabled"] is False


async def test_secrets_are_not_kept_in_plain(api: Api) -> None:
    """The database has neither the secret nor a recovery code."""
    ann, phone = await api.user(), Phone(api)
    codes = await phone.set_up(ann)
    secret = await api.services.db.fetchval("SELECT secret FROM totp")
    assert phone.secret not in secret
    kept = [row["code_sha256"] for row in await api.services.db.fetch("SELECT code_sha256 FROM recovery_codes")]
    assert len(kept) == len(codes)
    assert not {code.replace("-", "").encode() for code in codes} & set(kept)


async def test_the_deletion_of_an_account_with_a_second_factor_is_undone_by_a_code(api: Api) -> None:
    """The password alone does not bring it back, and a challenge for that does nothing else."""
    ann, phone = await api.user(), Phone(api)
    codes = await phone.set_up(ann)
    before = await challenge_of(api, ann)
    (await ann.call("DELETE", "/users/me", json={"password": PASSWORD})).expect(202)
    assert (await sign_in(api, ann.name)).expect(403)["code"] == "deletion_pending"
    (await answer(api, before, codes[0])).expect(401)
    body = {"username": ann.name, "password": PASSWORD}
    problem = (await api.visitor.call("POST", "/users/me/restore", json=body)).expect(403)
    assert problem["code"] == "second_factor_required"
    session = (await answer(api, problem["challenge"], codes[0])).expect(201)
    assert session["user"]["id"] == ann.id
    (await api.visitor.call("GET", f"/users/{ann.name}")).expect(200)


async def browser_of(user: ApiUser, api: Api, **options: Any) -> Authenticator:
    """Register a passkey in a browser that shows the service, and return it."""
    origin = api.services.base.public_url.replace("127.0.0.1", "localhost")
    authenticator = Authenticator(rp_id="localhost", origin=origin, **options)
    public_key = (await user.call("POST", "/users/me/passkeys/challenge")).expect(201)["public_key"]
    body = {"credential": authenticator.make(public_key), "name": "Key"}
    added = (await user.call("POST", "/users/me/passkeys", json=body)).expect(201)
    assert (added["name"], added["last_used_at"]) == ("Key", None)
    return authenticator


async def passkey_answer(api: Api, authenticator: Authenticator) -> dict[str, Any]:
    """Return the answer of an authenticator to a new challenge."""
    public_key = (await api.visitor.call("POST", "/passkeys/challenge")).expect(201)["public_key"]
    assert public_key.get("allowCredentials", []) == []
    return authenticator.sign(public_key)


async def by_passkey(api: Api, credential: dict[str, Any]) -> Response:
    """Sign in by a passkey."""
    return await api.visitor.call("POST", "/tokens/passkey", json={"credential": credential})


async def test_a_passkey_signs_in_without_a_name(api: Api) -> None:
    """A passkey is registered, signs in, is renamed and deleted; one answer works once."""
    ann, ben = await api.user(), await api.user()
    authenticator = await browser_of(ann, api)
    credential = await passkey_answer(api, authenticator)
    session = (await by_passkey(api, credential)).expect(201)
    assert session["user"]["id"] == ann.id
    assert (await by_passkey(api, credential)).expect(403)["code"] == "passkey_refused"

    listed = (await ann.call("GET", "/users/me/passkeys")).expect(200)["items"]
    assert listed[0]["last_used_at"] is not None
    path = f"/users/me/passkeys/{listed[0]['id']}"
    # Of someone else.
    assert (await ben.call("GET", "/users/me/passkeys")).expect(200)["items"] == []
    (await ben.call("PATCH", path, json={"name": "Mine"})).expect(404)
    (await ben.call("DELETE", path)).expect(404)
    assert (await ann.call("PATCH", path, json={"name": "Phone"})).expect(200)["name"] == "Phone"
    (await ann.call("PATCH", path, json={"name": " "})).expect(422)

    await forget_proofs(api)
    body = {"credential": await passkey_answer(api, authenticator)}
    # Ann's passkey proves nothing about Ben.
    (await ben.call("POST", "/users/me/reauthentication", json=body)).expect(403)
    (await ann.call("DELETE", path)).expect(403)
    body = {"credential": await passkey_answer(api, authenticator)}
    (await ann.call("POST", "/users/me/reauthentication", json=body)).expect(200)
    (await ann.call("DELETE", path)).expect(204)
    (await by_passkey(api, await passkey_answer(api, authenticator))).expect(403)


async def test_passkeys_of_other_sites_and_challenges_are_refused(api: Api) -> None:
    """What another origin, relying party, challenge, user or a cloned authenticator sends opens no session."""
    ann, ben = await api.user(), await api.user()
    authenticator = await browser_of(ann, api)
    for name, value in (("origin", "http://localhost.evil.example"), ("rp_id", "evil.example")):
        right = getattr(authenticator, name)
        setattr(authenticator, name, value)
        (await by_passkey(api, await passkey_answer(api, authenticator))).expect(403)
        setattr(authenticator, name, right)
    # A challenge that was given for a registration, or never.
    for_registration = (await ann.call("POST", "/users/me/passkeys/challenge")).expect(201)["public_key"]
    (await by_passkey(api, authenticator.sign(for_registration))).expect(403)
    (await by_passkey(api, authenticator.sign({"challenge": "AAAA"}))).expect(403)
    # A registration with the challenge of another user.
    for_ann = (await ann.call("POST", "/users/me/passkeys/challenge")).expect(201)["public_key"]
    stolen = {"credential": Authenticator(rp_id="localhost", origin=authenticator.origin).make(for_ann)}
    (await ben.call("POST", "/users/me/passkeys", json=stolen)).expect(403)
    # Another user's name in the answer.
    handle = authenticator.user_handle
    other = await browser_of(ben, api)
    authenticator.user_handle = other.user_handle
    (await by_passkey(api, await passkey_answer(api, authenticator))).expect(403)
    authenticator.user_handle = handle
    (await by_passkey(api, await passkey_answer(api, authenticator))).expect(201)
    authenticator.count -= 1
    (await by_passkey(api, await passkey_answer(api, authenticator))).expect(403)
    (await by_passkey(api, {"id": "x"})).expect(403)
    again = {
        "credential": authenticator.make((await ann.call("POST", "/users/me/passkeys/challenge")).json["public_key"])
    }
    assert (await ann.call("POST", "/users/me/passkeys", json=again)).expect(409)["code"] == "passkey_exists"


async def test_a_passkey_alone_does_not_replace_two_factors(api: Api) -> None:
    """Unless the authenticator has verified its user, an account with a second factor is asked for a code as well."""
    ann, phone = await api.user(), Phone(api)
    codes = await phone.set_up(ann)
    verifying, bare = await browser_of(ann, api), await browser_of(ann, api, verifies_user=False)
    (await by_passkey(api, await passkey_answer(api, verifying))).expect(201)
    problem = (await by_passkey(api, await passkey_answer(api, bare))).expect(403)
    assert problem["code"] == "second_factor_required"
    (await answer(api, problem["challenge"], codes[0])).expect(201)


async def test_passkeys_have_a_limit(api: Api) -> None:
    """A user can have a bounded number."""
    ann = await api.user()
    await api.services.db.fetch(
        "INSERT INTO passkeys (shard, id, user_id, credential_id, public_key, sign_count, transports, name) "
        "SELECT $1::bigint & 1023, $1 + (n << 20), $1, n::text::bytea, '', 0, '{}', 'x' "
        "FROM generate_series(1, $2) AS n",
        ids.decode(ann.id),
        MOST,
    )
    made = Authenticator(rp_id="localhost", origin="http://localhost:8080").make(
        (await ann.call("POST", "/users/me/passkeys/challenge")).expect(201)["public_key"]
    )
    problem = (await ann.call("POST", "/users/me/passkeys", json={"credential": made})).expect(409)
    assert problem["code"] == "too_many_passkeys"


async def test_cookies_need_the_csrf_token(api: Api) -> None:
    """With the session in cookies, no dangerous step is done without the token; the device's cookie stays hidden."""
    ann = await api.user()
    body = {"username": ann.name, "password": PASSWORD, "cookie": True}
    response = await api.visitor.call("POST", "/tokens", json=body)
    response.expect(201)
    jar: SimpleCookie = SimpleCookie()
    for header in response.headers.getall("Set-Cookie"):  # type: ignore[attr-defined]
        jar.load(header)
    device = jar["picshare_device"]
    assert (device["httponly"], device["samesite"], device["path"]) == (True, "Lax", "/api/v1")
    headers = {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())}
    for method, path, options in (
        *DANGEROUS,
        ("PATCH", "/users/me/password", {"json": {"current_password": PASSWORD, "new_password": NEW_PASSWORD}}),
        ("DELETE", "/users/me/sessions?others=true", {}),
        ("POST", "/users/me/reauthentication", {"json": {"password": PASSWORD}}),
    ):
        problem = (await api.visitor.call(method, path, headers=headers, **options)).expect(403)
        assert problem["code"] == "csrf_token_missing", path
    given = {**headers, "X-CSRF-Token": jar["picshare_csrf"].value}
    (await api.visitor.call("POST", "/users/me/totp", headers=given)).expect(201)


async def notices(api: Api) -> list[tuple[str, str]]:
    """Return the event and the device of each notice since the last call."""
    rows = await api.services.db.fetch("DELETE FROM outbox WHERE topic = 'security.noticed' RETURNING id, topic, body")
    found = [events.decode(row["topic"], row["body"]) for row in sorted(rows, key=lambda row: int(row["id"]))]
    return [(each.event, each.device) for each in found if isinstance(each, events.SecurityNoticed)]


async def test_users_are_notified_of_new_devices(api: Api) -> None:
    """A browser with the cookie, and a program like one of before in its network, are known; all others are new."""
    ann, firefox = await api.user(), {"User-Agent": FIREFOX}
    assert await notices(api) == []
    (await sign_in(api, ann.name)).expect(201)
    assert await notices(api) == []
    body = {"username": ann.name, "password": PASSWORD, "cookie": True}
    first = await api.visitor.call("POST", "/tokens", json=body, headers=firefox)
    assert await notices(api) == [("new_sign_in", "Firefox on Linux")]
    (await sign_in(api, ann.name, headers={"User-Agent": FIREFOX.replace("142", "143")})).expect(201)
    assert await notices(api) == []

    jar: SimpleCookie = SimpleCookie()
    for header in first.headers.getall("Set-Cookie"):  # type: ignore[attr-defined]
        jar.load(header)
    cookie = {"Cookie": f"picshare_device={jar['picshare_device'].value}"}
    (await sign_in(api, ann.name, headers={"User-Agent": "curl/8", **cookie})).expect(201)
    assert await notices(api) == []
    # The cookie says nothing about another user.
    ben = await api.user()
    (await sign_in(api, ben.name, headers={"User-Agent": FIREFOX, **cookie})).expect(201)
    assert await notices(api) == [("new_sign_in", "Firefox on Linux")]
    (await sign_in(api, ann.name, WRONG, headers={"User-Agent": "okhttp/4"})).expect(401)
    assert await notices(api) == []
    # The first session of an account that an operator has created, or whose sessions have all expired long ago.
    await api.services.db.fetch("DELETE FROM refresh_tokens")
    await api.services.db.fetch("DELETE FROM sessions")
    (await sign_in(api, ann.name, headers={"User-Agent": "okhttp/4"})).expect(201)
    assert await notices(api) == []


async def test_users_are_notified_of_changes(api: Api) -> None:
    """Each change of how an account is protected is a notice with the device; one that changes nothing is none."""
    ann, phone = await api.user(), Phone(api)
    await phone.set_up(ann)
    await browser_of(ann, api)
    (await ann.call("DELETE", "/users/me/totp")).expect(204)
    (await ann.call("DELETE", "/users/me/totp")).expect(204)
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    (await ann.call("PATCH", "/users/me/password", json=body)).expect(204)
    names = ["factor_added", "passkey_added", "factor_removed", "password_changed"]
    assert await notices(api) == [(name, "Python") for name in names]
    for name in names:
        assert text_of(SecurityNotice(event=SecurityEvent(name), device="Python")).endswith("from Python")
