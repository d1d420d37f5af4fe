"""Rate limits by name, the subjects that they count, and the header fields that report them.

Signed-in users are counted by account, other clients by address; an IPv6 client by its /64 and its /48 network. The
header fields follow draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy: "reads";q=1200;w=60` is the rule, and
`RateLimit: "reads";r=1199;t=1` is what is left, and in how many seconds all of it is available again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from server.config.section import parse_rate
from storage.limits.quotas import Quota, QuotaPolicy

READ_QUOTA = "reads"  # of every request that changes nothing
# A /48 may do as much as this many of its /64 networks: it is one site, which may have several users.
SITE_NETWORKS = 4


@dataclass(frozen=True, kw_only=True)
class RateLimits:
    """One rate for each class of request, as "1200/m"; a burst may use all of it at once, then it refills evenly.

    The defaults are those of the section `[limits]` of the settings.
    """

    reads: str
    writes: str
    likes: str
    follows: str
    uploads: str
    searches: str
    reports: str
    new_uploads: str
    new_comments: str
    new_follows: str
    anonymous: str
    sign_in_account: str
    sign_in_address: str
    sign_up_address: str
    second_factor: str
    reset_account: str
    reset_address: str
    account_mails: str
    token_lookups: str
    oauth_address: str
    new_applications: str

    def policy(self, name: str) -> QuotaPolicy:
        """Return the policy of a limit, by the name of its field."""
        limit, window = parse_rate(str(getattr(self, name)))
        return QuotaPolicy(name=name, limit=limit, window_seconds=window)


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """A request that was charged to a rate limit, and what is left of it.

    `local` is True if only this process has counted it, because Redis is away.
    """

    policy: QuotaPolicy
    quota: Quota
    local: bool = False


def address_subject(address: str) -> str:
    """Return the subject that an address counts as: itself, or its /64 network, since one IPv6 customer holds a /64."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return f"addr:{_network(parsed, 64)}"
    return "addr:unknown" if parsed is None else f"addr:{parsed}"


def site_subject(address: str) -> str | None:
    """Return the subject of an IPv6 address's /48 network, or None for any other address.

    A site gets a /48 (RFC 6177), whose owner has 65,536 networks of the size that `address_subject` counts.
    """
    parsed = _parsed(address)
    return f"addr:{_network(parsed, 48)}/48" if isinstance(parsed, IPv6Address) else None


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    # An IPv4 client of a dual-stack socket counts as the same client as over IPv4.
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def _network(address: IPv6Address, bits: int) -> IPv6Address:
    host = 128 - bits
    return IPv6Address(int(address) >> host << host)


def rate_limit_headers(charge: Charge) -> dict[str, str]:
    """Return the header fields of a response: the rule, what is left, and after a refusal when to try again."""
    policy, quota = charge.policy, charge.quota
    fields = {
        "RateLimit-Policy": f'"{policy.name}";q={policy.limit};w={policy.window_seconds}',
        "RateLimit": f'"{policy.name}";r={quota.remaining};t={math.ceil(quota.reset_after)}',
    }
    if not quota.allowed:
        # At least a second: a client that obeys 0 would try again at once and fail again.
        fields["Retry-After"] = str(max(1, math.ceil(quota.retry_after)))
    return fields
