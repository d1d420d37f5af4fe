"""Every way to read photos over the GraphQL interface; `tests.support.photo_reads` has them with those of REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.api_user import ApiUser
from tests.support.graphql_requests import send

Select = Callable[[Any], list[Any]]


async def read(viewer: ApiUser, document: str, select: Select, **variables: Any) -> set[str]:
    """Return the ids of the photos in a response, without those that are null; none for a visitor's refusal."""
    response = (await send(viewer, document, **variables)).expect(200)
    refused = {error["extensions"]["code"] for error in response.get("errors", [])}
    assert refused <= {"unauthorized"}, response["errors"]
    if response["data"] is None or refused:
        return set()
    return {photo["id"].removeprefix("P-") for photo in select(response["data"]) if photo is not None}


def nodes(connection: Any) -> list[Any]:
    """Return the photos of a connection, none of one that is null."""
    return [] if connection is None else connection["nodes"]


# By name: a document, what it reads of a scene as variables, and where the photos are in the data.
PHOTOS = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Photo { id } } }"
COMMENTS = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Comment { photo { id } } } }"
NESTED = """query($ids: [ID!]!) { nodes(ids: $ids) { ... on Photo { id likes { nodes { id } }
    comments(first: 1) { nodes { photo { id } replies(first: 1) { nodes { id } } } } } } }"""
OF_USER = "query($id: ID!) { user(id: $id) { photos(first: 100) { nodes { id } } } }"
OF_TAG = '{ tag(name: "sea") { photos(first: 100) { nodes { id } } } }'
OF_COLLECTION = "query($id: ID!) { collection(id: $id) { photos(first: 100) { nodes { id } } } }"
COVERS = "query($id: ID!) { user(id: $id) { collections(first: 100) { nodes { cover { id } } } } }"
PUBLIC = "{ photos(first: 100) { nodes { id } } }"
TRENDING = "{ trending { photos(first: 100) { nodes { id } } } }"
FEED = "{ viewer { feed(first: 100) { nodes { id } } } }"
OF_LIST = "query($id: ID!) { viewer { feed(first: 100, source: LIST, list: $id) { nodes { id } } } }"
SAVED = "{ viewer { savedPhotos(first: 100) { nodes { id } } } }"
SAVED_STATE = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Photo { id saved } } }"
