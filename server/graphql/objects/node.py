"""The interface of all objects that have a node id."""

from __future__ import annotations

import strawberry

from server.graphql.fields import leaf
from server.graphql.resolution.described import interface_type


@interface_type
class Node:
    """An object that can be requested by its id."""

    id: strawberry.ID = leaf(description="The id, which begins with the letter of the object's type.")
