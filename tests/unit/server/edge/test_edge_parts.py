"""Parts of the edge: client addresses, rate limits, problems, passwords, request models, access log."""

from __future__ import annotations

import asyncio
import errno
import json
import re
from ipaddress import ip_network
from typing import Any, Literal

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from argon2 import PasswordHasher
from pydantic import BaseModel, ValidationError

from server.config.limits import LimitsSection
from server.config.section import from_sections, parse_rate
from server.edge.access_log import AccessRecord, JsonLines
from server.edge.client_addresses import ClientAddresses
from server.edge.fields import ID_PATTERN, NAME_OR_ID_PATTERN
from server.edge.mail_requests import PasswordResetRequest
from server.edge.notification_requests import NotificationSelection
from server.edge.paging import BadCursorError
from server.edge.photo_requests import PhotoMetadata
from server.edge.problem import invalid
from server.edge.problems import problem_of
from server.edge.requests import AccountUpdate, CommentCreate, PhotosQuery, SearchQuery, SignUpRequest
from server.identity import passwords
from server.identity.errors import PasswordsBusyError
from server.identity.passwords import Passwords
from server.identity.rate_limits import Charge, RateLimits, address_subject, rate_limit_headers
from storage.errors import ConflictError, FullError, InvalidValueError, NotFoundError, SchemaError, UnavailableError
from storage.ids import decode
from storage.limits.quotas import Quota, QuotaPolicy
from workers.outbound.errors import UrlRefusedError


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("198.51.100.7", None, "198.51.100.7"),
        ("198.51.100.7", "203.0.113.1", "198.51.100.7"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.1", "203.0.113.1"),
        ("10.0.0.1", "1.2.3.4, 203.0.113.1", "203.0.113.1"),
        ("10.0.0.1", "203.0.113.1, 10.0.0.2", "203.0.113.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", ", ".join(["10.0.0.2"] * 50), "10.0.0.2"),
        ("10.0.0.1", "203.0.113.1:4711", "203.0.113.1"),
        ("10.0.0.1", "203.0.113.1, 10.0.0.2:80", "203.0.113.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.1", '"[2001:db8::1]:4711"', "2001:db8::1"),
        ("10.0.0.1", "203.0.113.1:", "10.0.0.1"),
        ("10.0.0.1", "[10.0.0.2", "10.0.0.1"),
        ("::ffff:10.0.0.1", "203.0.113.1", "203.0.113.1"),
    ],
)
def test_the_client_s_address(peer: str, forwarded: str | None, address: str) -> None:
    """The header is read from the right, and only entries by trusted proxies count."""
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)
    assert ClientAddresses([ip_network("10.0.0.0/8")]).of(request) == address


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("203.0.113.1", "addr:203.0.113.1"),
        ("::ffff:203.0.113.1", "addr:203.0.113.1"),
        ("2001:db8:1:2:3:4:5:6", "addr:2001:db8:1:2::"),
        ("unknown", "addr:unknown"),
    ],
)
def test_the_subject_of_an_address(address: str, subject: str) -> None:
    """An IPv6 customer holds a /64 network, which counts as one subject."""
    assert address_subject(address) == subject


@pytest.mark.parametrize(("text", "limit", "seconds"), [("120/m", 120, 60), ("10/5m", 10, 300), ("1/d", 1, 86400)])
def test_rates_are_read(text: str, limit: int, seconds: int) -> None:
    """So many in a number of seconds, minutes, hours or days."""
    assert parse_rate(text) == (limit, seconds)


@pytest.mark.parametrize("text", ["", "0/m", "-1/m", "10", "10/", "10/w", "ten/m", "1/0m", "1.5/m"])
def test_other_texts_are_no_rates(text: str) -> None:
    """The error shows how to write one."""
    with pytest.raises(ValueError, match="write a rate as"):
        parse_rate(text)


def test_every_default_is_a_rate() -> None:
    """The defaults can be read."""
    limits = from_sections(RateLimits, LimitsSection())
    assert all(limits.policy(name).limit > 0 for name in RateLimits.__dataclass_fields__)


