"""Settings of push messages."""

from __future__ import annotations

from dataclasses import dataclass, field

from workers.outbound.policy import OutboundPolicy
from workers.web_push.hosts import PushHosts
from workers.web_push.token_cipher import TokenCipher
from workers.web_push.vapid import VapidKey


@dataclass(frozen=True, kw_only=True)
class PushSettings:
    """What messages are sent with: the key and the contact of the installation, and where they may go.

    `public_url` begins the URLs in messages, and `token_cipher` encrypts the tokens of apps that subscribe.
    """

    key: VapidKey = field(repr=False)
    contact: str | None
    hosts: PushHosts
    policy: OutboundPolicy
    public_url: str
    token_cipher: TokenCipher = field(repr=False)
