"""Follow, block and mute users, answer requests, choose close friends, turn bells on, and follow tags."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from server.actions.relations import RelationActions
from server.graphql.mutations.writes import UserId, Write
from server.graphql.queries.discovery import TagName, tag_name
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.node_ids import NodeKind


def relation(change: Callable[[RelationActions, int, int], Awaitable[object]]) -> Write:
    """Return the write of a change of the viewer's relation to a user."""

    async def write(context: RequestContext, user: UserId) -> Source:
        user_id = NodeKind.USER.decode(user, "user")
        await change(context.actions.relations, context.request.viewer.user_id, user_id)
        # It decides what the other user may see, from now on and not only once a replica has it.
        await context.services.reads.keep_position(user_id)
        return {"user_id": user_id}

    return write


async def dismiss_suggestion(context: RequestContext, user: UserId) -> Source:
    """Never be suggested a user again."""
    user_id = NodeKind.USER.decode(user, "user")
    await context.actions.suggestions.dismiss(context.request.viewer.user_id, user_id)
    return {"user_id": user_id}


async def follow_tag(context: RequestContext, name: TagName) -> Source:
    """Follow a tag."""
    tag = tag_name(name)
    await context.actions.tags.follow(context.request.viewer.user_id, tag)
    return {"tag": {"tag": tag}}


async def unfollow_tag(context: RequestContext, name: TagName) -> Source:
    """Unfollow a tag."""
    tag = tag_name(name)
    await context.actions.tags.unfollow(context.request.viewer.user_id, tag)
    return {"tag": {"tag": tag}}
