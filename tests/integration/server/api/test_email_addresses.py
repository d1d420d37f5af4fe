"""Addresses of accounts: pending until they are verified, changed with both ends, and disclosed to no stranger."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from server.identity.passwords import Passwords
from storage import ids
from storage.postgres.database import Database
from storage.stores.accounts import users
from tests.support.api import Api, InspectableServices, running_api, with_limits, with_passwords
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.mails import Postbox, send_mails

pytestmark = pytest.mark.engines

ANN = "ann@picshare.example"


async def sign_up(api: Api, username: str, email: str, password: str = PASSWORD) -> ApiUser:
    """Sign up with an address, and return the user."""
    body = {"username": username, "email": email, "password": password}
    content = (await api.visitor.call("POST", "/users", json=body)).expect(201)
    user = ApiUser(api.session, api.url, username)
    user.id, user.token = content["user"]["id"], content["access_token"]
    return user


async def verify(api: Api, box: Postbox) -> None:
    """Verify the address of the only mail in the postbox."""
    await send_mails(api.services, box)
    (await api.visitor.call("POST", f"/email-verifications/{box.one().token}")).expect(200)


async def verified(api: Api, user: ApiUser) -> bool:
    """Return whether a user's address is verified, as both responses say."""
    state = (await user.call("GET", "/users/me/email")).expect(200)
    account = (await user.call("GET", "/users/me")).expect(200)
    assert account["email_verified"] is (state["verified_at"] is not None)
    return bool(account["email_verified"])


async def sign_in(api: Api, login: str, password: str = PASSWORD) -> str | None:
    """Return the username that signs in, None if none does."""
    response = await api.visitor.call("POST", "/tokens", json={"username": login, "password": password})
    if response.status == 401:
        assert response.json["code"] == "wrong_credentials"
        return None
    return str(response.expect(201)["user"]["username"])


async def test_a_new_address_is_verified_by_the_link_of_a_mail(api: Api) -> None:
    """The mail of a sign-up has a link that works once, whoever opens it; a second one can be requested before that."""
    box = Postbox()
    ann = await api.user("ann")
    await send_mails(api.services, box)
    mail = box.one()
    assert (mail.recipient, mail.subject) == (ANN, "Verify your e-mail address")
    assert "@ann" in mail.text
    assert f"https://photos.example/verify#{mail.token}" in mail.text
    assert mail.token in mail.html
    assert not await verified(api, ann)
    (await ann.call("POST", "/users/me/email/verification")).expect(202)
    await send_mails(api.services, box)
    second = box.one()
    assert second.token != mail.token
    assert (await api.visitor.call("POST", f"/email-verifications/{mail.token}")).expect(200) == {"email": ANN}
    assert await verified(api, ann)
    for token in (mail.token, second.token):
        assert (await api.visitor.call("POST", f"/email-verifications/{token}")).expect(410)["code"] == "link_used"
    problem = (await ann.call("POST", "/users/me/email/verification")).expect(409)
    assert problem["code"] == "email_verified"


async def test_a_mail_that_is_sent_again_has_the_same_link_and_id(api: Api) -> None:
    """A repeated event makes the same message, so that mail programs recognise it; no token is in a table or queue."""
    box = Postbox()
    await api.user("ann")
    (row,) = await api.services.db.fetch(
        "SELECT shard, id, queue, event_id, topic, key, body, headers FROM outbox WHERE queue = 'mail'"
    )
    await send_mails(api.services, box)
    async with api.services.db.transaction() as tx:
        await tx.execute(
            "INSERT INTO outbox (shard, id, queue, event_id, topic, key, body, headers) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            *row.values(),
        )
    await send_mails(api.services, box)
    first, again = box.take()
    assert first.token == again.token
    assert first.message["Message-ID"] == again.message["Message-ID"]
    assert first.token.encode() not in row["body"]
    stored = await api.services.db.fetch("SELECT sha256, payload::text FROM one_time_tokens")
    assert len(stored) == 1
    assert first.token not in str(stored)


async def test_a_token_that_is_none_is_refused(api: Api) -> None:
    """Texts that are no token of a link are a 404 at each of its endpoints."""
    for token in ("x", "x" * 45, "00" + "A" * 43, "%00", "ü" * 45):
        for path, body in (
            ("email-verifications", {}),
            ("email-changes", {}),
            ("password-resets", {"password": "another secret"}),
        ):
            response = await api.visitor.call("POST", f"/{path}/{token}", json=body)
            assert response.expect(404)["code"] == "link_invalid", token


