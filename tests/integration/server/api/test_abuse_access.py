"""Abuse of identity and rate limits: each test states the attempt and the expected response."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import time
from ipaddress import ip_network
from typing import Any

import aiohttp
import jwt
import pytest

from storage import ids
from storage.notifications import NotificationKind
from tests.support.api import SECRET, Api, InspectableServices, running_api, with_limits
from tests.support.api_user import ApiUser, Response
from tests.support.community import record_notification
from tests.support.inboxes import counters_json
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

PASSWORD = "correct horse battery"
KEY = hmac.digest(SECRET, b"picshare access token", hashlib.sha256)


def encoded(part: Any) -> bytes:
    """Return one part of a token in base 64."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")


def forged(payload: dict[str, Any], key: bytes = KEY, digest: str = "sha256", **header: Any) -> str:
    """Return a token with this payload and header, validly signed with PicShare's own key unless another is given."""
    head = {"alg": "HS256", "typ": "at+jwt", **header}
    signed = encoded({name: value for name, value in head.items() if value is not None}) + b"." + encoded(payload)
    signature = base64.urlsafe_b64encode(hmac.digest(key, signed, digest)).rstrip(b"=")
    return (signed + b"." + signature).decode()


async def test_forged_jwts_are_401(api: Api) -> None:
    """Algorithm "none", key confusion, kid injection, wrong audience, issuer or type: all are rejected."""
    ann = await api.user()
    good: dict[str, Any] = jwt.decode(ann.token, options={"verify_signature": False})
    head, body, signature = ann.token.split(".")
    unsigned = encoded({"alg": "none", "typ": "at+jwt"}).decode()
    other = encoded({**good, "role": "admin"}).decode()
    forgeries = {
        "none": f"{unsigned}.{body}.",
        "none with the signature": f"{unsigned}.{body}.{signature}",
        "changed body": f"{head}.{other}.{signature}",
        "another key": forged(good, b"another key of at least 32 bytes"),
        "an empty key": forged(good, b""),
        "another algorithm": forged(good, digest="sha512", alg="HS512"),
        "kid": forged(good, kid="../../../dev/null"),
        "kid with SQL": forged(good, kid="' UNION SELECT 'x"),
        "jku": forged(good, jku="https://attacker.example/keys"),
        "crit": forged(good, crit=["exp"]),
        "wrong type": forged(good, typ="JWT"),
        "no type": forged(good, typ=None),
        "wrong issuer": forged({**good, "iss": "attacker"}),
        "wrong audience": forged({**good, "aud": "other-api"}),
        "no audience": forged({name: value for name, value in good.items() if name != "aud"}),
        "expired": forged({**good, "iat": int(time.time()) - 1000, "exp": int(time.time()) - 1}),
        "no end": forged({name: value for name, value in good.items() if name != "exp"}),
        "end of another kind": forged({**good, "exp": "tomorrow"}),
        "subject of another kind": forged({**good, "sub": "1 OR 1=1"}),
        "unknown role": forged({**good, "role": "god"}),
        "padded": ann.token + "=",
        "foreign characters": f"{head}.{body}.{signature[:9]}!{signature[9:]}",
        "huge": "a." * 2000,
        "empty": "",
        "nonsense": "nonsense",
    }
    (await ann.call("GET", "/users/me", headers={"Authorization": f"Bearer {forged(good)}"})).expect(200)
    for name, token in forgeries.items():
        response = await api.visitor.call("GET", "/users/me", headers={"Authorization": f"Bearer {token}"})
        assert response.status == 401, name
        assert response.headers["WWW-Authenticate"].startswith("Bearer"), name
    response = await api.visitor.call("GET", "/users/me", headers={"Authorization": "Basic YTpi"})
    assert response.status == 401


async def test_resources_of_other_users_are_404(api: Api) -> None:
    """Unpublished and private photos, comments and originals do not exist for other users."""
    ann, bob = await api.user(), await api.user()
    draft = await ann.upload(photograph("temple"))
    sha256 = hashlib.sha256(photograph("temple").read_bytes()).hexdigest()
    private = await ann.upload(photograph())
    await api.finish(private)
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    comment = await ann.call("POST", f"/photos/{private['id']}/comments", json={"text": "mine"})
    comment_id = comment.expect(201)["id"]
    for who in (bob, api.visitor):
        for photo in (draft, private):
            for path in ("", "/likes", "/comments"):
                assert (await who.call("GET", f"/photos/{photo['id']}{path}")).status == 404, path
        assert (await who.call("GET", f"/users/{ann.id}/photos")).expect(200)["items"] == []
        assert (await who.call("GET", f"/media/{sha256}/original.jpg")).status == 404
    for photo in (draft, private):
        for method, path, body in (
            ("PUT", "/like", None),
            ("DELETE", "/like", None),
            ("POST", "/comments", {"text": "x"}),
            ("PATCH", "", {"caption": "x"}),
            ("DELETE", "", None),
        ):
            assert (await bob.call(method, f"/photos/{photo['id']}{path}", json=body)).status == 404, (method, path)
    assert (await bob.call("DELETE", f"/comments/{comment_id}")).status == 404
    assert (await ann.call("GET", f"/photos/{draft['id']}")).status == 200


