"""What a load test is to do, and each process's share of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from loadtest.community.token_file import Token
from loadtest.errors import LoadTestError
from loadtest.profiles import Profile, ProfileName

PER_PERSON = 20  # sockets of one person, as live.connections_per_user allows
SOCKETS_OF_ONE = 5000  # that one process takes unless somebody says otherwise


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What was asked for; rates are for the whole test, times in seconds.

    `sources` are addresses of this machine to connect from, `ca` is a file with whom to trust beside the system's
    authorities, `tokens` are people's who exist already, `keep` is a file to write the people's tokens to
    instead of deleting their accounts.
    """

    url: str
    live: tuple[str, ...]
    profile_name: ProfileName
    profile: Profile
    sockets: int = 100
    rate: float = 200.0
    seconds: float = 30.0
    processes: int = 1
    people: int = 0
    per_person: int = PER_PERSON
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
    """What one process is to do; plain values, since it travels through a pipe.

    `began` is when the test began on the clock of `time.monotonic`, which all processes of a machine share.
    """

    run: str
    process: int
    began: float
    url: str
    live: list[str]
    sockets: int
    rate: float
    people: int
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
    """Return the plan with enough people and no more processes than sockets; raise `LoadTestError` if it cannot be.

    Each process has a community of its own of at least two people, for nobody likes their own photos.
    """
    times = (plan.rate, plan.seconds, plan.patience, plan.prepare_within)
    rates = (plan.profile.likes, plan.profile.uploads, plan.profile.reads, plan.profile.storm_every)
    if not all(map(math.isfinite, (*times, *rates, plan.profile.storm_share))):
        raise LoadTestError("Rates and seconds should be finite numbers.")
    if plan.tokens and plan.people:
        raise LoadTestError("Give either --people, to sign up, or --tokens, of people who exist.")
    processes = min(plan.processes, max(1, plan.sockets // 2))
    least = processes * max(2, -(-split(plan.sockets, processes)[0] // plan.per_person))
    if plan.tokens and len(plan.tokens) < least:
        raise LoadTestError(
            f"{plan.sockets} sockets in {processes} processes need {least} people, at most {plan.per_person} sockets "
            f"each, and the file of tokens has {len(plan.tokens)}."
        )
    people = len(plan.tokens) or max(plan.people, least)
    return replace(plan, processes=processes, people=people)


def shares(plan: Plan, *, run: str, began: float) -> list[Share]:
    """Split a plan evenly among its processes; what does not go up evenly falls to the first ones."""
    sockets, people = split(plan.sockets, plan.processes), split(plan.people, plan.processes)
    profile, count = plan.profile, plan.processes
    taken = 0
    result = []
    for process in range(count):
        tokens = list(plan.tokens[taken : taken + people[process]])
        taken += people[process]
        result.append(
            Share(
                run=run,
                process=process,
                began=began,
                url=plan.url,
                live=list(plan.live),
                sockets=sockets[process],
                rate=plan.rate / count,
                people=people[process],
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
    """Return `parts` whole numbers that differ by one at most and add up to `number`."""
    whole, rest = divmod(number, parts)
    return [whole + (part < rest) for part in range(parts)]


def owners_of(sockets: int, people: int) -> list[int]:
    """Return the person whom each socket belongs to: sockets go round the people, so all have about as many."""
    return [number % people for number in range(sockets)]
