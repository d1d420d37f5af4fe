"""The root of queries."""

from __future__ import annotations

from server.graphql.fields import root
from server.graphql.objects.collection_types import Collection
from server.graphql.objects.comment_types import Comment
from server.graphql.objects.discovery_types import SearchConnection, Tag
from server.graphql.objects.node import Node
from server.graphql.objects.photo_types import Photo
from server.graphql.objects.user_types import User
from server.graphql.queries import discovery, lookups
from server.graphql.queries.discovery import Trending
from server.graphql.queries.viewer import Viewer, viewer
from server.graphql.resolution.connections import Connection
from server.graphql.resolution.described import object_type
from server.graphql.resolution.rules import ruled


@object_type
class Query:
    """What can be read. An object that does not exist, or that you may not see, is null."""

    viewer: Viewer | None = root(viewer, description="You: the signed-in user; null for visitors.")
    node: Node | None = root(lookups.node, description="An object of any type by its id.")
    nodes: list[Node | None] | None = root(
        lookups.nodes, size="ids", description="Objects of any types, one for each of at most 100 ids."
    )
    user: User | None = root(
        ruled("GET /users/{id}", lookups.user), description="An account by its id or its username."
    )
    photo: Photo | None = root(ruled("GET /photos/{id}", lookups.photo), description="A photo by its id.")
    comment: Comment | None = root(
        ruled("GET /comments/{id}", lookups.comment), description="A comment or a reply by its id."
    )
    collection: Collection | None = root(
        ruled("GET /collections/{id}", lookups.collection), description="A collection by its id."
    )
    photos: Connection[Photo] | None = root(
        ruled("GET /photos", discovery.photos), description="The newest photos that everyone may see."
    )
    tag: Tag | None = root(ruled("GET /photos", discovery.tag), description="A tag by its name.")
    search: SearchConnection | None = root(
        ruled("GET /search", discovery.search),
        description="Users, tags and photos by their words, parts of words and misspelt names.",
    )
    trending: Trending | None = root(discovery.trending, description="Photos and tags that trend.")
