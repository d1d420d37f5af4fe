"""The settings of live connections."""

from __future__ import annotations

import math

from pydantic import Field, ValidationInfo, field_validator

from server.config.section import Section


class LiveSection(Section):
    """Live connections."""

    ping_interval: float = Field(
        default=25.0, gt=0, description="Seconds between the pings that keep a connection alive."
    )
    pong_deadline: float = Field(
        default=8.0,
        gt=0,
        validate_default=True,
        description="Seconds that a client has to answer a ping; shorter than `ping_interval`.",
    )
    connect_deadline: float = Field(
        default=10.0, gt=0, description="Seconds that a client has to sign in after connecting."
    )
    write_buffer_bytes: int = Field(
        default=1_048_576,
        ge=65_536,
        description="Unsent bytes of one connection, beyond which it is closed to recover later.",
    )
    connections_per_user: int = Field(default=20, ge=1, description="Live connections of one person, in each process.")
    connections_per_address: int = Field(
        default=5000, ge=1, description="Live connections from one address, in each process."
    )
    drain_seconds: float = Field(
        default=3.0, ge=0, description="Seconds over which connections are closed when a process stops."
    )
    drain_rate: float = Field(
        default=1000.0,
        gt=0,
        description="Most connections closed a second when a process stops, since all of them come back to others; "
        "with very many, stopping takes longer than `drain_seconds`.",
    )
    presence_grace: float = Field(
        default=10.0,
        ge=0,
        le=45,
        description="Seconds for which a person who has left is still said to be online, since most come right back. "
        "At most 45, so that who has gone is known within a minute.",
    )

    @field_validator("pong_deadline")
    @classmethod
    def _comes_before_the_next_ping(cls, value: float, info: ValidationInfo) -> float:
        if value >= info.data.get("ping_interval", math.inf):
            raise ValueError("it should be shorter than live.ping_interval")
        return value
