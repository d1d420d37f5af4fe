"""One-time codes: the vectors of RFC 4226 and 6238, and which steps are accepted."""

from __future__ import annotations

import pytest

from server.identity import recovery_codes, totp

SECRET = b"12345678901234567890"  # of the RFCs


@pytest.mark.parametrize(
    ("step", "code"),
    # RFC 4226, appendix D, and RFC 6238, appendix B: the last six of its eight digits.
    [(0, "755224"), (1, "287082"), (9, "520489"), (59 // 30, "287082"), (1111111109 // 30, "081804"),
     (1111111111 // 30, "050471"), (1234567890 // 30, "005924"), (2000000000 // 30, "279037")],
)  # fmt: skip
def test_codes_are_those_of_the_rfcs(step: int, code: str) -> None:
    """Each vector has its code."""
    assert totp.code_at(SECRET, step) == code


def test_a_code_of_the_step_before_and_after_is_accepted() -> None:
    """A clock may differ by one step of 30 seconds, and no more."""
    now = 1_000_000_000.0
    present = int(now) // 30
    found = {
        offset: totp.matching_step(SECRET, totp.code_at(SECRET, present + offset), now=now) for offset in range(-2, 3)
    }
    assert found == {-2: None, -1: present - 1, 0: present, 1: present + 1, 2: None}


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "１２３４５６", "755 22"])
def test_what_is_no_code_is_refused(code: str) -> None:
    """A text of other than six ASCII digits is of no step."""
    assert totp.matching_step(SECRET, code, now=0.0) is None


def test_the_uri_names_the_account() -> None:
    """The URI has the secret in base 32, and its texts are escaped."""
    uri = totp.provisioning_uri(SECRET, account="ann & co", issuer="PicShare")
    assert uri == ("otpauth://totp/PicShare:ann%20%26%20co?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=PicShare")


def test_recovery_codes_are_found_however_they_are_typed() -> None:
    """Case, hyphens and blanks do not count; other texts are no codes."""
    codes = recovery_codes.new_codes()
    assert len(set(codes)) == 10
    assert {len(code) for code in codes} == {19}
    digest = recovery_codes.digest_of(codes[0])
    assert digest is not None
    assert recovery_codes.digest_of(f" {codes[0].upper().replace('-', ' ')} ") == digest
    for text in ("", "123456", codes[0][:-1], codes[0] + "a", "é" * 16):
        assert recovery_codes.digest_of(text) is None


def test_a_secret_has_the_length_of_the_hash() -> None:
    """It is random, of 160 bits (RFC 4226, section 4)."""
    assert len({totp.new_secret() for _ in range(3)}) == 3
    assert len(totp.new_secret()) == 20


def test_there_is_no_step_before_the_epoch() -> None:
    """A clock that has not been set does not make a sign-in fail with an error."""
    secret = bytes(20)
    assert totp.matching_step(secret, totp.code_at(secret, 1), now=0) == 1
    assert totp.matching_step(secret, totp.code_at(secret, 2), now=0) is None
