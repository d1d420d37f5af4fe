"""The services by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from workers.reviewing.hive import HiveService
from workers.reviewing.openai import OpenAIService
from workers.reviewing.port import ReviewService, ReviewSettings
from workers.reviewing.sightengine import SightengineService

SERVICES: Mapping[str, Callable[[ReviewSettings], ReviewService]] = MappingProxyType(
    {"openai": OpenAIService, "hive": HiveService, "sightengine": SightengineService}
)
