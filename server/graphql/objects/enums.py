"""Enums of the schema: those of the domain, with the description of each value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, EnumMeta
from typing import NamedTuple

from server.graphql.resolution.described import enum_type
from storage import models, notification_channels, notifications, quiet_hours, reports
from storage.moderation import Decider, ModerationState
from storage.stores.discovery.account_suggestions import SuggestionReason
from storage.stores.notifications.notification_preferences import DigestFrequency


class FeedSource(Enum):
    """Sources of a feed; a list is named by its own argument."""

    HOME = "home"
    TAGS = "tags"
    LIST = "list"


class FeedOrder(Enum):
    """Orders of the home feed."""

    NEWEST = "newest"
    HIGHLIGHTS = "highlights"


class SearchType(Enum):
    """What a search finds."""

    ALL = "all"
    USERS = "users"
    TAGS = "tags"
    PHOTOS = "photos"


class EntityType(Enum):
    """What a part of a text links to."""

    MENTION = "mention"
    TAG = "tag"


class _Enum(NamedTuple):
    """An enum of the schema: the members of a class that are among its values, each with its description."""

    members: EnumMeta
    description: str
    values: Mapping[str, str]
    name: str | None = None


ENUMS = (
    _Enum(
        models.PhotoState,
        "State of a photo. Others are shown photos that are ready alone.",
        {
            "PROCESSING": "The images are being made.",
            "READY": "The photo is shown to its audience.",
            "REJECTED": "The file could not be read; nothing of it is shown.",
            "HIDDEN": "Moderation withholds the photo from all but its author.",
        },
    ),
    _Enum(
        models.PhotoAudience,
        "Audience of a photo, of the users that may see its author's photos at all.",
        {
            "PUBLIC": "Everyone that may see the author's photos.",
            "FOLLOWERS": "The followers of the author.",
            "CLOSE_FRIENDS": "The close friends of the author.",
            "ONLY_ME": "The author alone.",
        },
    ),
    _Enum(
        models.PresenceAudience,
        "Audience of a user's presence.",
        {"FOLLOWERS": "The followers of the user.", "NOBODY": "The user alone."},
    ),
    _Enum(
        models.LanguageChoice,
        "Language of texts to a user.",
        {"AUTO": "That of the browser.", "EN": "English.", "DE": "German.", "AR": "Arabic."},
    ),
    _Enum(
        models.LocationMetadata,
        "How exactly the positions in the EXIF of new photos are kept, for the user alone.",
        {"OFF": "Not at all.", "COARSE": "In two decimals.", "EXACT": "As in the file."},
    ),
    _Enum(
        models.Role,
        "Permissions of an account beyond its own data.",
        {"USER": "None.", "MODERATOR": "Decides about reports.", "ADMIN": "Decides about everything."},
    ),
    _Enum(
        models.CommentOrder,
        "Order of the comments on a photo; pinned comments come first in both.",
        {"NEWEST": "The newest comment first.", "TOP": "The comment with the most likes first."},
    ),
    _Enum(
        ModerationState,
        "What a decision of moderation means for a photo.",
        {
            "HELD": "It is withheld until a decision is made.",
            "SENSITIVE": "It is blurred until the viewer wants to see it.",
            "HIDDEN": "It is withheld.",
        },
    ),
    _Enum(
        Decider,
        "By what a photo was decided about.",
        {member.name: f"A decision of {member.value}." for member in Decider},
    ),
    _Enum(
        notifications.NotificationKind,
        "Kind of a notification.",
        {
            "LIKE": "Users like your photo.",
            "COMMENT": "Users commented on your photo.",
            "FOLLOW": "Users follow you.",
            "FOLLOW_REQUEST": "Users want to follow you.",
            "FOLLOW_ACCEPTED": "A user has accepted your request.",
            "MENTION": "A user mentioned you.",
            "REPLY": "Users replied to your comment.",
            "COMMENT_LIKE": "Users like your comment.",
            "POST_BY": "A user with a bell posted a photo.",
            "PHOTO_REJECTED": "Your photo could not be read.",
            "WEBHOOK_FAILING": "Messages to your webhook fail.",
            "WEBHOOK_DISABLED": "Your webhook was turned off, because its messages failed.",
            "EXPORT_READY": "The archive of your account is ready.",
            "MODERATION": "Moderation has decided about you, or what you have posted.",
            "REPORT_ANSWERED": "Your report was decided about.",
            "SECURITY": "Something happened to the security of your account.",
        },
    ),
    _Enum(
        notifications.SecurityEvent,
        "What happened to the security of an account.",
        {
            "NEW_SIGN_IN": "A sign-in from a new device.",
            "PASSWORD_CHANGED": "The password was changed.",
            "PASSWORD_RESET": "The password was reset by a link.",
            "EMAIL_CHANGED": "The e-mail address was changed.",
            "FACTOR_ADDED": "A second factor was added.",
            "FACTOR_REMOVED": "The second factor was removed.",
            "PASSKEY_ADDED": "A passkey was added.",
            "PROVIDER_LINKED": "An account at a provider was linked.",
            "TOKEN_CREATED": "An access token was made.",
            "APPLICATION_CONNECTED": "An application was given access.",
        },
    ),
    _Enum(
        notification_channels.Channel,
        "A way on which a notification reaches you.",
        {
            "INBOX": "The list of notifications.",
            "LIVE": "Open pages, at once.",
            "PUSH": "Devices, also without an open page.",
            "EMAIL": "Mails about what was not read for a while.",
        },
        name="NotificationChannel",
    ),
    _Enum(
        notification_channels.Audience,
        "The users whose activities use a channel.",
        {"EVERYONE": "All users.", "FOLLOWING": "Users that you follow.", "NOBODY": "None."},
        name="NotificationAudience",
    ),
    _Enum(
        quiet_hours.Weekday,
        "A day of the week.",
        {day.name: f"{day.name.title()}." for day in quiet_hours.WEEK},
    ),
    _Enum(
        DigestFrequency,
        "How often a mail is sent about what is new.",
        {member.name: f"{member.name.title()}." for member in DigestFrequency},
    ),
    _Enum(
        SuggestionReason,
        "Why an account is suggested.",
        {
            "FOLLOWS_YOU": "It follows you.",
            "FRIENDS": "Accounts that you follow follow it.",
            "TAGS": "It posts photos with tags that you follow.",
            "PICK": "The operators recommend it.",
            "KNOWN": "Many follow it.",
        },
    ),
    _Enum(
        reports.SubjectKind,
        "What a report or a decision is about.",
        {"PHOTO": "A photo.", "COMMENT": "A comment.", "USER": "An account."},
    ),
    _Enum(
        reports.Category,
        "Why something is reported, and the rule that a decision relies on.",
        {
            "CHILD_SAFETY": "Danger to children.",
            "SELF_HARM": "Self-harm or suicide.",
            "VIOLENCE": "Violence or threats.",
            "HATE": "Hatred against a group.",
            "ILLEGAL": "Something illegal.",
            "HARASSMENT": "Harassment.",
            "NUDITY": "Nudity.",
            "IMPERSONATION": "An account that pretends to be another one.",
            "COPYRIGHT": "A breach of copyright.",
            "SPAM": "Spam.",
            "OTHER": "Another reason.",
        },
        name="ReportCategory",
    ),
    _Enum(
        reports.ReportOutcome,
        "What a report has led to.",
        {"ACTION": "A decision with an action.", "NO_ACTION": "A decision that changes nothing."},
    ),
    _Enum(
        reports.CaseAction,
        "What a decision does.",
        {
            "NONE": "Nothing.",
            "SENSITIVE": "Marks the photo as sensitive.",
            "HIDE": "Withholds the photo or comment.",
            "REMOVE": "Removes the photo or comment.",
            "LIMIT": "Shows the account to its followers alone.",
            "SUSPEND": "Suspends the account.",
        },
        name="DecisionAction",
    ),
    _Enum(
        reports.AppealState,
        "State of an appeal.",
        {
            "PENDING": "It waits for a moderator.",
            "UPHELD": "The decision stays.",
            "REVERTED": "The decision was undone.",
        },
    ),
    _Enum(
        FeedSource,
        "Source of a feed.",
        {
            "HOME": "Photos of accounts that you follow, and your own.",
            "TAGS": "Photos with tags that you follow.",
            "LIST": "Photos of the accounts in one of your lists.",
        },
    ),
    _Enum(
        FeedOrder,
        "Order of the home feed.",
        {"NEWEST": "The newest photo first.", "HIGHLIGHTS": "The most liked photos first, for their age."},
    ),
    _Enum(
        SearchType,
        "What a search finds.",
        {
            "ALL": "The best of each type, on one page.",
            "USERS": "Users, the best 100.",
            "TAGS": "Tags, the best 100.",
            "PHOTOS": "Photos, newest first.",
        },
    ),
    _Enum(
        EntityType,
        "What a part of a text links to.",
        {"MENTION": "An account.", "TAG": "A tag."},
    ),
)


def declare_enums() -> None:
    """Declare the enums, before the schema is made of the types that name them."""
    for each in ENUMS:
        enum_type(each.members, each.description, each.values, name=each.name)
