"""Passkeys: what an authenticator must answer, and what is refused."""

from __future__ import annotations

import copy
import secrets
from typing import Any

import pytest

from server.identity.errors import PasskeyError
from server.identity.relying_party import RelyingParty
from storage import ids
from tests.support.authenticator import Authenticator

URL = "https://photos.example.com"
PARTY = RelyingParty(URL)


def authenticator(**options: Any) -> Authenticator:
    """Return an authenticator in a browser that shows the service."""
    return Authenticator(**{"rp_id": "photos.example.com", "origin": URL, **options})


def creation(challenge: bytes) -> dict[str, Any]:
    """Return the options of a new credential."""
    return PARTY.creation_options(challenge, user_id=7, username="ann", display_name="Ann", present=[b"old"])


def test_a_passkey_is_made_and_signs() -> None:
    """A credential that was made for a challenge signs others, and the authenticator's count is kept."""
    device, challenge = authenticator(), secrets.token_bytes(32)
    options = creation(challenge)
    assert options["rp"]["id"] == "photos.example.com"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "preferred"
    assert [item["id"] for item in options["excludeCredentials"]] == ["b2xk"]
    made = device.make(options)
    assert PARTY.challenge_of_registration(made) == challenge
    new = PARTY.register(made, challenge)
    assert (new.credential_id, new.sign_count, new.transports) == (device.credential_id, 0, ["internal"])

    challenge = secrets.token_bytes(32)
    answer = device.sign(PARTY.request_options(challenge))
    claimed = PARTY.assertion(answer)
    assert (claimed.user_id, claimed.credential_id, claimed.challenge) == (7, device.credential_id, challenge)
    verified = PARTY.verify(answer, challenge, public_key=new.public_key, sign_count=0)
    assert (verified.sign_count, verified.user_verified) == (1, True)
    with pytest.raises(PasskeyError):
        PARTY.verify(answer, challenge, public_key=new.public_key, sign_count=1)


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({"origin": "https://evil.example"}, {}),
        ({"origin": "https://photos.example.com.evil.example"}, {}),
        ({"origin": "http://photos.example.com"}, {}),
        ({"rp_id": "example.com"}, {}),
        ({}, {"challenge": "AAAA"}),
        ({}, {"type": "webauthn.other"}),
    ],
)
def test_answers_for_another_site_or_challenge_are_refused(options: dict[str, Any], changes: dict[str, Any]) -> None:
    """An answer of another origin, relying party, challenge or type is refused, at both steps."""
    challenge = secrets.token_bytes(32)
    with pytest.raises(PasskeyError):
        PARTY.register(authenticator(**options).make(creation(challenge), **changes), challenge)
    device = authenticator()
    new = PARTY.register(device.make(creation(challenge)), challenge)
    device.rp_id, device.origin = options.get("rp_id", device.rp_id), options.get("origin", device.origin)
    answer = device.sign(PARTY.request_options(challenge), **changes)
    with pytest.raises(PasskeyError):
        PARTY.verify(answer, challenge, public_key=new.public_key, sign_count=0)


def test_a_passkey_of_another_authenticator_is_refused() -> None:
    """The signature must be that of the key that was registered."""
    challenge = secrets.token_bytes(32)
    mine, other = authenticator(), authenticator()
    new = PARTY.register(mine.make(creation(challenge)), challenge)
    other.make(creation(challenge))
    other.credential_id = mine.credential_id
    with pytest.raises(PasskeyError):
        PARTY.verify(other.sign(PARTY.request_options(challenge)), challenge, public_key=new.public_key, sign_count=0)


def test_damaged_answers_are_refused() -> None:
    """Whatever a client sends in a field, the answer is refused and nothing else happens."""
    challenge = secrets.token_bytes(32)
    device = authenticator()
    made = device.make(creation(challenge))
    answer = device.sign(PARTY.request_options(challenge))
    junk: list[Any] = [None, 7, "", "é", "AAAA", "o2NmbXQ", [], {}, "A" * 5000]
    for whole, check in ((made, _register), (answer, _verify)):
        for name in whole["response"]:
            for value in junk:
                broken = copy.deepcopy(whole)
                broken["response"][name] = value
                if broken["response"] != whole["response"] and name != "transports":
                    with pytest.raises(PasskeyError):
                        check(broken)
        for broken in ({}, {"id": 1}, {**whole, "response": None}, {**whole, "rawId": "é"}):
            with pytest.raises(PasskeyError):
                check(broken)


def _register(credential: dict[str, Any]) -> None:
    PARTY.register(credential, PARTY.challenge_of_registration(credential))


def _verify(credential: dict[str, Any]) -> None:
    challenge = PARTY.assertion(credential).challenge
    PARTY.verify(credential, challenge, public_key=b"", sign_count=0)


@pytest.mark.parametrize(
    ("url", "domain", "available"),
    [
        ("https://photos.example.com", "photos.example.com", True),
        ("http://127.0.0.1:8080", "localhost", True),
        ("http://[::1]:8080", "localhost", True),
        ("http://192.0.2.1", "192.0.2.1", False),
    ],
)
def test_the_domain_is_that_of_the_public_url(url: str, domain: str, available: bool) -> None:
    """A loopback address is called localhost, because browsers accept no address."""
    party = RelyingParty(url)
    assert (party.id, party.available) == (domain, available)


def test_a_user_handle_is_the_id() -> None:
    """It has nothing of the user's name, which may change."""
    assert creation(b"x")["user"]["id"] not in {"ann", "Ann"}
    device = authenticator()
    device.make(creation(b"x" * 32))
    assert PARTY.assertion(device.sign(PARTY.request_options(b"x" * 32))).user_id == 7
    assert ids.encode(7) not in creation(b"x")["user"]["id"]
