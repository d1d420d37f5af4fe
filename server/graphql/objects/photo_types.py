"""Photos and what is shown of them; their values are the JSON of the REST API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import strawberry

from server.api.comment_lists import place_of, place_text
from server.graphql.fields import BatchFunction, Each, Results, batch, leaf
from server.graphql.objects.enums import EntityType
from server.graphql.objects.node import Node
from server.graphql.objects.scalars import BigInt, Time
from server.graphql.objects.user_types import User, listed_users
from server.graphql.resolution.connections import (
    DEFAULT_FIRST,
    After,
    Connection,
    First,
    Listing,
    Page,
    numbered,
    pages,
)
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import object_type
from server.graphql.resolution.node_ids import NodeKind, node_ids
from server.graphql.resolution.rules import permitted
from storage import models
from storage.ids import decode
from storage.moderation import Decider, ModerationState
from storage.render.images import opened, urls_of
from storage.stores.comments.comment_lists import Place
from storage.stores.nested import nested_comments, nested_users

if TYPE_CHECKING:
    from server.graphql.objects.comment_types import Comment

_COMMENT = strawberry.lazy("server.graphql.objects.comment_types")


def photo_ids(photos: Sequence[Source]) -> list[int]:
    """Return the ids of photos by their values."""
    return [decode(photo["id"]) for photo in photos]


def _urls(picture: Source) -> Source:
    return urls_of(picture["media"]) if "media" in picture else picture["urls"]


def _opened(name: str) -> BatchFunction:
    """Return the resolver of a field that a page of the home feed has unopened, because few queries want all sizes."""

    def value(picture: Source) -> Source | None:
        media = picture.pop("media", None)
        if media is not None:
            found = opened(media)
            picture.update(found, images=picture["images"] | found["images"])
        return picture.get(name)

    return Each(value)


async def _mentioned(entities: Sequence[Source], context: RequestContext) -> Results[Source | None]:
    user_ids = [entity.get("user_id") for entity in entities]
    return await context.users.many(None if user_id is None else decode(user_id) for user_id in user_ids)


async def _saved(photos: Sequence[Source], context: RequestContext) -> Results[bool | None]:
    return await context.saved.many(photo_ids(photos))


async def _likes(
    photos: Sequence[Source], context: RequestContext, first: First = DEFAULT_FIRST, after: After = None
) -> Results[Page]:
    async def read(starts: Mapping[int, int | None], limit: int) -> nested_users.Lists:
        return await context.read(lambda db: nested_users.likers(db, starts, viewer_id=context.viewer_id, limit=limit))

    listing = numbered(lambda key: f"likes of {key}", read, listed_users, lambda row: row.position)
    return await pages(context, photo_ids(photos), listing, first=first, after=after)


async def _comments(
    photos: Sequence[Source],
    context: RequestContext,
    first: First = DEFAULT_FIRST,
    after: After = None,
    order: models.CommentOrder = models.CommentOrder.NEWEST,
) -> Results[Page]:
    async def read(starts: Mapping[int, Place | None], limit: int) -> dict[int, list[models.Comment]]:
        return await context.read(
            lambda db: nested_comments.newest_of(db, starts, viewer_id=context.viewer_id, order=order, limit=limit)
        )

    listing = Listing(
        name=lambda key: f"comments of {key}, {order}",
        read=read,
        sources=context.comment_sources,
        place=Place.of,
        encode=lambda cursors, name, place: cursors.encode_text(name, place_text(place)),
        decode=lambda cursors, name, cursor: place_of(cursors.decode_text(name, cursor)),
    )
    return await pages(context, photo_ids(photos), listing, first=first, after=after)


@object_type
class TextEntity:
    """A part of a text that links to something. Positions count UTF-16 code units."""

    type: EntityType = leaf(description="What the part links to.")
    offset: int = leaf(description="Where the part begins.")
    length: int = leaf(description="How long the part is.")
    user: User | None = batch(
        permitted("GET /users/{id}", _mentioned), description="The account of a mention; null if it cannot be seen."
    )
    tag: str | None = leaf(description="The name of a tag.")


@object_type
class PhotoUrls:
    """Paths of two images, which are also in `images`; null until the photo is ready."""

    thumb: str | None = leaf(description="A small image.")
    feed: str | None = leaf(description="An image for a feed.")
    original: str | None = leaf(description="The original, for the author alone, and not in the feed.")


@object_type
class PhotoImage:
    """An image of a photo in one size, with its path in each format that the service offers."""

    width: int = leaf(description="The width in pixels.")
    height: int = leaf(description="The height in pixels.")
    jpg: str = leaf(description="The path of the JPEG.")
    webp: str | None = leaf(description="The path of the WebP.")
    avif: str | None = leaf(description="The path of the AVIF.")


@object_type
class PhotoMotion:
    """An animation with all its frames; it repeats as the original does."""

    width: int = leaf(description="The width in pixels.")
    height: int = leaf(description="The height in pixels.")
    webp: str = leaf(description="The path of the animation.")


@object_type
class PhotoVideo:
    """A video as it is played: an MP4 with H.264 and AAC."""

    url: str = leaf(description="The path of the video.")
    width: int = leaf(description="The width in pixels.")
    height: int = leaf(description="The height in pixels.")
    duration: float = leaf(description="The duration in seconds.")
    bytes: BigInt = leaf(description="The size of the file in bytes.")


@object_type
class PhotoImages:
    """The images of a photo by ascending size; images are never enlarged."""

    placeholder: str | None = leaf(description="A thumbhash in base 64, to show until an image is there.")
    hdr: bool = leaf(description="Whether the JPEGs have a gain map, from 320 pixels on.")
    sizes: list[PhotoImage] = leaf(
        weight=0, size=8, description="The sizes; empty until the photo is ready. Equal sides may be a square crop."
    )
    motion: PhotoMotion | None = leaf(weight=0, description="All frames of an animation; `sizes` show the first.")


@object_type
class PhotoItem:
    """One picture of a photo that has several."""

    sha256: str = leaf(description="The SHA-256 of the original, which distinguishes it from the others.")
    alt_text: str = leaf(description="What the picture shows, for those who do not see it.")
    width: int = leaf(description="The width in pixels.")
    height: int = leaf(description="The height in pixels.")
    placeholder: str | None = leaf(description="A thumbhash in base 64.")
    urls: PhotoUrls = batch(Each(_urls), weight=0, description="The paths of two images.")
    images: PhotoImages = batch(_opened("images"), weight=0, description="The images.")


@object_type
class PhotoSuggestions:
    """Texts in the file of a photo that suit a field of it."""

    alt_text: str | None = leaf(description="A text that suits `altText`.")
    caption: str | None = leaf(description="A text that suits `caption`.")


@object_type
class PhotoModeration:
    """The decision of moderation that applies to a photo, for its author."""

    state: ModerationState = leaf(description="What the decision means for the photo.")
    reason: str = leaf(description="Why, in words; may be empty.")
    rule: str = leaf(description="What was broken; may be empty.")
    decided_by: Decider = leaf(description="By what the decision was made.")
    decided_at: Time | None = leaf(description="When the decision was made.")
    until: Time | None = leaf(description="Until when a held photo is withheld at most.")


@object_type
class Photo(Node):
    """A photo, or a post of several pictures, or a video."""

    id: strawberry.ID = batch(node_ids(NodeKind.PHOTO), description="The id, as `P-01K3S9C0XG4Q7`.")
    author: User = leaf(description="The account that posted the photo.")
    audience: models.PhotoAudience = leaf(description="Who may see it, of those that may see the author's photos.")
    sensitive: bool = leaf(description="Whether to blur the photo until the viewer wants to see it.")
    caption: str = leaf(description="The text below the photo.")
    caption_entities: list[TextEntity] = leaf(weight=0, size=5, description="The mentions and tags in the caption.")
    alt_text: str = leaf(description="What the photo shows, for those who do not see it.")
    tags: list[str] = leaf(size=10, description="The tags, without `#`.")
    location: str | None = leaf(description="The place, in the author's words.")
    taken_at: Time | None = leaf(description="When the photo was taken; null if that is not known.")
    edited_at: Time | None = leaf(description="When the author last changed the photo; null before.")
    created_at: Time = leaf(description="When the photo was posted.")
    state: models.PhotoState = leaf(description="Whether the photo is shown to others.")
    width: int = leaf(description="The width of the upright image in pixels.")
    height: int = leaf(description="The height of the upright image in pixels.")
    placeholder: str | None = leaf(description="A thumbhash in base 64, to show until an image is there.")
    urls: PhotoUrls = batch(Each(_urls), weight=0, description="The paths of two images.")
    images: PhotoImages = batch(_opened("images"), weight=0, description="The images in all sizes and formats.")
    video: PhotoVideo | None = batch(_opened("video"), weight=0, description="The video, whose poster the images are.")
    items: list[PhotoItem] | None = leaf(
        weight=0, size=10, description="The pictures in order, if there are several; the first is that of the photo."
    )
    like_count: int = leaf(key="likes", description="The number of likes.")
    comment_count: int = leaf(key="comments", description="The number of comments and replies.")
    liked: bool = leaf(description="Whether the viewer likes the photo.")
    saved: bool | None = batch(
        permitted("GET /photos/saved-state", _saved, null_for_visitors=True),
        description="Whether the viewer has saved the photo; null for visitors.",
    )
    suggestions: PhotoSuggestions | None = leaf(
        weight=0, description="Texts in the file that suit the photo, for the author alone."
    )
    moderation: PhotoModeration | None = leaf(
        weight=0, description="The decision of moderation that applies, for the author alone."
    )
    likes: Connection[User] | None = batch(
        permitted("GET /photos/{id}/likes", _likes), description="The users who like the photo, newest like first."
    )
    comments: Connection[Annotated["Comment", _COMMENT]] | None = batch(  # noqa: UP037
        permitted("GET /photos/{id}/comments", _comments),
        description="The comments, pinned ones first; each has its replies.",
    )