async def test_notifications_of_other_users_cannot_be_marked(api: Api) -> None:
    """Another user's notification is neither listed nor marked."""
    ann, bob = await api.user(), await api.user()
    photo = await ann.upload(photograph())
    async with api.services.db.transaction() as tx:
        await record_notification(
            tx,
            recipient_id=ids.decode(ann.id),
            kind=NotificationKind.LIKE,
            actor_id=ids.decode(bob.id),
            photo_id=ids.decode(photo["id"]),
            source_id=ids.decode(photo["id"]),
        )
    (entry,) = (await ann.call("GET", "/notifications")).expect(200)["items"]
    assert (await bob.call("GET", "/notifications")).expect(200)["items"] == []
    (await bob.call("POST", "/notifications/read", json={"ids": [entry["id"]]})).expect(204)
    assert (await ann.call("GET", "/notifications/counters")).expect(200) == counters_json(like=(1, 1))


async def test_an_original_is_a_download_for_its_owner_alone(api: Api) -> None:
    """The owner gets the bytes as an attachment, which browsers do not render."""
    ann = await api.user()
    await ann.upload(photograph())
    data = photograph().read_bytes()
    response = await ann.call("GET", f"/media/{hashlib.sha256(data).hexdigest()}/original.jpg")
    assert response.status == 200
    assert response.body == data
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]


async def test_the_original_is_refused_to_a_signed_out_session(api: Api) -> None:
    """The access token is still valid for minutes after its session has ended; the original is not served for it."""
    ann = await api.user()
    await ann.upload(photograph())
    path = f"/media/{hashlib.sha256(photograph().read_bytes()).hexdigest()}/original.jpg"
    assert (await ann.call("GET", path)).status == 200
    (await ann.call("DELETE", "/tokens/current")).expect(204)
    assert (await ann.call("GET", path)).expect(401)["code"] == "session_revoked"


async def rotate(api: Api, count: int) -> list[int]:
    """Send requests as a visitor, each with another forged address, and return the statuses."""
    statuses = []
    for number in range(count):
        headers = {"X-Forwarded-For": f"203.0.113.{number}"}
        statuses.append((await api.visitor.call("GET", "/photos", headers=headers)).status)
    return statuses


