"""Scopes: what a token permits. They have the names of Mastodon's, where it has one for the same thing.

A wide scope contains fine ones: `read` every `read:…`, `write` every `write:…`, and `follow` what is about follows,
blocks and mutes. A session of the user's own has no scopes: it may do everything that the user may.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

ANY = "*"  # of an endpoint that checks scopes itself; no token has it
MODERATION = "moderation"  # of personal tokens alone
PUSH = "push"
PROFILE = "profile"
LIVE = "read"  # of live connections, which carry everything that the user reads

_READ = {
    "read:accounts": "see your account with its e-mail address, and the accounts you can see",
    "read:photos": "see the photos you can see, and your home feed",
    "read:comments": "see comments",
    "read:likes": "see likes, and what you have liked",
    "read:collections": "see your saved photos and collections",
    "read:follows": "see whom you follow, and who wants to follow you",
    "read:blocks": "see whom you have blocked",
    "read:mutes": "see whom and what you have muted",
    "read:lists": "see your lists and close friends",
    "read:notifications": "see your notifications and their settings",
    "read:search": "search",
    "read:reports": "see your reports, and decisions about your account",
    "read:webhooks": "see your webhooks and what was sent to them",
}
_WRITE = {
    "write:accounts": "change your profile, privacy and settings",
    "write:photos": "post, change and delete photos",
    "write:comments": "write, change and delete comments",
    "write:likes": "like and unlike",
    "write:collections": "save photos, and change your collections",
    "write:follows": "follow and unfollow, and answer follow requests",
    "write:blocks": "block and unblock",
    "write:mutes": "mute and unmute",
    "write:lists": "change your lists and close friends",
    "write:media": "upload files",
    "write:notifications": "mark notifications as read, and change their settings",
    "write:reports": "report to the moderators, and appeal against decisions",
    "write:webhooks": "change your webhooks, and repeat what was sent to them",
}
_FOLLOW = {f"{verb}:{noun}" for verb in ("read", "write") for noun in ("follows", "blocks", "mutes")}

# What users read on the consent page, for each scope that an application may ask for.
DESCRIPTIONS: Mapping[str, str] = {
    "read": "see everything you can see: photos, people, notifications and your settings",
    "write": "do everything for you: post, comment, like, and change your profile",
    "follow": "see and change whom you follow, block and mute",
    PUSH: "send push notifications to you",
    PROFILE: "see your own profile",
    MODERATION: "moderate, as far as your role allows",
    **_READ,
    **_WRITE,
    "read:statuses": "see photos and comments, and your home feed",
    "read:favourites": "see likes, and what you have liked",
    "read:bookmarks": "see your saved photos and collections",
    "read:filters": "nothing: PicShare has no filters",
    "write:statuses": "post, change and delete photos and comments",
    "write:favourites": "like and unlike",
    "write:bookmarks": "save photos, and change your collections",
    "write:filters": "nothing: PicShare has no filters",
    "write:conversations": "nothing: PicShare has no conversations",
}

# What a personal access token can be made of, without the further names of the same.
CHOICES = ("read", "write", PUSH, MODERATION, *_READ, *_WRITE)

# Further names, of Mastodon: each permits just what its fine scopes permit together.
_NAMES = {
    "read:statuses": ("read:photos", "read:comments"),
    "read:favourites": ("read:likes",),
    "read:bookmarks": ("read:collections",),
    "write:statuses": ("write:photos", "write:comments"),
    "write:favourites": ("write:likes",),
    "write:bookmarks": ("write:collections",),
}

# A scope and those that it contains, where that is more than itself.
_CONTAINED: Mapping[str, Iterable[str]] = {
    "read": (*_READ, "read:filters", PROFILE),
    "read:accounts": (PROFILE,),
    "write": (*_WRITE, "write:filters", "write:conversations"),
    "follow": _FOLLOW,
    "write:photos": ("write:media",),
    **_NAMES,
}


def permitted(scopes: Iterable[str]) -> frozenset[str]:
    """Return the scopes with all that they contain, and with the names of what they permit together."""
    found = {each for scope in scopes for each in (scope, *_CONTAINED.get(scope, ()))}
    return frozenset(found.union(name for name, fine in _NAMES.items() if found.issuperset(fine)))


def is_within(asked: Iterable[str], granted: Iterable[str]) -> bool:
    """Return whether every scope that is asked for is granted, by itself or within a wider one."""
    return set(asked) <= permitted(granted)
