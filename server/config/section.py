"""Building blocks of the settings: sections, the types of their values, and `from_sections`.

The description of a key is its documentation (`docs/configuration.md`). Each default is written once: where the
configured part can be used without these settings, its own dataclass has the default and the key refers to it.
"""

from __future__ import annotations

import re
from dataclasses import fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr
from pydantic_settings import NoDecode

from channels.contract.origins import parse_origin

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

D = TypeVar("D", bound="DataclassInstance")

_RATE = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,6})?([smhd])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Section(BaseModel):
    """A section of the settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def from_sections(cls: type[D], *sections: Section, **values: Any) -> D:
    """Return a `cls` whose fields have the values of the keys with the same names.

    If several sections have a key, the first counts; `values` go before all of them. A field without a key and without
    a value keeps the default of `cls`.
    """
    names = {field.name for field in fields(cls)}
    found = {
        name: getattr(section, name)
        for section in reversed(sections)
        for name in names & set(type(section).model_fields)
    }
    return cls(**{**found, **values})


def parse_rate(text: str) -> tuple[int, int]:
    """Return the number of requests and the seconds of a rate such as "1200/m", "20/h" or "10/5m".

    Raises `ValueError` for any other text.
    """
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError("write a rate as 120/m, 20/h or 10/5m")
    return int(match[1]), int(match[2] or 1) * _UNIT_SECONDS[match[3]]


def _split(value: Any) -> Any:
    """Accept "a, b" for a list, so that a list in the environment needs no JSON."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _check_rate(value: str) -> str:
    parse_rate(value)
    return value


def _network(value: Any) -> Any:
    try:
        return ip_network(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{value} is not a network; write 10.0.0.0/8, or one address") from error


def _check_origin(value: str) -> str:
    # An entry that denotes no origin would match none, so its pages would be refused without a hint why.
    if value != "*" and parse_origin(value) is None:
        raise ValueError(f"{value} is not a web origin; write https://app.example.com, without a path, or * for all")
    return value


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Numbers = Annotated[tuple[int, ...], NoDecode, BeforeValidator(_split)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_check_origin)], ...], NoDecode, BeforeValidator(_split)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_split)]
Rate = Annotated[str, AfterValidator(_check_rate)]


def with_scheme(value: str, schemes: tuple[str, ...]) -> str:
    """Return a URL that begins with one of the schemes; raise `ValueError` for any other."""
    if not value.startswith(schemes):
        raise ValueError(f"it should begin with {' or '.join(schemes)}")
    return value
