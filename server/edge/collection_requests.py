"""Models of the bodies and queries about collections."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from server.edge.requests import Id, ListQuery, RequestModel
from storage import texts

MAX_ORDER = 1_000  # photos of a collection that one request arranges

CollectionTitle = Annotated[
    str, Field(max_length=60), AfterValidator(texts.single_line), AfterValidator(str.strip), Field(min_length=1)
]


class CollectionCreate(RequestModel):
    """A new collection; without `public`, only you see it."""

    title: CollectionTitle
    public: bool = False


class CollectionUpdate(RequestModel):
    """Changes of a collection; fields that are left out stay unchanged.

    `order` are the photos that come first, in their order; the others follow as they are.
    """

    title: CollectionTitle | None = None
    public: bool | None = None
    order: Annotated[list[Id], Field(max_length=MAX_ORDER)] | None = None


class CollectionItemCreate(RequestModel):
    """A photo for a collection."""

    photo_id: Id


class CollectionsQuery(ListQuery):
    """A page of the viewer's collections; with `photo_id`, they say whether they contain this photo."""

    photo_id: Id | None = None
