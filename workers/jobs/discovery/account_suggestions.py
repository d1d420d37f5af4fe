"""Accounts to follow, found for one user in the background; the sources go one after the other.

First accounts that follow the user, then what the followed accounts follow, authors of photos with the tags that the
user likes, the operator's picks, and authors whose photos trend here, or are the newest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from storage.cache.photo_trends import PhotoTrends
from storage.models import User
from storage.postgres.database import Database
from storage.stores.accounts import usernames
from storage.stores.discovery import account_suggestions, suggestion_sources
from storage.stores.discovery.account_suggestions import AccountSuggestion, SuggestionReason
from storage.stores.photos import likes, photo_lists

MAX_SUGGESTIONS = 50
MAX_OF_REASON = 20
ENOUGH = 10  # below this, accounts with fewer photos or without a picture are suggested, too
_MIN_PHOTOS = 3
_LIKES = 100  # the newest, whose tags count
_TAGS = 5
_PHOTOS = 100  # the newest of a tag, whose authors are candidates
_KNOWN = 200

Candidates = Mapping[SuggestionReason, Mapping[int, int]]  # in the order of preference; account -> number


class SuggestionMaker:
    """Makes suggestions; `picks` are the usernames of the operator's picks."""

    def __init__(self, db: Database, trends: PhotoTrends, *, picks: Sequence[str] = ()) -> None:
        self._db = db
        self._trends = trends
        self._picks = picks

    async def make(self, user_id: int) -> list[AccountSuggestion]:
        """Return the suggestions for a user, the best first."""
        candidates: Candidates = {
            SuggestionReason.FOLLOWS_YOU: dict.fromkeys(await suggestion_sources.followers(self._db, user_id), 1),
            SuggestionReason.FRIENDS: await self._friends_of_friends(user_id),
            SuggestionReason.TAGS: await self._authors_of_liked_tags(user_id),
            SuggestionReason.PICK: await self._picked(),
            SuggestionReason.KNOWN: await self._known(),
        }
        dismissed = await account_suggestions.dismissed_ids(self._db, user_id)
        ids = {account for found in candidates.values() for account in found} - dismissed
        return ranked(candidates, await account_suggestions.suggestible(self._db, user_id, ids))

    async def _friends_of_friends(self, user_id: int) -> dict[int, int]:
        friends = await suggestion_sources.friends(self._db, user_id)
        return await suggestion_sources.friends_of(self._db, friends) if friends else {}

    async def _authors_of_liked_tags(self, user_id: int) -> dict[int, int]:
        liked = [photo_id for photo_id, _ in await likes.of_user(self._db, user_id, limit=_LIKES)]
        authors: Counter[int] = Counter()
        for tag in await suggestion_sources.tags_of(self._db, liked, limit=_TAGS) if liked else ():
            tagged = await photo_lists.by_tag(self._db, tag, viewer_id=user_id, before=None, limit=_PHOTOS)
            authors.update(photo.author.id for photo in tagged)
        return dict(authors)

    async def _picked(self) -> dict[int, int]:
        found = [await usernames.id_of(self._db, name) for name in self._picks]
        return {account: 1 for account in found if account is not None}

    async def _known(self) -> dict[int, int]:
        authors = [entry.author_id for entry in await self._trends.page(None, count=_KNOWN)]
        if len(authors) < ENOUGH:
            newest = await photo_lists.newest(self._db, viewer_id=None, before=None, limit=_KNOWN)
            authors += [photo.author.id for photo in newest]
        return dict.fromkeys(authors, 1)


def ranked(candidates: Candidates, accounts: Mapping[int, User]) -> list[AccountSuggestion]:
    """Return suggestions in the order of the reasons, each account for the first one that it has.

    `accounts` are those that may be suggested. Preferred are accounts with a picture and at least three photos; where
    these are few, others with photos follow, and then the rest.
    """
    good = [user for user in accounts.values() if user.avatar_sha256 is not None and user.photos >= _MIN_PHOTOS]
    some = [user for user in accounts.values() if user.photos > 0]
    found: dict[int, AccountSuggestion] = {}
    for allowed in (good, some, accounts.values()):
        _add(found, candidates, {user.id: user for user in allowed})
        if len(found) >= ENOUGH:
            break
    return list(found.values())[:MAX_SUGGESTIONS]


def _add(found: dict[int, AccountSuggestion], candidates: Candidates, allowed: Mapping[int, User]) -> None:
    for reason, numbers in candidates.items():
        left = MAX_OF_REASON - sum(suggestion.reason is reason for suggestion in found.values())
        fitting = [account for account in _sorted(reason, numbers, allowed) if account not in found]
        for account in fitting[:left]:
            found[account] = AccountSuggestion(user_id=account, reason=reason, number=numbers[account])


def _sorted(reason: SuggestionReason, numbers: Mapping[int, int], allowed: Mapping[int, User]) -> Iterable[int]:
    present = [account for account in numbers if account in allowed]
    match reason:
        case SuggestionReason.FRIENDS:
            # Everyone follows famous accounts; what is unusual says more.
            return sorted(
                present, key=lambda account: -numbers[account] / math.log(math.e + allowed[account].followers)
            )
        case SuggestionReason.TAGS:
            return sorted(present, key=lambda account: -numbers[account])
        case _:
            return present
