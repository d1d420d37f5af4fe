"""Rate limits: which class of request may come how often, and the headers that announce it.

Signed-in people are counted by themselves, everybody else by address. The header fields follow
draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy: "reads";q=1200;w=60` is the rule, and
`RateLimit: "reads";r=1199;t=1` what is left of it and after how many seconds all of it is back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from server.config.section import parse_rate
from storage.limits.quotas import Quota, QuotaPolicy


@dataclass(frozen=True, kw_only=True)
class RateLimits:
    """A rate for each class of request, as "1200/m"; the whole rate may be used at once and then refills evenly.

    The defaults are those of the section `[limits]` of the settings.
    """

    reads: str
    writes: str
    likes: str
    follows: str
    uploads: str
    anonymous: str
    sign_in_account: str
    sign_in_address: str
    sign_up_address: str

    def policy(self, name: str) -> QuotaPolicy:
        """Return the policy of a class, by its field's name."""
        limit, window = parse_rate(str(getattr(self, name)))
        return QuotaPolicy(name=name, limit=limit, window_seconds=window)


def address_subject(address: str) -> str:
    """Return whom an address counts as: itself, or its /64 network, which is what one IPv6 customer holds."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "addr:unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return f"addr:{parsed.ipv4_mapped}"
        return f"addr:{IPv6Address(int(parsed) >> 64 << 64)}"
    return f"addr:{parsed}"


def rate_limit_headers(policy: QuotaPolicy, quota: Quota) -> dict[str, str]:
    """Return the header fields of an answer: the rule, what is left, and after a refusal when to come back."""
    fields = {
        "RateLimit-Policy": f'"{policy.name}";q={policy.limit};w={policy.window_seconds}',
        "RateLimit": f'"{policy.name}";r={quota.remaining};t={math.ceil(quota.reset_after)}',
    }
    if not quota.allowed:
        fields["Retry-After"] = str(max(1, math.ceil(quota.retry_after)))
    return fields