async def test_x_forwarded_for_is_ignored_unless_it_comes_from_a_configured_proxy(
    services: InspectableServices,
) -> None:
    """Changing the header does not help; behind the operator's proxy each address counts by itself."""
    limited = with_limits(services, anonymous="2/h")
    async with running_api(limited) as api:
        assert await rotate(api, 4) == [200, 200, 429, 429]
    behind = dataclasses.replace(limited.settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    async with running_api(dataclasses.replace(limited, settings=behind)) as api:
        assert await rotate(api, 4) == [200, 200, 200, 200]
        forged_left = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
        statuses = [(await api.visitor.call("GET", "/photos", headers=forged_left)).status for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert (await api.visitor.call("GET", "/photos", headers={"X-Forwarded-For": "203.0.113.9"})).status == 429


async def test_rates_beyond_the_limit_are_429_with_retry_after(services: InspectableServices) -> None:
    """Likes, follows, uploads and feed reads are refused beyond their limits, which every response reports."""
    async with running_api(with_limits(services, likes="2/h", follows="1/h", uploads="1/h", reads="3/h")) as api:
        ann, bob = await api.user(), await api.user()
        photo = await ann.upload(photograph())

        async def like() -> Response:
            return await ann.call("PUT", f"/photos/{photo['id']}/like")

        first, second, third = await like(), await like(), await like()
        assert (first.status, second.status, third.status) == (200, 200, 429)
        assert first.headers["RateLimit-Policy"] == '"likes";q=2;w=3600'
        assert first.headers["RateLimit"].startswith('"likes";r=1;t=')
        assert 0 < int(third.headers["Retry-After"]) <= 1800
        assert third.json["code"] == "too_many_requests"
        assert third.headers["RateLimit"].startswith('"likes";r=0;t=')
        await ann.follow(bob)
        assert (await ann.call("DELETE", f"/users/{bob.id}/follow")).status == 429
        assert (await ann.try_upload(photograph())).status == 429
        assert [(await ann.call("GET", "/feed")).status for _ in range(4)] == [200, 200, 200, 429]
        assert (await bob.call("GET", "/feed")).status == 200  # others are not affected


async def test_password_guessing_is_throttled_for_the_account_and_the_address(services: InspectableServices) -> None:
    """Guesses are refused after a few, for one account and for many names from one address; each names its limit."""
    async with running_api(with_limits(services, sign_in_account="3/h", sign_in_address="5/h")) as api:
        await api.user("ann")

        async def guess(name: str) -> tuple[int, str]:
            response = await api.visitor.call("POST", "/tokens", json={"username": name, "password": "guess"})
            assert response.headers["RateLimit"].split(";")[0] == response.headers["RateLimit-Policy"].split(";")[0]
            return response.status, response.headers["RateLimit"].split(";t=")[0]

        assert [(await guess("ann"))[0] for _ in range(3)] == [401, 401, 401]
        assert await guess("ANN") == (429, '"sign_in_account";r=0')
        assert [(await guess(f"name{number}"))[0] for number in range(2)] == [401, 401]
        assert await guess("name2") == (429, '"sign_in_address";r=0')


async def test_an_unknown_name_and_a_wrong_password_do_not_differ(api: Api) -> None:
    """The responses are equal, and the same work is done for both."""
    await api.user("ann")

    async def problem(name: str) -> dict[str, Any]:
        body = {"username": name, "password": "wrong password"}
        problem: dict[str, Any] = (await api.visitor.call("POST", "/tokens", json=body)).expect(401)
        return {field: value for field, value in problem.items() if field != "request_id"}

    assert await problem("ann") == await problem("nobody") == await problem("nobody@example.org")


async def test_csrf_on_the_cookie_session_is_refused(api: Api) -> None:
    """A write with a cookie needs the CSRF token of its session; without it, or with another one, it is refused."""
    await api.user("ann")
    await api.user("eve")

    async def cookies(name: str) -> dict[str, str]:
        body = {"username": name, "password": PASSWORD, "cookie": True}
        async with api.session.post(f"{api.url}/api/v1/tokens", json=body) as response:
            return {key: morsel.value for key, morsel in response.cookies.items()}

    jar, foreign = await cookies("ann"), await cookies("eve")
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}

    async def write(token: str | None, method: str = "PATCH", path: str = "/users/me") -> int:
        headers = cookie if token is None else cookie | {"X-CSRF-Token": token}
        body = {"json": {"bio": "changed"}} if method == "PATCH" else {}
        return (await api.visitor.call(method, path, headers=headers, **body)).status

    for token in (None, "", "guess", foreign["picshare_csrf"]):
        assert await write(token) == 403, token
        assert await write(token, "DELETE", "/tokens/current") == 403, token
    assert await write(jar["picshare_csrf"]) == 200
    refresh = {"Cookie": f"picshare_refresh={jar['picshare_refresh']}"}
    assert (await api.visitor.call("POST", "/tokens/refresh", headers=refresh)).status == 403


async def test_a_form_of_another_site_cannot_sign_in(api: Api) -> None:
    """Bodies that a plain HTML form can send are not accepted as JSON."""
    await api.user("ann")
    text = json.dumps({"username": "ann", "password": PASSWORD, "cookie": True})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        response = await api.visitor.call("POST", "/tokens", data=text, headers={"Content-Type": kind})
        assert response.status == 415
        assert "Set-Cookie" not in response.headers


async def test_a_token_in_a_url_is_not_accepted(api: Api) -> None:
    """Access tokens are accepted in the header and the cookie, never in the URL."""
    ann = await api.user()
    for name in ("access_token", "token", "authorization"):
        assert (await api.visitor.call("GET", f"/users/me?{name}={ann.token}")).status == 401


async def test_sign_ups_from_one_address_are_throttled(services: InspectableServices) -> None:
    """A client cannot create accounts in large numbers."""
    async with running_api(with_limits(services, sign_up_address="2/h")) as api:
        await api.user()
        await api.user()
        with pytest.raises(AssertionError, match="429"):
            await ApiUser.sign_up(api.session, api.url)


async def test_a_client_that_disconnects_during_an_upload_does_no_harm(api: Api) -> None:
    """A connection that is closed during an upload leaves neither a file nor an error."""
    ann = await api.user()
    headers = {"Authorization": f"Bearer {ann.token}", "Content-Type": "multipart/form-data; boundary=b"}

    async def broken() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n\xff\xd8\xff'
        raise ConnectionResetError("gone")

    with pytest.raises((aiohttp.ClientError, ConnectionResetError)):
        await api.session.post(f"{api.url}/api/v1/photos", data=broken(), headers=headers)
    (await ann.try_upload(photograph())).expect(201)
