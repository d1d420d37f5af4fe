"""The rate limiter, on quotas in memory: what is charged, and which error a refusal is."""

from __future__ import annotations

import dataclasses

import pytest

from server.config.section import from_sections
from server.config.settings import Settings
from server.identity.errors import RateLimitedError, SessionRevokedError
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import RateLimits
from tests.support.memory_quotas import MemoryQuotas

LIMITS = from_sections(RateLimits, Settings().limits)


async def test_a_user_is_charged_by_the_name_of_the_limit() -> None:
    """The charge has the policy of the name, with the limit of the settings."""
    quotas = MemoryQuotas()
    charge = await RateLimiter(quotas, LIMITS).check_user("likes", 7, "s")
    assert quotas.charged == [("likes", "7 s")]
    assert charge.policy == LIMITS.policy("likes")


async def test_a_revoked_session_is_refused_before_its_rate_limit() -> None:
    """A revoked session raises its own error, even when the limit is used up, too."""
    limiter = RateLimiter(MemoryQuotas("reads", revoked=True), LIMITS)
    with pytest.raises(SessionRevokedError):
        await limiter.check_user("reads", 7, "s")


async def test_an_ipv6_address_counts_by_its_networks() -> None:
    """Addresses of one /64 are one subject; networks of one /48 share another, which may do four times as much."""
    quotas = MemoryQuotas()
    limiter = RateLimiter(quotas, LIMITS)
    for address in ("2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:3::1"):
        charge = await limiter.check_address("anonymous", address)
        assert charge.policy == LIMITS.policy("anonymous")
    assert [subject for _, subject in quotas.charged] == [
        "addr:2001:db8:1:2::",
        "addr:2001:db8:1::/48",
        "addr:2001:db8:1:2::",
        "addr:2001:db8:1::/48",
        "addr:2001:db8:1:3::",
        "addr:2001:db8:1::/48",
    ]
    assert set(quotas.limits.values()) == {LIMITS.policy("anonymous").limit, 4 * LIMITS.policy("anonymous").limit}


@pytest.mark.parametrize("address", ["203.0.113.1", "::ffff:203.0.113.1", "unknown"])
async def test_an_ipv4_address_counts_by_itself(address: str) -> None:
    """An address that is not IPv6 is charged once."""
    quotas = MemoryQuotas()
    await RateLimiter(quotas, LIMITS).check_address("anonymous", address)
    assert len(quotas.charged) == 1


async def test_the_first_limit_that_is_used_up_is_reported() -> None:
    """Of several limits the error names the first that refuses, and a wait of at least a second."""
    limiter = RateLimiter(MemoryQuotas("sign_in_account", "sign_in_address"), LIMITS)
    with pytest.raises(RateLimitedError, match='"sign_in_account" is used up') as caught:
        await limiter.check_address("sign_in_address", "2001:db8::1", ("sign_in_account", "a"))
    assert str(caught.value).endswith("Try again in 1 s.")


def test_an_unknown_limit_is_an_error() -> None:
    """A name that is no field of the settings has no policy, and every field has one."""
    limiter = RateLimiter(MemoryQuotas(), LIMITS)
    with pytest.raises(KeyError):
        limiter.policy("unknown")
    for field in dataclasses.fields(LIMITS):
        assert limiter.policy(field.name).name == field.name
