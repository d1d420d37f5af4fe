"""Forgotten passwords: reset by a link, once, with the end of all sessions, and disclosing nobody's address."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from channels.bus.addressing import channel_prefix, registry_key, user_field
from channels.bus.envelope import DisconnectOrder, decode_envelope
from storage import ids
from storage.ids import slot_group
from storage.redis.client import Redis
from tests.support.api import Api, InspectableServices, running_api, with_limits
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.driver_commands import commands, driver_client
from tests.support.eventually import DEADLINE
from tests.support.mails import Postbox, ReceivedMail, send_mails

pytestmark = pytest.mark.engines

ANN = "ann@picshare.example"
NEW = "a new and better secret"


async def request(api: Api, email: str) -> None:
    """Request a new password."""
    response = await api.visitor.call("POST", "/password-resets", json={"email": email})
    assert (response.expect(202), response.body) == (None, b"")


async def reset_mail(api: Api, box: Postbox, email: str = ANN) -> ReceivedMail:
    """Request a new password, and return the mail."""
    await send_mails(api.services, box)
    box.take()
    await request(api, email)
    await send_mails(api.services, box)
    return box.one()


async def reset(api: Api, token: str, password: str = NEW) -> tuple[int, str | None]:
    """Set a password by a link; return the status and the code of the problem."""
    response = await api.visitor.call("POST", f"/password-resets/{token}", json={"password": password})
    return response.status, None if response.json is None else response.json["code"]


async def sign_in(api: Api, password: str, login: str = "ann") -> int:
    """Return the status of a sign-in."""
    return (await api.visitor.call("POST", "/tokens", json={"username": login, "password": password})).status


async def test_a_forgotten_password_is_reset_by_a_link(api: Api) -> None:
    """The link works once; the old password and all sessions end, and the address is verified."""
    box = Postbox()
    ann = await api.user("ann")
    mail, other = await reset_mail(api, box), await reset_mail(api, box)
    assert (mail.recipient, mail.subject) == (ANN, "Choose a new password")
    assert f"https://photos.example/reset#{mail.token}" in mail.text
    terms = (await api.visitor.call("GET", f"/password-resets/{mail.token}")).expect(200)
    assert terms == {"username": "ann", "deletion_due_at": None}
    assert await reset(api, mail.token, "short") == (422, "invalid_input")
    assert await reset(api, mail.token) == (204, None)
    assert await sign_in(api, PASSWORD) == 401
    assert (await ann.call("GET", "/users/me")).expect(401)["code"] == "session_revoked"
    assert await sign_in(api, NEW) == 201
    for used in (mail, other):
        assert await reset(api, used.token) == (410, "link_used")
        assert (await api.visitor.call("GET", f"/password-resets/{used.token}")).expect(410)["code"] == "link_used"
    fresh = ApiUser(api.session, api.url, "ann")
    body = {"username": "ann", "password": NEW}
    fresh.token = (await api.visitor.call("POST", "/tokens", json=body)).expect(201)["access_token"]
    assert (await fresh.call("GET", "/users/me")).expect(200)["email_verified"] is True
    await send_mails(api.services, box)
    assert box.one().subject == "Your password was changed"


async def test_live_connections_end_with_a_reset(api: Api, redis: Redis) -> None:
    """The processes that hold connections of the user are ordered to close those of each session, at once."""
    box, ann = Postbox(), await api.user("ann")
    sessions = {api.tokens.verify(ann.token).session}
    await ann.sign_in()
    sessions.add(api.tokens.verify(ann.token).session)
    token, user_id = (await reset_mail(api, box)).token, ids.decode(ann.id)
    group = slot_group(user_id)
    await commands(redis).hset(registry_key(group), user_field(user_id), b"abcdefgh")
    async with driver_client(redis) as driver, driver.pubsub() as pubsub:
        await pubsub.subscribe(channel_prefix(group) + b"abcdefgh")
        await pubsub.get_message(timeout=DEADLINE)
        assert await reset(api, token) == (204, None)
        messages = [await pubsub.get_message(ignore_subscribe_messages=True, timeout=DEADLINE) for _ in sessions]
    orders = [decode_envelope(message["data"]).body for message in messages if message is not None]
    assert {order.session for order in orders if isinstance(order, DisconnectOrder)} == sessions
    ended = await api.services.db.fetch("SELECT DISTINCT event_id FROM outbox WHERE topic = 'session.ended'")
    assert len(ended) == 2


async def test_unknown_addresses_are_answered_in_the_same_way(api: Api) -> None:
    """The response and the statements are the same with and without an account, and no mail is sent to a stranger."""
    box = Postbox()
    await api.user("ann")
    await send_mails(api.services, box)
    box.take()
    await request(api, "unknown@picshare.example")
    await request(api, ANN)
    rows = await api.services.db.fetch("SELECT topic, key FROM outbox WHERE queue = 'mail'")
    assert {row["topic"] for row in rows} == {"password_reset.requested"}
    assert not any("@" in row["key"] for row in rows)
    await send_mails(api.services, box)
    assert box.one().recipient == ANN
    bad = await api.visitor.call("POST", "/password-resets", json={"email": "not an address"})
    assert bad.expect(422)["errors"][0]["field"] == "email"


async def test_requests_are_limited_for_the_account_and_the_address(services: InspectableServices) -> None:
    """A few requests for one address pass, in any case of its letters, and more from one client for several."""
    async with running_api(with_limits(services, reset_account="2/h", reset_address="3/h")) as api:
        statuses = [
            (await api.visitor.call("POST", "/password-resets", json={"email": email})).status
            for email in (ANN, "Ann@picshare.example", ANN, "ben@picshare.example", "eve@picshare.example")
        ]
    assert statuses == [202, 202, 429, 202, 429]


async def test_links_end_after_an_hour_and_serve_no_other_purpose(api: Api) -> None:
    """An expired link is a 410, and that of another kind of mail or with a changed letter a 404."""
    box = Postbox()
    await api.user("ann")
    await send_mails(api.services, box)
    verification = box.one()
    assert await reset(api, verification.token) == (404, "link_invalid")
    mail = await reset_mail(api, box)
    assert (await api.visitor.call("POST", f"/email-verifications/{mail.token}")).expect(404)["code"] == "link_invalid"
    changed = mail.token[:-1] + ("A" if mail.token[-1] != "A" else "B")
    assert await reset(api, changed) == (404, "link_invalid")
    rows = await api.services.db.fetch(
        "SELECT extract(epoch FROM expires_at - now())::float8 AS left FROM one_time_tokens "
        "WHERE purpose = 'password_reset'"
    )
    assert all(3500 < row["left"] <= 3600 for row in rows)
    await api.services.db.fetch("UPDATE one_time_tokens SET expires_at = now() - interval '1 second'")
    assert await reset(api, mail.token) == (410, "link_expired")
    assert await sign_in(api, PASSWORD) == 201


async def test_of_two_uses_at_once_one_counts(api: Api) -> None:
    """A link that is used twice at the same moment sets one password."""
    box = Postbox()
    await api.user("ann")
    token = (await reset_mail(api, box)).token
    results = await asyncio.gather(reset(api, token, NEW), reset(api, token, "another one altogether"))
    assert sorted(results) == [(204, None), (410, "link_used")]


async def test_a_deleted_account_can_be_reset_and_then_restored(api: Api) -> None:
    """While the deletion can be undone, a link sets the password, and nothing else changes."""
    box = Postbox()
    ann = await api.user("ann")
    (await ann.call("DELETE", "/users/me")).expect(202)
    mail = await reset_mail(api, box)
    assert "being deleted" in mail.text
    terms = (await api.visitor.call("GET", f"/password-resets/{mail.token}")).expect(200)
    assert terms["deletion_due_at"] is not None
    assert await reset(api, mail.token) == (204, None)
    assert await sign_in(api, NEW) == 403
    body = {"username": "ann", "password": NEW}
    assert (await api.visitor.call("POST", "/users/me/restore", json=body)).status == 201


async def test_a_claimed_address_goes_before_pending_ones(api: Api) -> None:
    """The link is for the account that has verified the address, even if others have given it later."""
    box = Postbox()
    await api.user("ann")
    await send_mails(api.services, box)
    (await api.visitor.call("POST", f"/email-verifications/{box.one().token}")).expect(200)
    body = {"username": "mallory", "email": ANN, "password": PASSWORD}
    (await api.visitor.call("POST", "/users", json=body)).expect(201)
    assert "@ann" in (await reset_mail(api, box)).text


async def test_tokens_of_links_are_in_no_log(api: Api) -> None:
    """The access log has the path with a mask in place of the token."""
    box = Postbox()
    await api.user("ann")
    token = (await reset_mail(api, box)).token
    with structlog.testing.capture_logs() as logs:
        assert await reset(api, token) == (204, None)
    paths = [entry["path"] for entry in logs if entry["event"] == "request"]
    assert paths == ["/api/v1/password-resets/***"]
    assert token not in str(logs)
