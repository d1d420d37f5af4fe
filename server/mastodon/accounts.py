"""Entities of accounts: Account, CredentialAccount and Relationship."""

from __future__ import annotations

from typing import Any

from server.mastodon.texts import Links, paragraphs
from storage.ids import decode, milliseconds_of
from storage.models import Relation, User, UserSummary
from storage.render.timestamps import timestamp, timestamp_of
from storage.render.user_summary import avatar_url, banner_url

Entity = dict[str, Any]

_AVATAR, _HEADER = "/static/icons/picshare-192.png", "/static/icons/picshare-512.png"  # of accounts without


def account(user: User, links: Links) -> Entity:
    """Return the entity of an account."""
    return _account(
        user.id,
        user.username,
        user.display_name,
        avatar_url(user),
        links,
        header=banner_url(user),
        note=paragraphs(user.bio),
        locked=user.private,
        discoverable=user.searchable,
        created_at=timestamp(user.created_at),
        counts=(user.followers, user.following, user.photos),
    )


def account_of_summary(user: UserSummary | dict[str, Any], links: Links) -> Entity:
    """Return the entity of an account of which only the name and the avatar are known, as in a live publication.

    Its counters are 0, and its profile is empty.
    """
    if isinstance(user, dict):
        user_id, username, name, avatar = decode(user["id"]), user["username"], user["display_name"], user["avatar_url"]
    else:
        user_id, username, name, avatar = user.id, user.username, user.display_name, avatar_url(user)
    created_at = timestamp_of(milliseconds_of(user_id))
    return _account(user_id, username, name, avatar, links, created_at=created_at)


def credential_account(user: User, links: Links, *, requests: int = 0) -> Entity:
    """Return the entity of the viewer's own account; `requests` are those to follow it."""
    source = {
        "note": user.bio,
        "fields": [],
        "privacy": "private" if user.private else "public",
        "sensitive": False,
        "language": None,
        "follow_requests_count": requests,
        "hide_collections": False,
        "discoverable": user.searchable,
        "indexable": user.searchable,
        "attribution_domains": [],
    }
    role = {"id": "-99", "name": "", "permissions": "0", "color": "", "highlighted": False}
    return {**account(user, links), "source": source, "role": role}


def relationship(user_id: int, relation: Relation, *, requested_by: bool) -> Entity:
    """Return the viewer's relation to an account; with `requested_by` it asks to follow the viewer.

    An account that blocks the viewer is like one that does not exist, so `blocked_by` is not shown.
    """
    return {
        "id": str(user_id),
        "following": relation.following,
        "showing_reblogs": relation.following,
        "notifying": relation.bell,
        "languages": None,
        "followed_by": relation.followed_by,
        "blocking": relation.blocking,
        "blocked_by": False,
        "muting": relation.muting,
        "muting_notifications": relation.muting,
        "muting_expires_at": None,
        "requested": relation.requested,
        "requested_by": requested_by,
        "domain_blocking": False,
        "endorsed": False,
        "note": "",
    }


def _account(
    user_id: int,
    username: str,
    display_name: str,
    avatar: str | None,
    links: Links,
    *,
    created_at: str,
    header: str | None = None,
    note: str = "",
    locked: bool = False,
    discoverable: bool | None = None,
    counts: tuple[int, int, int] = (0, 0, 0),
) -> Entity:
    avatar, header = links.absolute(avatar or _AVATAR), links.absolute(header or _HEADER)
    url, (followers, following, photos) = links.profile(username), counts
    return {
        "id": str(user_id),
        "username": username,
        "acct": username,
        "display_name": display_name,
        "locked": locked,
        "bot": False,
        "discoverable": discoverable,
        "indexable": bool(discoverable),
        "noindex": discoverable is False,
        "group": False,
        "created_at": created_at,
        "note": note,
        "url": url,
        "uri": url,
        "avatar": avatar,
        "avatar_static": avatar,
        "header": header,
        "header_static": header,
        "followers_count": followers,
        "following_count": following,
        "statuses_count": photos,
        "last_status_at": None,
        "hide_collections": False,
        "emojis": [],
        "roles": [],
        "fields": [],
    }
