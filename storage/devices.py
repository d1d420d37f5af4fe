"""The device of a session: what is kept of the client that opened or refreshed it last."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """The `User-Agent` of a client, the network of its address, and its language; each is empty if it is not known."""

    user_agent: str = ""
    network: str = ""
    language: str = ""
