"""Settings of live connections; durations in seconds, sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """Limits and intervals of the live layer.

    `allowed_origins` are foreign web origins ("https://photos.example") whose pages may connect, "*" for all; a page
    of the service's own host may always connect. `connections_per_user` and `connections_per_address` count within
    one process. `command_rate` is the sustained commands a second of a connection, `command_burst` how many at once.
    On shutdown, connections are closed over `drain_seconds`, or longer if that would be more than `drain_rate` a
    second. A user is announced as offline `presence_grace` after the last connection has closed. Each process sends
    a heartbeat every `presence_interval`; one without a heartbeat for `process_deadline` counts as dead.
    """

    ping_interval: float = 25.0
    pong_deadline: float = 8.0
    connect_deadline: float = 10.0
    expiry_grace: float = 25.0
    close_deadline: float = 5.0
    command_deadline: float = 5.0
    command_rate: float = 30.0
    command_burst: int = 400
    message_bytes: int = 64 * 1024
    write_buffer_bytes: int = 1024 * 1024
    held_publications: int = 1000
    subscriptions: int = 128
    connections_per_user: int = 20
    connections_per_address: int = 5000
    allowed_origins: tuple[str, ...] = ()
    tick: float = 0.25
    renewal_interval: float = 25.0
    presence_grace: float = 10.0
    presence_interval: float = 5.0
    process_deadline: float = 20.0
    pubsub_deadline: float = 3.0
    recovery_concurrency: int = 32
    drain_seconds: float = 3.0
    drain_rate: float = 1000.0
