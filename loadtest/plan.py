"""The plan of a load test, and each process's share of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from loadtest.community.token_file import Token
from loadtest.errors import LoadTestError
from loadtest.profiles import Profile, ProfileName

SOCKETS_PER_USER = 20  # the default of live.connections_per_user
SOCKETS_PER_PROCESS = 5000  # by default


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The requested load; rates are for the whole test, times in seconds.

    `sources` are local addresses to connect from, `ca` is a file of certificates to trust in addition to the system's
    authorities, and `tokens` belong to existing users. With `keep` the accounts are not deleted, and their tokens are
    written to that file.
    """

    url: str
    live: tuple[str, ...]
    profile_name: ProfileName
    profile: Profile
    sockets: int = 100
    rate: float = 200.0
    seconds: float = 30.0
    processes: int = 1
    users: int = 0
    sockets_per_user: int = SOCKETS_PER_USER
    tokens: tuple[Token, ...] = ()
    keep: Path | None = None
    ca: Path | None = None
    insecure: bool = False
    sources: tuple[str, ...] = ()
    photo: Path | None = None
    patience: float = 10.0
    prepare_within: float = 600.0


@dataclass(frozen=True, kw_only=True)
class Share:
    """The part of one process; plain values, since it is sent through a pipe.

    `began` is the start of the test on the clock of `time.monotonic`, which all processes of a machine share.
    """

    run: str
    process: int
    began: float
    url: str
    live: list[str]
    sockets: int
    rate: float
    users: int
    likes: float
    uploads: float
    reads: float
    followers: int
    storm_every: float
    storm_share: float
    seconds: float
    patience: float
    tokens: list[Token]
    keep: bool
    ca: str | None
    insecure: bool
    sources: list[str]
    photo: str | None

    def to_wire(self) -> dict[str, Any]:
        """Return what `from_wire` takes."""
        return asdict(self)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Share:
        """Return the share that `to_wire` described."""
        return cls(**{**wire, "tokens": [tuple(pair) for pair in wire["tokens"]]})


def complete(plan: Plan) -> Plan:
    """Return the plan with enough users and no more processes than sockets allow; raise `LoadTestError` if invalid.

    Each process has its own community of at least two users, since users do not like their own photos.
    """
    times = (plan.rate, plan.seconds, plan.patience, plan.prepare_within)
    rates = (plan.profile.likes, plan.profile.uploads, plan.profile.reads, plan.profile.storm_every)
    if not all(map(math.isfinite, (*times, *rates, plan.profile.storm_share))):
        raise LoadTestError("Rates and seconds must be finite numbers.")
    if plan.tokens and plan.users:
        raise LoadTestError("Use either --users, to create accounts, or --tokens, for existing ones.")
    processes = min(plan.processes, max(1, plan.sockets // 2))
    least = processes * max(2, -(-split(plan.sockets, processes)[0] // plan.sockets_per_user))
    if plan.tokens and len(plan.tokens) < least:
        raise LoadTestError(
            f"{plan.sockets} sockets in {processes} processes need {least} users with at most {plan.sockets_per_user} "
            f"sockets each, and the token file has {len(plan.tokens)}."
        )
    users = len(plan.tokens) or max(plan.users, least)
    return replace(plan, processes=processes, users=users)


def shares(plan: Plan, *, run: str, began: float) -> list[Share]:
    """Split a plan evenly among its processes; remainders go to the first ones."""
    sockets, users = split(plan.sockets, plan.processes), split(plan.users, plan.processes)
    profile, count = plan.profile, plan.processes
    taken = 0
    result = []
    for process in range(count):
        tokens = list(plan.tokens[taken : taken + users[process]])
        taken += users[process]
        result.append(
            Share(
                run=run,
                process=process,
                began=began,
                url=plan.url,
                live=list(plan.live),
                sockets=sockets[process],
                rate=plan.rate / count,
                users=users[process],
                likes=profile.likes / count,
                uploads=profile.uploads / count,
                reads=profile.reads / count,
                followers=profile.followers,
                storm_every=profile.storm_every,
                storm_share=profile.storm_share,
                seconds=plan.seconds,
                patience=plan.patience,
                tokens=tokens,
                keep=bool(plan.tokens or plan.keep),
                ca=str(plan.ca) if plan.ca else None,
                insecure=plan.insecure,
                sources=list(plan.sources),
                photo=str(plan.photo) if plan.photo else None,
            )
        )
    return result


def split(number: int, parts: int) -> list[int]:
    """Return `parts` whole numbers that add up to `number` and differ by at most one."""
    whole, rest = divmod(number, parts)
    return [whole + (part < rest) for part in range(parts)]


def assign_owners(sockets: int, users: int) -> list[int]:
    """Return the user of each socket; sockets are assigned in turn, so all users have about as many."""
    return [number % users for number in range(sockets)]
