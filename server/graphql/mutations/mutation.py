"""The root of mutations."""

from __future__ import annotations

from server.actions.relations import RelationActions as Relations
from server.graphql.mutations import (
    account_writes,
    collection_writes,
    comment_writes,
    notification_writes,
    photo_writes,
    relation_writes,
)
from server.graphql.mutations.payloads import (
    AccountListPayload,
    AccountPayload,
    AppealPayload,
    CollectionPayload,
    CommentPayload,
    DeletionPayload,
    DigestPayload,
    NotificationsPayload,
    PhotoPayload,
    PreferencesPayload,
    QuietHoursPayload,
    ReportPayload,
    TagPayload,
    UserPayload,
)
from server.graphql.mutations.relation_writes import relation
from server.graphql.mutations.writes import mutation
from server.graphql.resolution.described import object_type
from storage.notifications import NotificationMark


@object_type
class Mutation:
    """What can be changed. Mutations of one request are carried out one after the other; one that fails is null."""

    create_photo: PhotoPayload | None = mutation(
        "POST /photos",
        photo_writes.create_photo,
        names=photo_writes.NEW_NAMES,
        description="Post a photo of files that were uploaded before over the REST API.",
    )
    edit_photo: PhotoPayload | None = mutation(
        "PATCH /photos/{id}",
        photo_writes.edit_photo,
        names=photo_writes.EDIT_NAMES,
        description="Change the pictures, the description or the audience of your photo.",
    )
    delete_photo: DeletionPayload | None = mutation(
        "DELETE /photos/{id}", photo_writes.delete_photo, description="Delete your photo."
    )
    like_photo: PhotoPayload | None = mutation(
        "PUT /photos/{id}/like", photo_writes.like_photo, description="Like a photo; repeating it changes nothing."
    )
    unlike_photo: PhotoPayload | None = mutation(
        "DELETE /photos/{id}/like", photo_writes.unlike_photo, description="Remove your like of a photo."
    )
    save_photo: PhotoPayload | None = mutation(
        "PUT /photos/{id}/save", photo_writes.save_photo, description="Save a photo for yourself."
    )
    unsave_photo: PhotoPayload | None = mutation(
        "DELETE /photos/{id}/save",
        photo_writes.unsave_photo,
        description="Remove a photo from those that you saved.",
    )
    mute_photo: PhotoPayload | None = mutation(
        "PUT /photos/{id}/mute", photo_writes.mute_photo, description="Get no notifications about a photo."
    )
    unmute_photo: PhotoPayload | None = mutation(
        "DELETE /photos/{id}/mute", photo_writes.unmute_photo, description="Get notifications about a photo again."
    )

    add_comment: CommentPayload | None = mutation(
        "POST /photos/{id}/comments",
        comment_writes.add_comment,
        description="Comment on a photo, or reply to a comment on it.",
    )
    edit_comment: CommentPayload | None = mutation(
        "PATCH /comments/{id}", comment_writes.edit_comment, description="Change the text of your comment."
    )
    delete_comment: DeletionPayload | None = mutation(
        "DELETE /comments/{id}",
        comment_writes.delete_comment,
        description="Delete your comment, or any comment on your photo, with its replies.",
    )
    like_comment: CommentPayload | None = mutation(
        "PUT /comments/{id}/like", comment_writes.like_comment, description="Like a comment."
    )
    unlike_comment: CommentPayload | None = mutation(
        "DELETE /comments/{id}/like", comment_writes.unlike_comment, description="Remove your like of a comment."
    )
    pin_comment: CommentPayload | None = mutation(
        "PUT /comments/{id}/pin", comment_writes.pin_comment, description="Pin a comment on your photo."
    )
    unpin_comment: CommentPayload | None = mutation(
        "DELETE /comments/{id}/pin", comment_writes.unpin_comment, description="Unpin a comment on your photo."
    )
    mute_thread: CommentPayload | None = mutation(
        "PUT /comments/{id}/mute",
        comment_writes.mute_thread,
        description="Get no notifications about a comment and the replies to it.",
    )
    unmute_thread: CommentPayload | None = mutation(
        "DELETE /comments/{id}/mute",
        comment_writes.unmute_thread,
        description="Get notifications about a comment and the replies to it again.",
    )

    follow_user: UserPayload | None = mutation(
        "PUT /users/{id}/follow",
        relation(Relations.follow),
        description="Follow a user; a private account gets a request.",
    )
    unfollow_user: UserPayload | None = mutation(
        "DELETE /users/{id}/follow",
        relation(Relations.unfollow),
        description="Unfollow a user, or withdraw the request.",
    )
    block_user: UserPayload | None = mutation(
        "PUT /users/{id}/block",
        relation(Relations.block),
        description="Block a user: neither of you sees the other.",
    )
    unblock_user: UserPayload | None = mutation(
        "DELETE /users/{id}/block", relation(Relations.unblock), description="Unblock a user."
    )
    mute_user: UserPayload | None = mutation(
        "PUT /users/{id}/mute",
        relation(Relations.mute),
        description="Hide a user's photos from your feed, without notice.",
    )
    unmute_user: UserPayload | None = mutation(
        "DELETE /users/{id}/mute", relation(Relations.unmute), description="Unmute a user."
    )
    turn_bell_on: UserPayload | None = mutation(
        "POST /users/{id}/bell",
        relation(Relations.turn_bell_on),
        description="Be notified of each new photo of a user whom you follow.",
    )
    turn_bell_off: UserPayload | None = mutation(
        "DELETE /users/{id}/bell",
        relation(Relations.turn_bell_off),
        description="End the notifications of a user's photos.",
    )
    add_close_friend: UserPayload | None = mutation(
        "PUT /users/{id}/close-friend",
        relation(Relations.add_close_friend),
        description="Make a user one of your close friends, without notice.",
    )
    remove_close_friend: UserPayload | None = mutation(
        "DELETE /users/{id}/close-friend",
        relation(Relations.remove_close_friend),
        description="Remove one of your close friends, without notice.",
    )
    accept_follow_request: UserPayload | None = mutation(
        "PUT /users/me/follow-requests/{id}",
        relation(Relations.accept),
        description="Accept a request to follow you.",
    )
    decline_follow_request: UserPayload | None = mutation(
        "DELETE /users/me/follow-requests/{id}",
        relation(Relations.decline),
        description="Decline a request to follow you, without notice.",
    )
    dismiss_suggestion: UserPayload | None = mutation(
        "DELETE /suggestions/users/{id}",
        relation_writes.dismiss_suggestion,
        description="Never be suggested a user again.",
    )
    follow_tag: TagPayload | None = mutation(
        "PUT /tags/{tag}/follow",
        relation_writes.follow_tag,
        description="Follow a tag: its photos are in the feed of followed tags.",
    )
    unfollow_tag: TagPayload | None = mutation(
        "DELETE /tags/{tag}/follow", relation_writes.unfollow_tag, description="Unfollow a tag."
    )

    create_collection: CollectionPayload | None = mutation(
        "POST /collections", collection_writes.create_collection, description="Create a collection."
    )
    edit_collection: CollectionPayload | None = mutation(
        "PATCH /collections/{id}",
        collection_writes.edit_collection,
        description="Edit your collection: its title, who sees it, and the order of its photos.",
    )
    delete_collection: DeletionPayload | None = mutation(
        "DELETE /collections/{id}",
        collection_writes.delete_collection,
        description="Delete your collection; its photos stay.",
    )
    add_to_collection: CollectionPayload | None = mutation(
        "POST /collections/{id}/items",
        collection_writes.add_to_collection,
        description="Put a photo in front of your collection.",
    )
    move_in_collection: CollectionPayload | None = mutation(
        "PATCH /collections/{id}/items/{photo}",
        collection_writes.move_in_collection,
        description="Move a photo of your collection behind another one, or in front.",
    )
    remove_from_collection: CollectionPayload | None = mutation(
        "DELETE /collections/{id}/items/{photo}",
        collection_writes.remove_from_collection,
        description="Remove a photo from your collection.",
    )
    create_list: AccountListPayload | None = mutation(
        "POST /lists",
        collection_writes.create_list,
        description="Create a list of accounts, whose photos are a feed of its own.",
    )
    rename_list: AccountListPayload | None = mutation(
        "PATCH /lists/{id}", collection_writes.rename_list, description="Rename your list."
    )
    delete_list: DeletionPayload | None = mutation(
        "DELETE /lists/{id}",
        collection_writes.delete_list,
        description="Delete your list; nothing changes for its accounts.",
    )
    add_to_list: AccountListPayload | None = mutation(
        "PUT /lists/{id}/accounts/{user}",
        collection_writes.add_to_list,
        description="Add an account to your list, without notice.",
    )
    remove_from_list: AccountListPayload | None = mutation(
        "DELETE /lists/{id}/accounts/{user}",
        collection_writes.remove_from_list,
        description="Remove an account from your list, without notice.",
    )

    mark_notifications_seen: NotificationsPayload | None = mutation(
        "POST /notifications/seen",
        notification_writes.mark(NotificationMark.SEEN),
        description="Mark notifications as seen: they were on the screen.",
    )
    mark_notifications_read: NotificationsPayload | None = mutation(
        "POST /notifications/read",
        notification_writes.mark(NotificationMark.READ),
        description="Mark notifications as read: they were opened.",
    )
    delete_notification: NotificationsPayload | None = mutation(
        "DELETE /notifications/{id}", notification_writes.delete_notification, description="Delete a notification."
    )
    restore_notification: NotificationsPayload | None = mutation(
        "POST /notifications/{id}/restore",
        notification_writes.restore_notification,
        description="Undo the deletion of a notification, for an hour.",
    )
    delete_read_notifications: NotificationsPayload | None = mutation(
        "DELETE /notifications",
        notification_writes.delete_read_notifications,
        description="Delete your notifications that are read.",
    )
    set_notification_preferences: PreferencesPayload | None = mutation(
        "PUT /notifications/preferences",
        notification_writes.set_notification_preferences,
        names=notification_writes.PREFERENCE_NAMES,
        description="Choose whose activities notify you; what is left out has its default again.",
    )
    set_quiet_hours: QuietHoursPayload | None = mutation(
        "PUT /notifications/quiet-hours",
        notification_writes.set_quiet_hours,
        names=notification_writes.QUIET_NAMES,
        description="Set your quiet hours; notices about security and moderation still reach you.",
    )
    remove_quiet_hours: QuietHoursPayload | None = mutation(
        "DELETE /notifications/quiet-hours",
        notification_writes.remove_quiet_hours,
        description="Turn your quiet hours off.",
    )
    set_digest: DigestPayload | None = mutation(
        "PUT /notifications/digest",
        notification_writes.set_digest,
        description="Choose how often you get a mail about what is new.",
    )

    update_profile: AccountPayload | None = mutation(
        "PATCH /users/me", account_writes.update_profile, description="Update your account and its settings."
    )
    report: ReportPayload | None = mutation(
        "POST /reports",
        account_writes.report,
        names={"id": "subject"},
        description="Report a photo, a comment or a user to the moderators.",
    )
    appeal_decision: AppealPayload | None = mutation(
        "POST /decisions/{id}/appeal",
        account_writes.appeal_decision,
        description="Appeal against a decision about you, once.",
    )