async def test_links_expire(api: Api) -> None:
    """A link is refused after its time, and a mail whose link has expired already is not sent."""
    box = Postbox()
    ann = await api.user("ann")
    await send_mails(api.services, box)
    token = box.one().token
    await api.services.db.fetch("UPDATE one_time_tokens SET expires_at = now() - interval '1 second'")
    response = await api.visitor.call("POST", f"/email-verifications/{token}")
    assert response.expect(410)["code"] == "link_expired"
    assert not await verified(api, ann)
    (await ann.call("POST", "/users/me/email/verification")).expect(202)
    await send_mails(api.services, box, age=timedelta(days=3, seconds=1))
    assert box.take() == []


async def test_signing_up_does_not_disclose_who_has_an_address(api: Api) -> None:
    """With an address that an account has, everything is as with another one; the mail to it alone says so."""
    box = Postbox()
    await api.user("ann")
    await verify(api, box)
    taken = await sign_up(api, "mallory", "ANN@picshare.example", "the secret of mallory")
    await send_mails(api.services, box)
    mail = box.one()
    assert (mail.recipient, mail.subject) == ("ANN@picshare.example", "You already have an account")
    assert "mallory" not in mail.text
    assert "#" not in mail.text
    # Nor does signing in: both accounts are found by the address, each by its own password.
    assert await sign_in(api, ANN) == "ann"
    assert await sign_in(api, ANN, "the secret of mallory") == "mallory"
    assert await sign_in(api, ANN, "neither of both") is None
    free = await sign_up(api, "ben", "ben@picshare.example")
    states = [(await user.call("GET", "/users/me/email")).expect(200) for user in (taken, free)]
    assert [(state["verified_at"], state["change"]) for state in states] == [(None, None)] * 2
    username = {"username": "ANN", "email": "x@picshare.example", "password": PASSWORD}
    assert (await api.visitor.call("POST", "/users", json=username)).expect(409)["code"] == "username_taken"


async def test_the_account_that_verifies_an_address_first_has_it(api: Api) -> None:
    """Several accounts may give one address; when one has verified it, the links of the others are a conflict."""
    box = Postbox()
    first, second = await sign_up(api, "first", ANN), await sign_up(api, "second", ANN)
    await send_mails(api.services, box)
    tokens = {("first" if "@first" in mail.text else "second"): mail.token for mail in box.take()}
    (await api.visitor.call("POST", f"/email-verifications/{tokens['second']}")).expect(200)
    problem = (await api.visitor.call("POST", f"/email-verifications/{tokens['first']}")).expect(409)
    assert problem["code"] == "email_taken"
    assert not await verified(api, first)
    assert await verified(api, second)
    # The deletion of the account frees the address for the other one.
    (await second.call("DELETE", "/users/me")).expect(202)
    async with api.services.db.transaction() as tx:
        await tx.execute(
            "UPDATE users SET deleted_at = NULL, deletion_due_at = NULL WHERE id = $1", ids.decode(second.id)
        )
        await users.remove(tx, ids.decode(second.id))
    (await first.call("POST", "/users/me/email/verification")).expect(202)
    await verify(api, box)
    assert await verified(api, first)


async def test_accounts_of_earlier_versions_keep_their_addresses(api: Api, database: Database) -> None:
    """An address that was claimed before addresses were verified stays, and the user can verify it."""
    box = Postbox()
    ann = await api.user("ann")
    await database.fetch("DELETE FROM pending_emails")
    await database.fetch("INSERT INTO emails (email, user_id) VALUES ($1::text::citext, $2)", ANN, ids.decode(ann.id))
    await send_mails(api.services, box)
    box.take()
    assert await sign_in(api, ANN) == "ann"
    other = await sign_up(api, "other", ANN)
    await send_mails(api.services, box)
    assert box.one().subject == "You already have an account"
    (await ann.call("POST", "/users/me/email/verification")).expect(202)
    await verify(api, box)
    assert await verified(api, ann)
    assert not await verified(api, other)


