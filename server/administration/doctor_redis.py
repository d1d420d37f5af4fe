"""The doctor's look at Redis: at the one server, or at a cluster and each of its masters."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from channels.bus.addressing import GROUPS
from server.administration.findings import MAX_SKEW, Finding, skewed
from server.config.settings import Settings
from storage.redis.client import Redis, execute, open_redis, redis_errors

SLOTS = 16_384
MIN_REDIS = (6, 2)
MIN_CLUSTER = (7, 0)  # the first with sharded pub/sub


@dataclass(frozen=True, kw_only=True, slots=True)
class _Server:
    """What one server says of itself; `skew` is how far its clock is from ours, in seconds."""

    software: str
    version: str
    policy: str
    skew: float


async def examine_redis(settings: Settings) -> Finding:
    """Return what is found; raise `StorageError` when it does not answer."""
    client = open_redis(settings.redis.url)
    try:
        with redis_errors():
            return await _examine(client)
    finally:
        await client.aclose()


async def _examine(client: Redis) -> Finding:
    clustered = _fields(await execute(client, "INFO")).get("redis_mode") == "cluster"
    if clustered != client.sharded:
        return _wrong_scheme(clustered=clustered)
    shape = ""
    if clustered:
        about = _fields(await execute(client, "CLUSTER", "INFO"))
        if int(about["cluster_slots_ok"]) < SLOTS:
            return _incomplete(int(about["cluster_slots_ok"]))
        shape = await _shape(client, about)
    answers = [await client.link.each("INFO"), await client.link.each("TIME")]
    away = {place for answer in answers for place in answer if isinstance(answer[place], RedisError)}
    if away:
        return _unreachable(sorted(f"{place.host}:{place.port}" for place in away))
    infos, times = answers
    return _judge([_server(_fields(infos[place]), times[place]) for place in infos], shape, clustered=clustered)


def _wrong_scheme(*, clustered: bool) -> Finding:
    detail, scheme = ("a node of a cluster", "redis+cluster") if clustered else ("one server, no cluster", "redis")
    return Finding(name="redis", detail=detail, remedy=f"Begin redis.url with {scheme}:// (with TLS, redis is rediss).")


def _incomplete(served: int) -> Finding:
    return Finding(
        name="redis",
        detail=f"a cluster that serves {served:,} of {SLOTS:,} slots",
        remedy="Start the masters that are missing, or give their slots to others (`redis-cli --cluster fix`).",
    )


def _unreachable(away: Sequence[str]) -> Finding:
    return Finding(
        name="redis",
        detail=f"masters that this machine does not reach: {', '.join(away)}",
        remedy="Let it in there, or have them announce addresses that it reaches (cluster-announce-ip or -hostname).",
    )


async def _shape(client: Redis, about: Mapping[str, str]) -> str:
    """Return how many nodes a cluster has, and how the slot groups of people are spread over its masters."""
    masters, nodes = int(about["cluster_size"]), int(about["cluster_known_nodes"])
    await client.refresh_slots()
    groups = Counter(client.server_of(b"{%d}" % group) for group in range(GROUPS))
    spread = sorted(groups.values(), reverse=True) + [0] * (masters - len(groups))
    return (
        f", a cluster of {masters} masters and {nodes - masters} replicas, slot groups {' + '.join(map(str, spread))}"
    )


def _judge(servers: Sequence[_Server], shape: str, *, clustered: bool) -> Finding:
    oldest = min(servers, key=lambda server: _number(server.version))
    skew = max(server.skew for server in servers)
    detail = f"{oldest.software} {oldest.version}{shape}"
    if _number(oldest.version) < (MIN_CLUSTER if clustered else MIN_REDIS):
        wanted = "Redis 7.0" if clustered else "Redis 6.2"
        return Finding(name="redis", detail=detail, remedy=f"Use {wanted} or Valkey 7.2 or newer.")
    if skew > MAX_SKEW:
        return skewed("redis", skew)
    policies = ", ".join(sorted({server.policy for server in servers}))
    return Finding(name="redis", detail=f"{detail}, clock within {skew * 1000:.0f} ms, eviction {policies}")


def _server(info: Mapping[str, str], moment: Sequence[Any]) -> _Server:
    seconds, micros = moment
    return _Server(
        software="Valkey" if "valkey_version" in info else "Redis",
        version=info.get("valkey_version") or info["redis_version"],
        policy=info.get("maxmemory_policy", "noeviction"),
        skew=abs(int(seconds) + int(micros) / 1_000_000 - time.time()),
    )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _fields(text: bytes) -> Mapping[str, str]:
    lines = text.decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
