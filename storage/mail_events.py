"""Events about mails. They carry no secret: a worker makes the tokens that a mail contains."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from storage.event import Event
from storage.ids import SHARDS


@dataclass(frozen=True, kw_only=True)
class MailRequested(Event):
    """A mail of a kind (`storage.mails.MailKind`) is to be sent to a user; its content is read when it is sent."""

    topic: ClassVar[str] = "mail.requested"
    user_id: int
    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PasswordResetRequested(Event):
    """The password of the account with an e-mail address is to be reset, if there is one.

    Which account that is, a worker finds: so the request takes the same time for every address.
    """

    topic: ClassVar[str] = "password_reset.requested"
    address: str

    @property
    def key(self) -> str:
        """Return a digest of the address, which is not for logs."""
        return hashlib.sha256(self.address.lower().encode()).hexdigest()[:16]

    @property
    def shard(self) -> int:
        """Return a shard for the address."""
        return int(self.key, 16) % SHARDS