def test_a_refusal_has_retry_after() -> None:
    """Retry-After is in whole seconds, rounded up, and only refusals have it."""
    policy = QuotaPolicy(name="likes", limit=2, window_seconds=3600)
    used = Quota(allowed=False, limit=2, remaining=0, reset_after=3599.2, retry_after=1799.2)
    assert rate_limit_headers(Charge(policy=policy, quota=used)) == {
        "RateLimit-Policy": '"likes";q=2;w=3600',
        "RateLimit": '"likes";r=0;t=3600',
        "Retry-After": "1800",
    }
    left = Quota(allowed=True, limit=2, remaining=1, reset_after=0.1, retry_after=0)
    assert rate_limit_headers(Charge(policy=policy, quota=left)) == {
        "RateLimit-Policy": '"likes";q=2;w=3600',
        "RateLimit": '"likes";r=1;t=1',
    }


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFoundError("photo"), 404, "photo_not_found"),
        (ConflictError("username_taken", "taken", field="username"), 409, "username_taken"),
        (InvalidValueError("a NUL"), 422, "invalid_input"),
        (UnavailableError("redis", "gone"), 503, "unavailable"),
        (FullError("database", "could not extend file"), 507, "storage_full"),
        (OSError(errno.ENOSPC, "no space"), 507, "storage_full"),
        (OSError(errno.EDQUOT, "quota"), 507, "storage_full"),
        (OSError(errno.EMFILE, "too many open files"), 503, "unavailable"),
        (OSError(errno.ENFILE, "file table overflow"), 503, "unavailable"),
        (PasswordsBusyError("busy"), 503, "busy"),
        (BadCursorError("no"), 400, "invalid_parameter"),
        (web.HTTPNotFound(), 404, "route_not_found"),
        (web.HTTPMethodNotAllowed("PUT", ["GET"]), 405, "method_not_allowed"),
        (web.HTTPRequestEntityTooLarge(1, 2), 413, "body_too_large"),
    ],
)
def test_errors_become_problems(error: Exception, status: int, code: str) -> None:
    """One table maps each exception to its problem."""
    problem = problem_of(error)
    assert problem is not None
    assert (problem.status, problem.code) == (status, code)


def test_an_engine_s_message_is_not_disclosed() -> None:
    """The message of an engine, with addresses and names, stays in the log."""
    problem = problem_of(UnavailableError("database", "10.0.0.5 refused user picshare"))
    assert problem is not None
    assert "10.0.0.5" not in problem.detail


def test_a_refused_url_is_a_problem_of_its_field() -> None:
    """The sentence for the user is that of the check."""
    problem = problem_of(UrlRefusedError("The URL has no host."))
    assert problem is not None
    assert (problem.status, problem.code, problem.errors) == (422, "invalid_input", (("url", "The URL has no host."),))


@pytest.mark.parametrize("error", [RuntimeError("x"), SchemaError("x"), KeyError("x"), OSError(5, "x")])
def test_an_unexpected_exception_has_no_problem(error: Exception) -> None:
    """For any other exception the middleware returns a 500."""
    assert problem_of(error) is None


def test_field_errors_name_their_path() -> None:
    """A field within a list is reported with its index."""

    class Model(BaseModel):
        ids: list[int]

    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"ids": [1, "x"]})
    assert invalid(caught.value).errors[0][0] == "ids.1"


async def test_passwords_are_hashed_and_verified() -> None:
    """The right password is accepted in either Unicode composition; a wrong one, and any without a hash, are not."""
    checker = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    encoded = await checker.hash("grüße an alle")
    assert encoded.startswith("$argon2id$")
    assert await checker.verify(encoded, "gru\u0308ße an alle")
    assert not await checker.verify(encoded, "grusse an alle")
    assert not await checker.verify(None, "grüße an alle")
    assert not await checker.verify("no hash at all", "x")
    checker.close()


async def test_an_unknown_name_costs_as_much_work_as_a_wrong_password() -> None:
    """Both compute one hash; only the first call also makes the decoy."""

    class Counting(PasswordHasher):
        verified = 0

        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            Counting.verified += 1
            return super().verify(hash, password)

    checker = Passwords(Counting(time_cost=1, memory_cost=8, parallelism=1))
    encoded = await checker.hash("x")
    await checker.verify(None, "y")
    await checker.verify(encoded, "y")
    assert Counting.verified == 2
    checker.close()


