"""The section `[outbound]`: requests to addresses that users supply."""

from __future__ import annotations

from pydantic import Field, field_validator

from server.config.section import Networks, Numbers, Section
from workers.outbound.policy import OutboundPolicy

_POLICY = OutboundPolicy()


class OutboundSection(Section):
    """Requests to addresses that users supply, as those of webhooks; by default https to public addresses alone."""

    allow_http: bool = Field(
        default=False,
        description="Whether URLs may begin with `http://`. What is sent there can be read and changed on its way.",
    )
    ports: Numbers = Field(
        default=tuple(sorted(_POLICY.ports or ())),
        description="Ports that URLs may have; add 80 with `allow_http`. Any other, as 22 or 6379, would let users "
        "probe services that do not speak HTTP.",
    )
    allowed_networks: Networks = Field(
        default=(),
        description="Networks to which requests are sent although their addresses are not public, for example "
        "`10.0.5.7` of a moderation service of your own. Danger: every user who may supply an address can then send "
        "requests to each service in them, from inside; name single addresses, and none of a service that trusts "
        "its network. Addresses of clouds' metadata services stay refused.",
    )

    @field_validator("ports")
    @classmethod
    def _are_ports(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or not all(1 <= port <= 65535 for port in value):
            raise ValueError("it should have one port or more, from 1 to 65535")
        return value
