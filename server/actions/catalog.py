"""All actions together, as the composition root builds them and the API and GraphQL use them."""

from __future__ import annotations

from dataclasses import dataclass

from server.actions.accounts import AccountActions
from server.actions.appeals import AppealActions
from server.actions.applications import ApplicationActions
from server.actions.authorizations import AuthorizationActions
from server.actions.cases import CaseActions
from server.actions.comments import CommentActions
from server.actions.email_addresses import EmailActions
from server.actions.exports import ExportActions
from server.actions.imports import ImportActions
from server.actions.last_seen import LastSeen
from server.actions.lists import ListActions
from server.actions.mail_lists import MailLists
from server.actions.moderation import ModerationActions
from server.actions.notification_preferences import NotificationPreferenceActions
from server.actions.notifications import NotificationActions
from server.actions.passkeys import PasskeyActions
from server.actions.password_change import PasswordChange
from server.actions.password_resets import PasswordResetActions
from server.actions.photo_collections import CollectionActions
from server.actions.photos import PhotoActions
from server.actions.presence import PresenceReader
from server.actions.profile_images import ProfileImageActions
from server.actions.provider_accounts import ProviderAccounts
from server.actions.push import PushActions
from server.actions.reactions import ReactionActions
from server.actions.reauthentication import Reauthentication
from server.actions.relations import RelationActions
from server.actions.reports import ReportActions
from server.actions.second_factor import SecondFactor
from server.actions.sessions import SessionService
from server.actions.sign_in import SignInActions
from server.actions.suggestions import SuggestionActions
from server.actions.tags import TagActions
from server.actions.token_access import TokenAccess
from server.actions.token_grants import TokenGrants
from server.actions.uploads import UploadActions
from server.actions.webhooks import WebhookActions


@dataclass(frozen=True, kw_only=True)
class Actions:
    """The service's use cases, one attribute for each area."""

    accounts: AccountActions
    sign_in: SignInActions
    sessions: SessionService
    reauthentication: Reauthentication
    password_change: PasswordChange
    second_factor: SecondFactor
    passkeys: PasskeyActions
    emails: EmailActions
    password_resets: PasswordResetActions
    mail_lists: MailLists
    collections: CollectionActions
    lists: ListActions
    photos: PhotoActions
    profile_images: ProfileImageActions
    uploads: UploadActions
    reactions: ReactionActions
    comments: CommentActions
    relations: RelationActions
    suggestions: SuggestionActions
    tags: TagActions
    notifications: NotificationActions
    notification_preferences: NotificationPreferenceActions
    push: PushActions
    presence: PresenceReader
    last_seen: LastSeen
    webhooks: WebhookActions
    exports: ExportActions
    imports: ImportActions
    moderation: ModerationActions
    reports: ReportActions
    cases: CaseActions
    appeals: AppealActions
    provider_accounts: ProviderAccounts
    applications: ApplicationActions
    authorizations: AuthorizationActions
    token_grants: TokenGrants
    token_access: TokenAccess