async def test_a_flood_of_passwords_waits_in_a_bounded_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound it raises `PasswordsBusyError`, and works again afterwards."""
    monkeypatch.setattr(passwords, "QUEUE_LIMIT", 2)
    checker = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1), threads=1)
    outcomes = await asyncio.gather(*(checker.verify(None, "x") for _ in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [bool, bool, *[PasswordsBusyError] * 3]
    assert await checker.verify(None, "x") is False
    checker.close()


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (CommentCreate, {"text": " \n "}),
        (CommentCreate, {"text": "\u200b\n\u3164"}),
        (CommentCreate, {"text": "a" + "\u0301" * 300}),
        (PhotoMetadata, {"caption": "a" + "\u0301" * 300}),
        (PhotoMetadata, {"alt_text": "a" + "\u0301" * 300}),
        (PhotoMetadata, {"location": "a" + "\u0301" * 300}),
        (PhotoMetadata, {"tags": ["a b"]}),
        (PhotoMetadata, {"tags": ["x" * 51]}),
        (PhotosQuery, {"tag": "x" * 101}),
        (SearchQuery, {"query": " "}),
        (SearchQuery, {"query": "\u2800"}),
        (PhotoMetadata, {"caption": "x" * 2201}),
        (PhotoMetadata, {"tags": ["t"] * 31}),
        (PhotoMetadata, {"location": "a\nb\x07"}),
        (AccountUpdate, {"display_name": ""}),
        (AccountUpdate, {"display_name": "\u3164"}),
        (AccountUpdate, {"bio": "a" + "\u0301" * 300}),
        (AccountUpdate, {"settings": {"a": "x" * 9000}}),
        (AccountUpdate, {"settings": {"a": [1e300]}}),
        (AccountUpdate, {"settings": {"a": -(2**70)}}),
        (AccountUpdate, {"settings": {"a": float("nan")}}),
        (AccountUpdate, {"role": "admin"}),
        (SignUpRequest, {"username": "ann", "email": "a@b", "password": "12345678"}),
        (SignUpRequest, {"username": "ann", "email": "a\u3164@example.org", "password": "12345678"}),
    ],
)
def test_input_beyond_its_limits_is_rejected(model: type[BaseModel], fields: dict[str, object]) -> None:
    """Each limit is enforced, and no model accepts unknown fields."""
    with pytest.raises(ValidationError):
        model.model_validate(fields)


def test_an_e_mail_address_is_one_to_which_mail_servers_deliver() -> None:
    """Letters of all scripts may be in both parts; what a mail cannot be addressed to is refused when it is typed."""
    accepted = ["o'brien+tag@b.example", "ä.ö@bücher.example", "a@xn--bcher-kva.example", "!#$%&*/=?^_`{|}~-@b.example"]
    assert [PasswordResetRequest(email=f" {text} ").email for text in accepted] == accepted
    refused = [
        *("<a@b.example>", "a@[127.0.0.1]", "a@b.example%0d%0aBcc:x", '"a"@b.example', "a,b@b.example", "a@b@c.de"),
        *(".a@b.example", "a.@b.example", "a..b@b.example", "a" * 65 + "@b.example", "a@" + "b" * 64 + ".example"),
        *("a@-b.example", "a@b-.example", "a@b_c.example", "a@b..example", "a@b.example.", "a@b.example:25", "a@b"),
    ]
    for text in refused:
        with pytest.raises(ValidationError, match="not an e-mail address"):
            PasswordResetRequest(email=text)


def test_texts_are_stored_in_their_normal_form() -> None:
    """Each field of a photo follows its rule; one of invisible characters alone is empty, a place then missing."""
    photo = PhotoMetadata.model_validate(
        {"caption": "a\r\n" * 2, "alt_text": "\u2800", "location": "\u00ad", "tags": ["Straße", "#STRASSE", "हिन्दी"]}
    )
    assert (photo.caption, photo.alt_text, photo.location, photo.tags) == ("a\na", "", "", ["strasse", "हिन्दी"])
    # A tag that was stored before its letters were folded may be longer than a new one.
    assert PhotosQuery(tag="ß" * 50).tag == "s" * 100


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (5, "An id is a string of 13 characters."),
        (2**70, "An id is a string of 13 characters."),
        (-1, "An id is a string of 13 characters."),
        (1.5, "An id is a string of 13 characters."),
        (True, "An id is a string of 13 characters."),
        (None, "An id is a string of 13 characters."),
        ([], "An id is a string of 13 characters."),
        ("5", "An id has 13 characters; this has 1."),
        ("ZZZZZZZZZZZZZ", "An id has at most 63 bits; this is greater."),
    ],
)
def test_an_id_in_a_body_is_a_text(given: object, message: str) -> None:
    """Numbers and texts out of range are refused with what to send instead."""
    with pytest.raises(ValidationError) as caught:
        NotificationSelection.model_validate({"ids": [given]})
    assert invalid(caught.value).errors == (("ids.0", message),)
    assert NotificationSelection.model_validate({"ids": ["0384604BS2VXG"]}).ids == [decode("0384604BS2VXG")]


@pytest.mark.parametrize(
    ("pattern", "valid", "invalid_texts"),
    [
        (ID_PATTERN, ["0384604BS2VXG", "0384604bs2vxg", "7ZZZZZZZZZZZZ"], ["8000000000000", "0384604BS2VX", "O" * 13]),
        (NAME_OR_ID_PATTERN, ["me", "ann", "a.b_c", "0384604BS2VXG"], ["a", "ann!", "a b", ""]),
    ],
)
def test_the_patterns_of_the_description(pattern: str, valid: list[str], invalid_texts: list[str]) -> None:
    """The patterns of the OpenAPI document fit what the API accepts."""
    assert [text for text in valid if re.search(pattern, text) is None] == []
    assert [text for text in invalid_texts if re.search(pattern, text)] == []


async def test_an_access_log_line_is_one_json_object() -> None:
    """No path can break out of its line."""
    lines: list[str] = []
    JsonLines(lines.append).record(
        AccessRecord(
            request_id="r",
            method="GET",
            path='/x\n{"event":"forged"}',
            status=404,
            duration_ms=1.5,
            address="203.0.113.1",
            user_id=None,
        )
    )
    assert lines == []  # not before the turn's end
    await asyncio.sleep(0)
    (line,) = lines
    assert line.count("\n") == 1
    assert json.loads(line)["event"] == "request"
    assert json.loads(line)["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        (CommentCreate, {}, "text: This field is required."),
        (CommentCreate, {"text": "\u200b"}, "text: This should not be empty."),
        (CommentCreate, {"text": 1}, "text: This should be a string."),
        (CommentCreate, {"text": "x" * 1001}, "text: This may have at most 1000 characters."),
        (CommentCreate, {"text": "x", "likes": 1}, "likes: There is no field of this name."),
        (CommentCreate, [], "body: This should be an object."),
        (AccountUpdate, {"private": "perhaps"}, "private: This should be true or false."),
        (AccountUpdate, {"presence": "all"}, "presence: This should be 'followers' or 'nobody'."),
        (AccountUpdate, {"location_metadata": "all"}, "location_metadata: This should be 'off', 'coarse' or 'exact'."),
        (AccountUpdate, {"settings": {"a": 2**70}}, "settings: Numbers must be from -2^53 to 2^53."),
        (PhotoMetadata, {"tags": ["a"] * 31}, "tags: This may have at most 30 items."),
        (PhotosQuery, {"limit": 101}, "limit: This should be at most 100."),
        (PhotosQuery, {"limit": 0}, "limit: This should be at least 1."),
        (PhotosQuery, {"limit": "1e3"}, "limit: Use a whole number from 1 to 100."),
    ],
)
def test_messages_are_written_for_the_client(model: type[BaseModel], fields: Any, message: str) -> None:
    """The library's sentences about types and models are replaced by sentences about the request."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(fields)
    assert message in invalid(caught.value).detail
