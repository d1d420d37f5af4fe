"""Build the use cases, and what commands and the demonstration need of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from server.actions.accounts import AccountActions
from server.actions.appeals import AppealActions
from server.actions.applications import ApplicationActions
from server.actions.authorizations import AuthorizationActions
from server.actions.cases import CaseActions
from server.actions.catalog import Actions
from server.actions.comments import CommentActions
from server.actions.credentials import CredentialChecks
from server.actions.email_addresses import EmailActions
from server.actions.enforcement import Enforcement
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
from server.actions.push import PushActions
from server.actions.reactions import ReactionActions
from server.actions.reauthentication import Reauthentication
from server.actions.relations import RelationActions
from server.actions.reports import ReportActions
from server.actions.second_factor import SecondFactor
from server.actions.sessions import SessionService
from server.actions.sign_in import SignInActions
from server.actions.sign_in_challenges import SignInChallenges
from server.actions.suggestions import SuggestionActions
from server.actions.tags import TagActions
from server.actions.token_access import TokenAccess
from server.actions.token_grants import TokenGrants
from server.actions.token_lookup import TokenLookup
from server.actions.uploads import UploadActions
from server.actions.webhooks import WebhookActions
from server.composition.backends import Stores
from server.composition.oidc import provider_accounts
from server.config.settings import Settings
from server.demo.community import Demo
from server.identity.challenges import Challenges
from server.identity.device_tokens import DeviceTokens
from server.identity.passwords import Passwords
from server.identity.rate_limiter import RateLimiter
from server.identity.relying_party import RelyingParty
from server.identity.secret_box import SecretBox
from server.identity.tokens import AccessTokens
from server.operation.metrics import Metrics
from storage.blobs.presign import Presigner
from storage.limits.one_time import OneTimeValues
from storage.limits.tickets import Tickets
from storage.postgres.database import Database
from storage.postgres.reads import PrimaryReads
from workers.jobs.feeds.account_visibility import AccountVisibility
from workers.jobs.live.permissions import LivePermissions
from workers.jobs.live.sessions import SessionRevoker
from workers.jobs.moderation.photo_decisions import PhotoDecisions
from workers.mails.tokens import MailTokens
from workers.outbound.policy import OutboundPolicy
from workers.outbound.resolving import SystemResolver
from workers.web_push.settings import PushSettings
from workers.webhooks.verdict_tokens import VerdictTokens


@dataclass(frozen=True, kw_only=True)
class IdentitySettings:
    """What keys of identity are derived from, and the URL that passkeys belong to."""

    secret: bytes = field(repr=False)
    public_url: str


def build_actions(
    stores: Stores,
    *,
    tokens: AccessTokens,
    passwords: Passwords,
    limiter: RateLimiter,
    identity: IdentitySettings,
    presigner: Presigner,
    refresh_ttl: int,
    policy: OutboundPolicy,
    deletion_grace: timedelta,
    tus_ttl: timedelta,
    verdict_tokens: VerdictTokens,
    settings: Settings,
    mail_tokens: MailTokens,
    push: PushSettings | None = None,
    metrics: Metrics | None = None,
) -> Actions:
    """Return the use cases; `refresh_ttl` in seconds, `policy` for addresses that users supply.

    Without `push` there are no push messages.
    """
    db = stores.db
    revoker = session_revoker(stores, tokens.ttl)
    sessions = SessionService(db, tokens, revoker, refresh_ttl=refresh_ttl)
    permissions = LivePermissions(db, stores.publisher)
    visibility = AccountVisibility(db, stores.feeds, stores.cards, permissions)
    once, checks = OneTimeValues(stores.redis), CredentialChecks(db, passwords, limiter)
    factor = second_factor(db, checks, identity.secret)
    passkeys = PasskeyActions(db, once, RelyingParty(identity.public_url))
    reauthentication = Reauthentication(db, checks, factor, passkeys)
    cases = case_actions(stores, revoker)
    preferences = NotificationPreferenceActions(db)
    accounts = AccountActions(
        db,
        passwords,
        limiter,
        sessions,
        permissions,
        reauthentication=reauthentication,
        checks=checks,
        visibility=visibility,
        deletion_grace=deletion_grace,
    )
    sign_in = SignInActions(
        db,
        checks,
        sessions,
        factor,
        passkeys,
        challenges=SignInChallenges(Challenges(identity.secret), once),
        devices=DeviceTokens(identity.secret),
        visibility=visibility,
        metrics=metrics,
    )
    return Actions(
        accounts=accounts,
        sign_in=sign_in,
        provider_accounts=provider_accounts(
            settings,
            stores,
            accounts=accounts,
            sign_in=sign_in,
            checks=checks,
            reauthentication=reauthentication,
            metrics=metrics,
        ),
        sessions=sessions,
        reauthentication=reauthentication,
        password_change=PasswordChange(db, checks, passwords, sessions),
        second_factor=factor,
        passkeys=passkeys,
        emails=EmailActions(db, checks, reauthentication),
        password_resets=PasswordResetActions(db, passwords, limiter, sessions),
        mail_lists=MailLists(db, mail_tokens, preferences),
        collections=CollectionActions(db),
        lists=ListActions(db),
        photos=PhotoActions(db, stores.cards, permissions),
        profile_images=ProfileImageActions(db, stores.blobs),
        uploads=UploadActions(db, stores.blobs, presigner, tus_ttl=tus_ttl),
        reactions=ReactionActions(db, stores.counter_cache),
        comments=CommentActions(db, stores.counter_cache),
        relations=RelationActions(db, stores.feeds, permissions),
        suggestions=SuggestionActions(db),
        tags=TagActions(db),
        notifications=NotificationActions(db, stores.notification_log),
        notification_preferences=preferences,
        push=PushActions(db, push),
        presence=PresenceReader(db, stores.presence),
        last_seen=LastSeen(db),
        webhooks=WebhookActions(db, permissions, policy, SystemResolver()),
        exports=ExportActions(db),
        imports=ImportActions(db),
        reports=ReportActions(db),
        cases=cases,
        appeals=AppealActions(db, cases),
        applications=ApplicationActions(db, limiter, sessions),
        authorizations=AuthorizationActions(db, issuer=identity.public_url),
        token_grants=TokenGrants(db, sessions, TokenLookup(PrimaryReads(db), None).find),
        token_access=TokenAccess(db, sessions),
        moderation=ModerationActions(db, stores.cards, permissions, verdict_tokens, metrics=metrics),
    )


def case_actions(stores: Stores, revoker: SessionRevoker) -> CaseActions:
    """Return the use cases of moderators."""
    db, permissions = stores.db, LivePermissions(stores.db, stores.publisher)
    moderation = PhotoDecisions(db, stores.cards, permissions)
    enforcement = Enforcement(
        db, stores.cards, stores.counter_cache, moderation, revoker=revoker, permissions=permissions
    )
    return CaseActions(db, enforcement)


def second_factor(db: Database, checks: CredentialChecks, secret: bytes) -> SecondFactor:
    """Return the use cases of the second factor."""
    return SecondFactor(db, checks, SecretBox(secret, "second factor"))


def session_revoker(stores: Stores, access_ttl: int) -> SessionRevoker:
    """Return the revoker of ended sessions; `access_ttl` in seconds."""
    return SessionRevoker(Tickets(stores.redis), stores.publisher, access_ttl=access_ttl)


def build_demo(stores: Stores, passwords: Passwords) -> Demo:
    """Return the demonstration community."""
    return Demo(
        stores.db,
        stores.blobs,
        passwords,
        relations=RelationActions(stores.db, stores.feeds, LivePermissions(stores.db, stores.publisher)),
        reactions=ReactionActions(stores.db, stores.counter_cache),
        comments=CommentActions(stores.db, stores.counter_cache),
    )
