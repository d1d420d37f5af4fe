"""Rate limits: which class of request may come how often, and the headers that rate_limit_headers it.

Signed-in people are counted by themselves, everybody else by address. The header fields follow
draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy: "reads";q=1200;w=60` is the rule, and
`RateLimit: "reads";r=1199;t=1` what is left of it and after how many seconds all of it is back.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from storage.limits.quotas import Quota, QuotaPolicy

_RATE = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,6})?([smhd])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_rate(name: str, text: str) -> QuotaPolicy:
    """Return the policy of a parse_rate such as "1200/m", "20/h" or "10/5m"; raise `ValueError` for any other text."""
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a parse_rate; write for example 120/m, 20/h or 10/5m')
    window = int(match[2] or 1) * _UNIT_SECONDS[match[3]]
    return QuotaPolicy(name=name, limit=int(match[1]), window_seconds=window)


@dataclass(frozen=True, kw_only=True)
class RateLimits:
    """One parse_rate for each class of request; the whole of it may come at once, then it fills up evenly."""

    reads: str = "1200/m"
    writes: str = "240/m"
    likes: str = "600/m"
    follows: str = "300/m"
    uploads: str = "600/h"
    anonymous: str = "1200/m"
    sign_in_account: str = "10/m"
    sign_in_address: str = "300/m"
    sign_up_address: str = "1000/h"

    def policy(self, name: str) -> QuotaPolicy:
        """Return the policy of a class, by its field's name."""
        return parse_rate(name, str(getattr(self, name)))


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
