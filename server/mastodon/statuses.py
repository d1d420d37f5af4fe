"""Entities of what users post: Status, from a photo's JSON or a comment, and MediaAttachment.

The JSON of a photo is the same in lists, in the home feed and in live publications, so there is one projection of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from server.mastodon import ids
from server.mastodon.accounts import Entity, account_of_summary
from server.mastodon.texts import Links, html_of
from storage.ids import decode, encode
from storage.models import Comment, Photo, PhotoAudience
from storage.render.comment import comment_fields

Accounts = Mapping[int, Entity]  # by the ids of `storage.ids`

_PLACEHOLDER = "/static/icons/picshare-512.png"  # while an image is made
# Never wider than what an app asks for: here is no audience for "everyone, but in no list".
_AUDIENCES = {
    "public": PhotoAudience.PUBLIC,
    "unlisted": PhotoAudience.FOLLOWERS,
    "private": PhotoAudience.FOLLOWERS,
    "direct": PhotoAudience.ONLY_ME,
}
_VISIBILITIES = {PhotoAudience.PUBLIC: "public", PhotoAudience.ONLY_ME: "direct"}


def audience_of(visibility: str) -> PhotoAudience:
    """Return the audience of a visibility; raise `ValueError` for one that does not exist."""
    if visibility not in _AUDIENCES:
        raise ValueError(f"Use one of {', '.join(_AUDIENCES)}.")
    return _AUDIENCES[visibility]


def visibility_of(audience: str, *, locked: bool) -> str:
    """Return the visibility of a photo, whose author may have a private account."""
    found = _VISIBILITIES.get(PhotoAudience(audience), "private")
    return "private" if locked and found == "public" else found


def photo_status(
    photo: Mapping[str, Any], accounts: Accounts, links: Links, *, bookmarked: bool = False, pinned: bool = False
) -> Entity:
    """Return a photo as a status, from its JSON; accounts that are not among `accounts` have their summary alone."""
    photo_id, author = decode(photo["id"]), photo["author"]
    by = accounts.get(decode(author["id"])) or account_of_summary(author, links)
    url = links.photo(photo["id"])
    return {
        **_status(photo["caption"], photo["caption_entities"], accounts, links, tags=photo["tags"]),
        "id": str(photo_id),
        "created_at": photo["created_at"],
        "edited_at": photo["edited_at"],
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "sensitive": photo["sensitive"],
        "visibility": visibility_of(photo["audience"], locked=by["locked"]),
        "uri": url,
        "url": url,
        "replies_count": photo["comments"],
        "favourites_count": photo["likes"],
        "favourited": photo["liked"],
        "bookmarked": bookmarked,
        "pinned": pinned,
        "account": by,
        "media_attachments": attachments(photo, links),
    }


def comment_status(comment: Comment, photo: Photo, accounts: Accounts, links: Links) -> Entity:
    """Return a comment on a photo as a status in reply to the photo, or to the comment that it answers."""
    fields = comment_fields(comment)
    by = accounts.get(comment.author.id) or account_of_summary(comment.author, links)
    owner = accounts.get(photo.author.id)
    answered = photo.author.id if comment.reply_to is None else comment.answered_id
    reply_to = str(photo.id) if comment.reply_to is None else ids.comment_status(comment.reply_to)
    url = f"{links.photo(encode(photo.id))}#comment-{fields['id']}"
    locked = photo.author_private if owner is None else owner["locked"]
    return {
        **_status(comment.text, fields["entities"], accounts, links),
        "id": ids.comment_status(comment.id),
        "created_at": fields["created_at"],
        "edited_at": fields["edited_at"],
        "in_reply_to_id": reply_to,
        "in_reply_to_account_id": None if answered is None else str(answered),
        "sensitive": False,
        "visibility": visibility_of(photo.audience, locked=locked),
        "uri": url,
        "url": url,
        "replies_count": comment.replies,
        "favourites_count": comment.likes,
        "favourited": comment.liked,
        "bookmarked": False,
        "pinned": False,
        "account": by,
        "media_attachments": [],
    }


def mentioned_in(entities: Sequence[Mapping[str, Any]]) -> set[int]:
    """Return the ids of the accounts that a text mentions."""
    return {decode(entity["user_id"]) for entity in entities if entity["type"] == "mention"}


def attachments(photo: Mapping[str, Any], links: Links) -> list[Entity]:
    """Return the pictures of a photo, from its JSON."""
    photo_id, pictures = decode(photo["id"]), photo.get("items") or [photo]
    return [_attachment(ids.picture(photo_id, place), each, links) for place, each in enumerate(pictures)]


def attachment(
    media_id: str,
    *,
    kind: str,
    url: str | None,
    preview_url: str | None,
    description: str,
    original: Mapping[str, Any],
    small: Mapping[str, Any] | None = None,
) -> Entity:
    """Return the entity of a picture or video; `original` and `small` are `_size`s."""
    meta: Entity = {"original": original, "focus": {"x": 0.0, "y": 0.0}}
    return {
        "id": media_id,
        "type": kind,
        "url": url,
        "preview_url": preview_url,
        "remote_url": None,
        "preview_remote_url": None,
        "text_url": None,
        "meta": meta if small is None else {**meta, "small": small},
        "description": description or None,
        "blurhash": None,
    }


def size_of(width: int, height: int) -> Entity:
    """Return the meta data of an image of so many pixels."""
    aspect = round(width / height, 6) if height else 0
    return {"width": width, "height": height, "size": f"{width}x{height}", "aspect": aspect}


def _attachment(media_id: str, picture: Mapping[str, Any], links: Links) -> Entity:
    sizes = picture["images"]["sizes"]
    largest = sizes[-1] if sizes else None
    feed = picture["urls"].get("feed")
    preview = links.absolute(feed or _PLACEHOLDER)
    video = picture.get("video")
    original = size_of(picture["width"], picture["height"])
    if video:
        played = {
            "length": video["duration"],
            "duration": video["duration"],
            **size_of(video["width"], video["height"]),
        }
        return attachment(
            media_id,
            kind="video",
            url=links.absolute(video["url"]),
            preview_url=preview,
            description=picture["alt_text"],
            original=played,
        )
    return attachment(
        media_id,
        kind="image",
        url=preview if largest is None else links.absolute(largest["jpg"]),
        preview_url=preview,
        description=picture["alt_text"],
        original=original if largest is None else size_of(largest["width"], largest["height"]),
        small=None if largest is None else size_of(largest["width"], largest["height"]),
    )


def _status(
    text: str,
    entities: Sequence[Mapping[str, Any]],
    accounts: Accounts,
    links: Links,
    *,
    tags: Collection[str] = (),
) -> Entity:
    """Return the fields that depend on the text alone, and those that are the same for all statuses."""
    mentioned = [accounts[user_id] for user_id in sorted(mentioned_in(entities)) if user_id in accounts]
    names = {encode(int(each["id"])): each["username"] for each in mentioned}
    found = dict.fromkeys([*tags, *(entity["tag"] for entity in entities if entity["type"] == "tag")])
    return {
        "spoiler_text": "",
        "language": None,
        "reblogs_count": 0,
        "reblogged": False,
        "reblog": None,
        "muted": False,
        "content": html_of(text, entities, links, names),
        "filtered": [],
        "application": None,
        "mentions": [{name: each[name] for name in ("id", "username", "url", "acct")} for each in mentioned],
        "tags": [{"name": name, "url": links.tag(name)} for name in found],
        "emojis": [],
        "card": None,
        "poll": None,
    }
