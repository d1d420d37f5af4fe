"""The section `[live]`: live connections."""

from __future__ import annotations

import math

from pydantic import Field, ValidationInfo, field_validator

from channels.contract.settings import LiveSettings
from server.config.section import Section

_LIVE = LiveSettings()


class LiveSection(Section):
    """Live connections."""

    ping_interval: float = Field(
        default=_LIVE.ping_interval, gt=0, description="Seconds between the pings that keep a connection alive."
    )
    pong_deadline: float = Field(
        default=_LIVE.pong_deadline,
        gt=0,
        validate_default=True,
        description="Seconds in which a client must answer a ping; less than `ping_interval`.",
    )
    connect_deadline: float = Field(
        default=_LIVE.connect_deadline, gt=0, description="Seconds in which a new connection must sign in."
    )
    write_buffer_bytes: int = Field(
        default=_LIVE.write_buffer_bytes,
        ge=65_536,
        description="Maximum of unsent bytes of one connection; beyond it the connection is closed, and the client "
        "recovers what it missed.",
    )
    connections_per_user: int = Field(
        default=_LIVE.connections_per_user, ge=1, description="Maximum of live connections of one user in each process."
    )
    connections_per_address: int = Field(
        default=_LIVE.connections_per_address,
        ge=1,
        description="Maximum of live connections from one address in each process.",
    )
    drain_seconds: float = Field(
        default=_LIVE.drain_seconds, ge=0, description="Seconds over which a stopping process closes its connections."
    )
    drain_rate: float = Field(
        default=_LIVE.drain_rate,
        gt=0,
        description="Maximum of connections that a stopping process closes per second, because all of them reconnect "
        "to other processes. With very many connections, closing takes longer than `drain_seconds`.",
    )
    presence_grace: float = Field(
        default=_LIVE.presence_grace,
        ge=0,
        le=45,
        description="Seconds after the last connection of a user ends until the user is shown as offline, because most "
        "users reconnect at once. At most 45, so that presence is correct within a minute.",
    )

    @field_validator("pong_deadline")
    @classmethod
    def _is_less_than_the_ping_interval(cls, value: float, info: ValidationInfo) -> float:
        if value >= info.data.get("ping_interval", math.inf):
            raise ValueError("it should be shorter than live.ping_interval")
        return value
