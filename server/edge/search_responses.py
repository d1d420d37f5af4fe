"""Models of the responses of a search."""

from __future__ import annotations

from server.edge.photo_responses import PhotoResponse
from server.edge.responses import ListResponse, ResponseModel, UserFields
from storage.render.user_summary import user_summary_fields
from storage.stores.discovery.tag_search import FoundTag
from storage.stores.discovery.user_search import FoundUser


class FoundUserResponse(UserFields):
    """A user that was found, and whether the viewer follows them."""

    following: bool

    @classmethod
    def from_model(cls, found: FoundUser) -> FoundUserResponse:
        """Return the response for a user."""
        return cls(**user_summary_fields(found.user), following=found.following)


class FoundTagResponse(ResponseModel):
    """A tag that was found, and the number of its photos that everyone may find, as of a while ago."""

    tag: str
    photos: int

    @classmethod
    def from_model(cls, found: FoundTag) -> FoundTagResponse:
        """Return the response for a tag."""
        return cls(tag=found.tag, photos=found.photos)


class SearchResponse(ResponseModel):
    """The best results of each kind. `partial` says that some may be missing because the search took too long."""

    users: list[FoundUserResponse]
    tags: list[FoundTagResponse]
    photos: list[PhotoResponse]
    partial: bool


class FoundUsersResponse(ListResponse[FoundUserResponse]):
    """A page of users; of the best 100."""

    partial: bool


class FoundTagsResponse(ListResponse[FoundTagResponse]):
    """A page of tags; of the best 100."""

    partial: bool


class FoundPhotosResponse(ListResponse[PhotoResponse]):
    """A page of photos, newest first."""

    partial: bool
