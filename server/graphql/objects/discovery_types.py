"""Tags, results of a search, what trends, and suggested accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import strawberry

from server.graphql.fields import Results, batch, leaf
from server.graphql.objects.photo_types import Photo
from server.graphql.objects.user_types import User
from server.graphql.resolution.connections import (
    DEFAULT_FIRST,
    After,
    Connection,
    First,
    Page,
    numbered,
    pages,
)
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import object_type
from server.graphql.resolution.rules import permitted
from storage import models
from storage.stores.discovery.account_suggestions import SuggestionReason
from storage.stores.nested import nested_photos


async def _photos(
    tags: Sequence[Source], context: RequestContext, first: First = DEFAULT_FIRST, after: After = None
) -> Results[Page]:
    async def read(starts: Mapping[str, int | None], limit: int) -> dict[str, list[models.Photo]]:
        return await context.read(
            lambda db: nested_photos.of_tags(db, starts, viewer_id=context.viewer_id, limit=limit)
        )

    listing = numbered(lambda tag: f"photos tagged {tag}", read, context.photo_sources, lambda photo: photo.id)
    return await pages(context, [tag["tag"] for tag in tags], listing, first=first, after=after)


async def _followed(tags: Sequence[Source], context: RequestContext) -> Results[bool]:
    followed = await context.followed_tags()
    return [tag["tag"] in followed for tag in tags]


@object_type
class Tag:
    """A tag of photos."""

    name: str = leaf(key="tag", description="The name in normal form, without `#`.")
    photo_count: int | None = leaf(
        key="photos", description="The number of photos that everyone may find; known for results of a search alone."
    )
    author_count: int | None = leaf(
        key="authors", description="The number of authors in the last hours; known for trending tags alone."
    )
    followed: bool | None = batch(
        permitted("GET /tags/followed", _followed, null_for_visitors=True),
        description="Whether the viewer follows the tag; null for visitors.",
    )
    photos: Connection[Photo] | None = batch(
        permitted("GET /photos", _photos), description="The photos with the tag that the viewer may see, newest first."
    )


SearchResult = Annotated[
    User | Tag | Photo, strawberry.union("SearchResult", description="What a search finds: a user, a tag or a photo.")
]


@object_type
class SearchConnection(Connection[SearchResult]):
    """A page of the results of a search."""

    partial: bool = leaf(description="Whether results may be missing, because the search took too long.")


@object_type
class SuggestedUser:
    """An account that the viewer might want to follow, and why."""

    user: User = leaf(description="The account.")
    reason: SuggestionReason = leaf(description="Why it is suggested.")
    friend_count: int | None = leaf(
        key="friends", description="The number of accounts that the viewer follows and that follow this one."
    )
