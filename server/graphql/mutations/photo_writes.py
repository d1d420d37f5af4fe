"""Post, edit, delete, like, save and mute photos."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import strawberry

from server.actions.catalog import Actions
from server.edge.photo_requests import PhotoFromUpload, PhotoUpdate
from server.graphql.mutations.writes import IdempotencyKey, PhotoId, Write, created, creation, given, option
from server.graphql.objects.scalars import Time
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import input_type
from server.graphql.resolution.node_ids import NodeKind
from storage.models import PhotoAudience

# Fields of the REST body whose arguments have other names.
NEW_NAMES = {"items": "pictures", "upload_id": "pictures"}
EDIT_NAMES = {"items": "pictures"}


@input_type
class NewPicture:
    """A picture of a new photo, whose file was uploaded before over the REST API."""

    upload_id: strawberry.ID = strawberry.field(description="The `upload_id` of the file.")
    alt_text: str | None = option("What the picture shows, for those who do not see it.")


@input_type
class NewPhoto:
    """A new photo. Without `takenAt` it is taken from the EXIF."""

    pictures: list[NewPicture] = strawberry.field(description="The pictures in order, at most ten, or one video.")
    caption: str | None = option("The text below the photo.")
    tags: list[str] | None = option("The tags.")
    location: str | None = option("The place, in words.")
    taken_at: Time | None = option("When the photo was taken.")
    audience: PhotoAudience | None = option("Who may see it; everyone without it.")
    sensitive: bool | None = option("Whether to blur the photo until the viewer wants to see it.")


@input_type
class PictureChange:
    """A picture that stays; its text stays unchanged if it is left out."""

    sha256: str = strawberry.field(description="The SHA-256 of the original.")
    alt_text: str | None = option("What the picture shows, for those who do not see it.")


@input_type
class PhotoChanges:
    """Changes of a photo. What is left out stays unchanged; an empty `location` or `takenAt` is removed."""

    caption: str | None = option("The text below the photo.")
    alt_text: str | None = option("What the first picture shows, for those who do not see it.")
    tags: list[str] | None = option("The tags.")
    location: str | None = option("The place, in words.")
    taken_at: Time | None = option("When the photo was taken.")
    audience: PhotoAudience | None = option("Who may see it.")
    sensitive: bool | None = option("Whether to blur the photo until the viewer wants to see it.")
    pictures: list[PictureChange] | None = option("All pictures that stay, in their order; others are removed.")


async def create_photo(context: RequestContext, photo: NewPhoto, idempotency_key: IdempotencyKey = None) -> Source:
    """Create a photo of files that were uploaded before."""
    values = {name: value for name, value in given(photo).items() if value is not None}
    pictures = values.pop("pictures")
    for picture in pictures:
        if picture.get("alt_text") is None:
            picture.pop("alt_text", None)
    # The body that a REST client would send, so that the key is the same there.
    form = PhotoFromUpload.model_validate({**values, **(pictures[0] if len(pictures) == 1 else {"items": pictures})})
    made = creation(context, idempotency_key, "/photos")
    return created("photo", await context.shared.posts.post(made, form, context.request.report_rate_limit))


async def edit_photo(context: RequestContext, photo: PhotoId, changes: PhotoChanges) -> Source:
    """Change the pictures, the description or the audience of a photo."""
    photo_id, values = NodeKind.PHOTO.decode(photo, "photo"), given(changes)
    if "pictures" in values:
        values["items"] = values.pop("pictures")
    form = PhotoUpdate.model_validate(values)
    await context.actions.photos.edit(
        _viewer(context),
        photo_id,
        caption=form.caption,
        alt_text=form.alt_text,
        tags=form.tags,
        location=form.location,
        taken_at=form.taken_at,
        items=form.edits,
        audience=form.audience,
        sensitive=form.sensitive,
    )
    return {"photo_id": photo_id}


async def delete_photo(context: RequestContext, photo: PhotoId) -> Source:
    """Delete a photo."""
    await context.actions.photos.delete(_viewer(context), NodeKind.PHOTO.decode(photo, "photo"))
    return {"deleted_id": photo}


def _act(act: Callable[[Actions, int, int], Awaitable[object]]) -> Write:
    """Return the write of what a viewer does with a photo; `act` takes their ids."""

    async def write(context: RequestContext, photo: PhotoId) -> Source:
        photo_id = NodeKind.PHOTO.decode(photo, "photo")
        await act(context.actions, _viewer(context), photo_id)
        return {"photo_id": photo_id}

    return write


like_photo = _act(lambda actions, *ids: actions.reactions.like(*ids))
unlike_photo = _act(lambda actions, *ids: actions.reactions.unlike(*ids))
save_photo = _act(lambda actions, *ids: actions.collections.save(*ids))
unsave_photo = _act(lambda actions, *ids: actions.collections.unsave(*ids))
mute_photo = _act(lambda actions, *ids: actions.notification_preferences.mute_photo(*ids))
unmute_photo = _act(lambda actions, *ids: actions.notification_preferences.unmute_photo(*ids))


def _viewer(context: RequestContext) -> int:
    return context.request.viewer.user_id