class CountedPasswords(Passwords):
    """Counts the passwords that are verified."""

    count = 0

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Count a verification."""
        self.count += 1
        return await super().verify(encoded, password)


async def test_a_sign_in_verifies_as_many_passwords_for_every_address(services: InspectableServices) -> None:
    """Unknown, pending and claimed addresses cost two hashes, usernames one, whether they exist or not."""
    passwords = CountedPasswords(services.passwords._hasher)
    async with running_api(with_passwords(services, passwords)) as api:
        box = Postbox()
        await api.user("ann")
        await verify(api, box)
        await sign_up(api, "pending", "pending@picshare.example")
        counts = {}
        for login in (
            ANN,
            "pending@picshare.example",
            "unknown@picshare.example",
            "\x7f@picshare.example",
            "ann",
            "no",
        ):
            before = passwords.count
            assert await sign_in(api, login, "not this one") is None
            counts[login] = passwords.count - before
        assert list(counts.values()) == [2, 2, 2, 2, 1, 1]
    passwords.close()


async def test_tries_at_an_address_do_not_disclose_its_account(services: InspectableServices) -> None:
    """Tries by address are counted apart from those by username, and for unknown addresses as well."""
    async with running_api(with_limits(services, sign_in_account="2/h")) as api:
        await api.user("ann")
        for login in (ANN, "unknown@picshare.example"):
            for spelling in (login, login.upper()):
                assert await sign_in(api, spelling, "not this one") is None
            body = {"username": login, "password": "not this one"}
            (await api.visitor.call("POST", "/tokens", json=body)).expect(429)
        assert await sign_in(api, "ann") == "ann"


async def test_every_spelling_of_an_address_shares_its_tries(services: InspectableServices) -> None:
    """Letters that the database folds give no further tries at a password, whether or not the address is known."""
    async with running_api(with_limits(services, sign_in_account="2/h")) as api:
        await api.user("ingrid")
        for name in ("ingrid", "iris"):
            for spelling in (name, name.upper()):
                assert await sign_in(api, f"{spelling}@picshare.example", "not this one") is None
            for spelling in (f"İ{name[1:]}", f"ı{name[1:]}", f"i\u0307{name[1:]}"):
                body = {"username": f"{spelling}@picshare.example", "password": "not this one"}
                (await api.visitor.call("POST", "/tokens", json=body)).expect(429)


async def change(user: ApiUser, email: str, password: str = PASSWORD) -> dict[str, object]:
    """Begin to change an address."""
    body = {"email": email, "password": password}
    state: dict[str, object] = (await user.call("POST", "/users/me/email", json=body)).expect(202)
    return state


async def answer(api: Api, token: str, action: str = "confirm") -> dict[str, object]:
    """Answer to a change by the link of a mail."""
    response = await api.visitor.call("POST", f"/email-changes/{token}", json={"action": action})
    found: dict[str, object] = response.expect(200)
    return found


async def test_a_verified_address_confirms_its_change(api: Api) -> None:
    """The change takes effect when both addresses have confirmed it, and the former one gets a notice."""
    box = Postbox()
    ann = await api.user("ann")
    await verify(api, box)
    problem = await ann.call("POST", "/users/me/email", json={"email": "new@example.org", "password": "wrong one"})
    assert problem.expect(403)["code"] == "wrong_password"
    problem = await ann.call("POST", "/users/me/email", json={"email": ANN.upper(), "password": PASSWORD})
    assert problem.expect(409)["code"] == "email_unchanged"
    async with api.services.db.transaction() as tx:
        await tx.execute("UPDATE sessions SET authenticated_at = now() - interval '1 day'")
    problem = await ann.call("POST", "/users/me/email", json={"email": "new@example.org"})
    assert problem.expect(403)["code"] == "reauthentication_required"
    state = await change(ann, "new@example.org")
    assert state["change"] == {
        "email": "new@example.org",
        "new_confirmed": False,
        "old_confirmed": False,
        "expires_at": state["change"]["expires_at"],  # type: ignore[index]
    }
    await send_mails(api.services, box)
    mails = {mail.recipient: mail for mail in box.take()}
    assert set(mails) == {ANN, "new@example.org"}
    assert await answer(api, mails["new@example.org"].token) == {"state": "waiting", "email": "new@example.org"}
    repeated = await api.visitor.call("POST", f"/email-changes/{mails['new@example.org'].token}", json={})
    assert repeated.expect(410)["code"] == "link_used"
    assert (await ann.call("GET", "/users/me")).expect(200)["email"] == ANN
    assert await answer(api, mails[ANN].token) == {"state": "changed", "email": "new@example.org"}
    account = (await ann.call("GET", "/users/me")).expect(200)
    assert (account["email"], account["email_verified"]) == ("new@example.org", True)
    await send_mails(api.services, box)
    notice = box.one()
    assert (notice.recipient, notice.subject) == (ANN, "The e-mail address of your account was changed")
    # The former address is free, and leads to the account no more.
    assert await sign_in(api, ANN) is None
    assert await sign_in(api, "new@example.org") == "ann"
    ben = await sign_up(api, "ben", ANN)
    await verify(api, box)
    assert await verified(api, ben)


async def test_each_end_can_stop_a_change(api: Api) -> None:
    """A change that either address or the user stops has no effect, and its links are used up."""
    box = Postbox()
    ann = await api.user("ann")
    await verify(api, box)
    for stopped_by in (ANN, "new@example.org", "user"):
        await change(ann, "new@example.org")
        await send_mails(api.services, box)
        mails = {mail.recipient: mail for mail in box.take()}
        if stopped_by == "user":
            (await ann.call("DELETE", "/users/me/email/change")).expect(204)
        else:
            assert await answer(api, mails[stopped_by].token, "stop") == {"state": "stopped", "email": None}
        for recipient in {*mails} - {stopped_by}:
            response = await api.visitor.call("POST", f"/email-changes/{mails[recipient].token}", json={})
            assert response.expect(410)["code"] == "link_used"
        state = (await ann.call("GET", "/users/me/email")).expect(200)
        assert (state["email"], state["change"]) == (ANN, None)
    wrong = await api.visitor.call("POST", f"/email-changes/{mails[ANN].token}", json={"action": "perhaps"})
    assert wrong.expect(422)["errors"][0]["field"] == "action"


async def test_an_address_that_is_not_verified_need_not_confirm_its_change(api: Api) -> None:
    """A user who has mistyped the address corrects it by a link to the right one alone."""
    box = Postbox()
    ann = await sign_up(api, "ann", "mistyped@picshare.example")
    await send_mails(api.services, box)
    mistyped = box.one()
    assert (await change(ann, ANN))["change"]["old_confirmed"] is None  # type: ignore[index]
    await send_mails(api.services, box)
    assert await answer(api, box.one().token) == {"state": "changed", "email": ANN}
    assert await verified(api, ann)
    # The link to the former address verifies nothing any more.
    response = await api.visitor.call("POST", f"/email-verifications/{mistyped.token}")
    assert response.expect(410)["code"] == "link_used"


async def test_a_change_to_an_address_of_another_account_is_disclosed_to_its_owner_alone(api: Api) -> None:
    """The response and the other mail are as always; the owner of the address gets another mail, without a link."""
    box = Postbox()
    await api.user("ann")
    await verify(api, box)
    mallory = await sign_up(api, "mallory", "mallory@picshare.example")
    await verify(api, box)
    assert (await change(mallory, ANN))["change"]["new_confirmed"] is False  # type: ignore[index]
    await send_mails(api.services, box)
    mails = {mail.recipient: mail for mail in box.take()}
    assert mails[ANN].subject == "You already have an account"
    assert "mallory" not in mails[ANN].text
    assert await answer(api, mails["mallory@picshare.example"].token) == {"state": "waiting", "email": ANN}


async def test_of_two_changes_to_one_address_one_takes_effect(api: Api) -> None:
    """Confirmations at the same moment leave the address with one account, and the other with its own."""
    box, both = Postbox(), [await sign_up(api, name, f"{name}@picshare.example") for name in ("ann", "ben")]
    await send_mails(api.services, box)
    box.take()
    for user in both:
        await change(user, "both@example.org")
    await send_mails(api.services, box)
    paths = [f"/email-changes/{mail.token}" for mail in box.take()]
    responses = await asyncio.gather(*(api.visitor.call("POST", path, json={}) for path in paths))
    assert sorted(response.status for response in responses) == [200, 409]
    assert sorted([await verified(api, user) for user in both]) == [False, True]


async def test_mails_to_one_address_are_rationed(api: Api) -> None:
    """Whatever many clients request, an address gets a few mails an hour."""
    box = Postbox()
    for number in range(12):
        await sign_up(api, f"user{number}", ANN)
    await send_mails(api.services, box)
    assert len(box.take()) == 10


async def test_the_mails_that_a_user_requests_are_limited(services: InspectableServices) -> None:
    """A user requests a few mails an hour, and gets a 429 beyond."""
    async with running_api(with_limits(services, account_mails="2/h")) as api:
        ann = await api.user("ann")
        for _ in range(2):
            (await ann.call("POST", "/users/me/email/verification")).expect(202)
        (await ann.call("POST", "/users/me/email/verification")).expect(429)
