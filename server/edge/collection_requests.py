"""Models of the bodies and queries about saved photos and collections."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from server.edge.fields import ID_PATTERN, Id
from server.edge.requests import ListQuery, QueryModel, RequestModel
from storage import ids, texts

MAX_ORDER = 1_000  # photos of a collection that one request arranges
MAX_ASKED = 100  # photos of which one request reads whether they are saved
_ONE_ID = ID_PATTERN.strip("^$")

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


class CollectionItemMove(RequestModel):
    """The new place of a photo: behind another photo of the collection, or with null in front."""

    after: Id | None


def _several_ids(text: Any) -> tuple[int, ...]:
    found = str(text).split(",")
    if len(found) > MAX_ASKED:
        raise ValueError(f"Name at most {MAX_ASKED} photos.")
    return tuple(ids.decode(one) for one in found)


class SavedStateQuery(QueryModel):
    """Photos by their ids, with commas between them."""

    ids: Annotated[
        tuple[int, ...],
        PlainValidator(_several_ids),
        WithJsonSchema(
            {
                "type": "string",
                "pattern": f"^{_ONE_ID}(?:,{_ONE_ID}){{0,{MAX_ASKED - 1}}}$",
                "examples": ["01K3S9C0XG4Q7,01K3S9C0XG4Q8"],
            }
        ),
    ]


class CollectionsQuery(ListQuery):
    """A page of the viewer's collections; with `photo_id`, they say whether they contain this photo."""

    photo_id: Id | None = None
