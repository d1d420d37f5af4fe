"""Verdicts in responses, and the tokens of verdicts that are given later."""

from __future__ import annotations

import json
from typing import Any

import pytest

from storage import ids
from storage.moderation import ModerationAction
from workers.webhooks.verdict_tokens import TTL, VerdictTokenError, VerdictTokens
from workers.webhooks.verdicts import BadVerdictError, VerdictKind, verdict_in

PHOTO, OTHER, ENDPOINT = 1 << 40, 1 << 41, 1 << 42


@pytest.mark.parametrize(
    "body",
    [b"", b"ok", b"[]", b'"hide"', b"{}", b'{"verdict": null}', b'{"challenge": "x"}', b"\xff", b"[" * 10_000],
)
def test_a_response_without_a_verdict(body: bytes) -> None:
    """Any body that is no object with a verdict is none, however it looks."""
    assert verdict_in(body) is None


def test_a_verdict_in_a_response() -> None:
    """The verdict comes with its reason, its rule and labels; other members are ignored."""
    body = {"verdict": "hide", "reason": "nudity ", "rule": "adult", "labels": {"nudity": 0.9, "faces": 2, "kind": "x"}}
    found = verdict_in(json.dumps({**body, "more": [1]}).encode())
    assert found is not None
    assert (found.verdict, found.verdict.action, found.reason) == (VerdictKind.HIDE, ModerationAction.HIDE, "nudity")
    assert (found.rule, dict(found.labels)) == ("adult", {"nudity": 0.9, "faces": 2.0, "kind": "x"})


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"verdict": "delete"}, "verdict"),
        ({"verdict": ["hide"]}, "verdict"),
        ({"verdict": "hold"}, "verdict"),
        ({"verdict": "hide", "reason": "x" * 501}, "reason"),
        ({"verdict": "hide", "reason": "a\0b"}, "reason"),
        ({"verdict": "hide", "rule": 7}, "rule"),
        ({"verdict": "hide", "labels": {str(n): 1 for n in range(51)}}, "labels"),
        ({"verdict": "hide", "labels": {"x": {"y": 1}}}, "labels.x"),
        ({"verdict": "hide", "labels": {"x": float("nan")}}, "labels.x"),
        ({"verdict": "hide", "labels": {"x": "a\0b"}}, "labels.x"),
        ({"verdict": "hide", "labels": {"x": "1" * 101}}, "labels.x: This should be a text of at most 100 "),
        ({"verdict": "hide", "labels": {"x": 10**400}}, "labels.x: This should be a text of at most 100 "),
        ({"verdict": "hide", "labels": {"x": None}}, "labels.x: This should be a text of at most 100 "),
    ],
)
def test_a_verdict_that_is_not_usable(body: dict[str, Any], place: str) -> None:
    """The error says which member is wrong."""
    with pytest.raises(BadVerdictError, match=f"not used: {place}"):
        verdict_in(json.dumps(body).encode())


class Clock:
    """A time that a test changes."""

    now = 1_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def code_of(tokens: VerdictTokens, token: str, photo_id: int) -> str:
    """Return the code of the error of a token, "" if it is valid."""
    try:
        tokens.verify(token, photo_id=photo_id)
    except VerdictTokenError as error:
        return error.code
    return ""


def test_a_token_is_for_one_photo_and_a_week() -> None:
    """It names photo and endpoint; for another photo, and after a week, it says why it is refused."""
    clock = Clock()
    tokens = VerdictTokens(b"secret", clock=clock)
    token = tokens.mint(PHOTO, ENDPOINT)
    assert tokens.verify(token, photo_id=PHOTO).endpoint_id == ENDPOINT
    with pytest.raises(VerdictTokenError, match=ids.encode(PHOTO)):
        tokens.verify(token, photo_id=OTHER)
    assert code_of(tokens, token, OTHER) == "verdict_for_another_photo"
    clock.now += TTL - 1
    assert code_of(tokens, token, PHOTO) == ""
    clock.now += 1
    assert code_of(tokens, token, PHOTO) == "verdict_token_expired"
    assert tokens.mint(PHOTO, ENDPOINT) != token


def test_a_token_of_another_secret_or_with_a_change_is_refused() -> None:
    """Only what PicShare has made is accepted: no part of it can be replaced."""
    tokens = VerdictTokens(b"secret")
    token, other = tokens.mint(PHOTO, ENDPOINT), tokens.mint(OTHER, ENDPOINT)
    parts, others = token.split("."), other.split(".")
    forged = [".".join([*parts[:at], others[at], *parts[at + 1 :]]) for at in (0, 3)]
    forged += [f"{parts[0]}.{parts[1]}.9999999999.{parts[3]}", token[:-1], token + "é", "", ".", "...", "x.y.z.w"]
    for each in forged:
        assert code_of(tokens, each, PHOTO) == "verdict_token_invalid", each
    assert code_of(VerdictTokens(b"other"), token, PHOTO) == "verdict_token_invalid"
    assert code_of(VerdictTokens(b"other", previous=(b"secret",)), token, PHOTO) == ""
