"""Models of the responses about photos and collections of them."""

from __future__ import annotations

from typing import Literal

from server.edge.responses import Id, ListResponse, ResponseModel, Time, UserSummaryResponse
from storage import models
from storage.moderation import Decider, ModerationState


class PhotoUrls(ResponseModel):
    """URLs of two images, which are also in `images`; empty until the photo is ready.

    Only the owner gets `original`, and not in the feed.
    """

    thumb: str | None = None
    feed: str | None = None
    original: str | None = None


class PhotoImage(ResponseModel):
    """An image of a photo in one size: its pixels, and its URL in each format that the service offers."""

    width: int
    height: int
    jpg: str
    webp: str | None = None
    avif: str | None = None


class PhotoMotion(ResponseModel):
    """An animation with all its frames: its pixels, and its URL; it repeats as the original does."""

    width: int
    height: int
    webp: str


class PhotoVideo(ResponseModel):
    """A video as it is played, an MP4 with H.264 and AAC: its URL, upright pixels, duration in seconds, and bytes."""

    url: str
    width: int
    height: int
    duration: float
    bytes: int


class PhotoImages(ResponseModel):
    """The images of a photo by ascending size; images are never enlarged, so the last one is at most the original's.

    `sizes` is empty until the photo is ready. An image of equal width and height may be a square crop. `placeholder` is
    that of the photo; with `hdr` the images in the format `jpg` have a gain map from 320 pixels on. `sizes` show the
    first frame of an animation, `motion` all of them; still photos, and animations that are too large, have none.
    """

    placeholder: str | None
    hdr: bool
    sizes: list[PhotoImage]
    motion: PhotoMotion | None = None


class PhotoItemResponse(ResponseModel):
    """One picture of a photo that has several; `sha256` of its original distinguishes it from the others."""

    sha256: str
    alt_text: str
    width: int
    height: int
    placeholder: str | None
    urls: PhotoUrls
    images: PhotoImages


class PhotoSuggestions(ResponseModel):
    """Texts of the file that suit a field of the photo; a field for which there is none is missing."""

    alt_text: str | None = None
    caption: str | None = None


class TextEntity(ResponseModel):
    """A part of a text that links to something: `offset` and `length` count UTF-16 code units.

    A `mention` has the id of the account, which stays right if the account takes another name; a `tag` has its name.
    """

    type: Literal["mention", "tag"]
    offset: int
    length: int
    user_id: Id | None = None
    tag: str | None = None


class PhotoModeration(ResponseModel):
    """The decision of moderation that applies to a photo, for its author.

    A `held` or `hidden` photo is shown to its author alone, a held one until a moderator or a service decides, or at
    most until the time `until`. A `sensitive` one is blurred until the viewer wants to see it. `reason` is text, `rule`
    names what was broken; both may be empty.
    """

    state: ModerationState
    reason: str
    rule: str
    decided_by: Decider
    decided_at: Time
    until: Time | None


class PhotoResponse(ResponseModel):
    """A photo; `placeholder` is a thumbhash in base 64, `width` and `height` are the pixels of the upright image.

    `items` are the pictures in order if there are several, and absent otherwise; the first one is also that of the
    other fields. `taken_at` is null if neither the EXIF nor the author says it with its offset. `edited_at` is the last
    time at which the author changed the pictures, `caption`, `alt_text`, `tags`, `location`, `taken_at` or the mark as
    sensitive, null before. `audience` says which of the users that may see the author's photos may see this one.
    `video` is null for a picture; the images of a video are those of its poster. Only the author gets `suggestions`, of
    a single photo and live, and only if the file has any. `saved` is given to a viewer with an account who gets a photo
    by its id; for the photos of a list, `/photos/saved-state` says it. `sensitive` photos are to be blurred until the
    viewer wants to see them. The author of a photo about which moderation has decided gets `moderation`; the images of
    a `hidden` one have URLs that are for its author.
    """

    id: Id
    author: UserSummaryResponse
    audience: models.PhotoAudience
    sensitive: bool = False
    caption: str
    caption_entities: list[TextEntity]
    alt_text: str
    tags: list[str]
    location: str | None
    taken_at: Time | None
    edited_at: Time | None
    created_at: Time
    state: models.PhotoState
    width: int
    height: int
    placeholder: str | None
    urls: PhotoUrls
    images: PhotoImages
    video: PhotoVideo | None = None
    items: list[PhotoItemResponse] | None = None
    likes: int
    comments: int
    liked: bool
    suggestions: PhotoSuggestions | None = None
    saved: bool | None = None
    moderation: PhotoModeration | None = None


class LikeResponse(ResponseModel):
    """The state after a like or unlike."""

    liked: bool
    likes: int

    @classmethod
    def from_model(cls, counters: models.PhotoCounters) -> LikeResponse:
        """Return the response for the counters after a like or unlike."""
        return cls(liked=counters.liked, likes=counters.likes)


class CollectionResponse(ResponseModel):
    """A list of photos that a user keeps; only the owner sees one that is not `public`.

    `cover` is its first photo that the viewer may see, in lists of collections. `contains` is given in the list of the
    viewer's own collections, if the query names a photo.
    """

    id: Id
    owner: UserSummaryResponse
    title: str
    public: bool
    created_at: Time
    cover: PhotoResponse | None = None
    contains: bool | None = None


class CollectionListResponse(ListResponse[CollectionResponse]):
    """A page of the viewer's collections; `saved` is whether the photo that the query names is saved."""

    saved: bool | None


class SavedStateResponse(ResponseModel):
    """Those of the photos that the viewer has saved."""

    saved: list[Id]
