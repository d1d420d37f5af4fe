"""Kinds of values that settings have: lists and networks as people write them, and rates."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode


def _split(value: Any) -> Any:
    """Take `a, b` for a list, so that the environment needs no JSON."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _rate(value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,8}/([1-9][0-9]{0,6})?[smhd]", value):
        raise ValueError("write a rate as 120/m, 20/h or 10/5m")
    return value


def _network(value: Any) -> Any:
    try:
        return ip_network(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{value} is not a network; write 10.0.0.0/8, or one address") from error


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_split)]
Rate = Annotated[str, AfterValidator(_rate)]
