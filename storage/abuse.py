"""Domain types of the detection of abuse: lists of known images, and what automatic rules find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from storage.reports import Category, SubjectKind


class AbuseAction(StrEnum):
    """What follows from a finding, the mildest first. Each of them opens a case."""

    CASE = "case"  # a case for moderators
    HOLD = "hold"  # the photo is not shown until they decide the case, or a service decides
    HIDE = "hide"  # the photo is not shown unless they decide that it may be


class FindingKind(StrEnum):
    """What a rule has found."""

    LISTED_IMAGE = "listed_image"
    SCAN_MATCH = "scan_match"  # of a service that scans originals; its case comes before all others
    REPEATED_COMMENTS = "repeated_comments"
    FOLLOW_CHURN = "follow_churn"
    LINK_SPAM = "link_spam"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What an automatic rule has found about an account.

    `category` is that of the case, `rule` names the rule, such as a list of hashes, and `facts` has the numbers that it
    relies on. `key` names the occasion: the second finding of an account with the same key is not recorded.
    """

    kind: FindingKind
    account_id: int
    subject: SubjectKind
    subject_id: int
    action: AbuseAction
    category: Category
    rule: str
    key: str
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, kw_only=True, slots=True)
class HashList:
    """A list of known images: the numbers of its originals (by SHA-256) and of its perceptual hashes."""

    name: str
    action: AbuseAction
    category: Category
    originals: int
    images: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HashEntries:
    """Entries of a list: SHA-256 of originals, and perceptual hashes, each as text in lower case."""

    originals: Sequence[str] = ()
    images: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class HashMatch:
    """A picture that a list names: by its original if `distance` is None, else by its perceptual hash.

    `sha256` is that of the picture, `entry` what the list has, and `distance` the number of different bits.
    """

    list_name: str
    action: AbuseAction
    category: Category
    sha256: str
    entry: str
    distance: int | None = None


def nearest(matches: Sequence[HashMatch]) -> HashMatch:
    """Return the match of the original if there is one, else the one with the smallest distance."""
    return min(matches, key=lambda one: -1 if one.distance is None else one.distance)
