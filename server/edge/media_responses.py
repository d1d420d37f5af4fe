"""Models of response bodies about files: uploads, profile images, and the EXIF of photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from server.edge.responses import Id, ResponseModel, Time
from storage import models
from storage.stores.photos.photo_exif import LOCATION


class UploadResponse(ResponseModel):
    """The request by which an announced file is stored, to be sent exactly so, and when the upload expires."""

    upload_id: Id
    url: str
    method: Literal["PUT"]
    headers: dict[str, str]
    expires_at: Time


class DuplicateResponse(ResponseModel):
    """The viewer's own photo that has these bytes already; nothing needs to be uploaded."""

    duplicate_of: Id


class ProfileImageResponse(ResponseModel):
    """The newest upload of an avatar or banner: null if there is none, `ready` once it is shown.

    `reason` is given for a rejected one. `url` is that of the image that is shown.
    """

    state: models.ProfileImageState | None
    reason: str | None
    url: str | None


class PhotoLocation(ResponseModel):
    """The position at which a photo was taken: degrees (WGS 84), and metres above sea level if they are known."""

    latitude: float
    longitude: float
    altitude: float | None = None


class ItemExifResponse(ResponseModel):
    """The EXIF of one picture of a photo that has several, by the SHA-256 of its original."""

    sha256: str
    tags: dict[str, Any]
    location: PhotoLocation | None


class PhotoExifResponse(ResponseModel):
    """The EXIF of a photo: tags by their names in Exif 2.32, and the position as far as it is kept.

    If the photo has several pictures, `items` has each of them in order, and the others are those of the first one.
    """

    tags: dict[str, Any]
    location: PhotoLocation | None
    items: list[ItemExifResponse] | None = None

    @classmethod
    def from_model(
        cls, exif: Mapping[str, Any], items: Sequence[tuple[str, Mapping[str, Any]]] = ()
    ) -> PhotoExifResponse:
        """Return the response for the EXIF that is stored."""
        of_items = [ItemExifResponse(sha256=sha256, **_fields(found)) for sha256, found in items]
        return cls(**_fields(items[0][1] if items else exif), items=of_items or None)

    def to_bytes(self) -> bytes:
        """Return the JSON, without `items` if there is one picture."""
        return self.model_dump_json(exclude={"items"} if self.items is None else None).encode()


def _fields(exif: Mapping[str, Any]) -> dict[str, Any]:
    position = exif.get(LOCATION)
    return {
        "tags": {name: value for name, value in exif.items() if name != LOCATION},
        "location": None if position is None else PhotoLocation(**position),
    }
