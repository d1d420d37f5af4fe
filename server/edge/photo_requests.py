"""Models of the bodies that describe photos and their pictures."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from server.edge.fields import AltText, Caption, Id, Location, PhotoTime, Tags
from server.edge.requests import RequestModel
from storage.models import PhotoAudience
from storage.stores.photos.photo_item_edits import ItemEdit
from storage.stores.photos.photo_items import MAX_ITEMS


class PhotoMetadata(RequestModel):
    """The author's data about a new photo; without `taken_at` it is taken from the EXIF.

    `audience` says who may see it, of those that may see your photos at all: of a private account only followers do.
    A `sensitive` photo is blurred until the viewer wants to see it.
    """

    caption: Caption = ""
    alt_text: AltText = ""
    tags: Tags = Field(default=[])
    location: Location | None = None
    taken_at: PhotoTime | None = None
    audience: PhotoAudience = PhotoAudience.PUBLIC
    sensitive: bool = False


class NewItem(RequestModel):
    """A picture of a new photo, whose file was uploaded before."""

    upload_id: Id
    alt_text: AltText = ""


def _distinct_uploads(items: list[NewItem]) -> list[NewItem]:
    if len({item.upload_id for item in items}) < len(items):
        raise ValueError("An upload is one picture. Name each upload once.")
    return items


class PhotoFromUpload(PhotoMetadata):
    """A new photo whose files were uploaded before: `upload_id` for one picture, or `items` for up to ten in order.

    Each of `items` has its own `alt_text`.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["upload_id"]}, {"required": ["items"]}]})

    upload_id: Id | None = None
    items: (
        Annotated[list[NewItem], Field(min_length=1, max_length=MAX_ITEMS), AfterValidator(_distinct_uploads)] | None
    ) = None

    @model_validator(mode="after")
    def _check_pictures(self) -> PhotoFromUpload:
        if (self.upload_id is None) == (self.items is None):
            raise ValueError("Send either `upload_id` or `items`.")
        if self.items is not None and self.alt_text:
            raise ValueError("With `items`, send `alt_text` in each of them.")
        return self

    @property
    def pictures(self) -> list[NewItem]:
        """Return the uploads of the photo in order, each with its text."""
        if self.items is not None or self.upload_id is None:
            return self.items or []
        return [NewItem.model_construct(upload_id=self.upload_id, alt_text=self.alt_text)]


class ItemChange(RequestModel):
    """A picture that stays; its text stays unchanged if it is left out."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    alt_text: AltText | None = None


def _distinct_pictures(items: list[ItemChange]) -> list[ItemChange]:
    if len({item.sha256 for item in items}) < len(items):
        raise ValueError("Name each picture once.")
    return items


class PhotoUpdate(RequestModel):
    """Changes of a photo; fields that are left out stay unchanged, an empty `location` or `taken_at` is removed.

    `items` are all pictures that stay, in their order; others are removed. `alt_text` is that of the first picture.
    `sensitive` is the author's own mark; one of moderation stays.
    """

    caption: Caption | None = None
    alt_text: AltText | None = None
    tags: Tags | None = None
    location: Location | None = None
    taken_at: PhotoTime | None = None
    audience: PhotoAudience | None = None
    sensitive: bool | None = None
    items: (
        Annotated[list[ItemChange], Field(min_length=1, max_length=MAX_ITEMS), AfterValidator(_distinct_pictures)]
        | None
    ) = None

    @model_validator(mode="after")
    def _check_texts(self) -> PhotoUpdate:
        if self.items is not None and self.alt_text is not None:
            raise ValueError("With `items`, send `alt_text` in each of them.")
        return self

    @property
    def edits(self) -> list[ItemEdit] | None:
        """Return the pictures that stay, None if they are unchanged."""
        if self.items is None:
            return None
        return [ItemEdit(sha256=item.sha256, alt_text=item.alt_text) for item in self.items]
