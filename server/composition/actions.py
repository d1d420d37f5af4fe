"""Build the use cases from the stores."""

from __future__ import annotations

from server.actions.accounts import AccountActions
from server.actions.catalog import Actions
from server.actions.last_seen import LastSeen
from server.actions.notifications import NotificationActions
from server.actions.photos import PhotoActions
from server.actions.presence import PresenceReader
from server.actions.reactions import ReactionActions
from server.actions.relations import RelationActions
from server.actions.sessions import SessionService
from server.composition.backends import Stores
from server.identity.passwords import Passwords
from server.identity.rate_limiter import RateLimiter
from server.identity.tokens import AccessTokens
from storage.limits.tickets import Tickets


def build_actions(
    stores: Stores, *, tokens: AccessTokens, passwords: Passwords, limiter: RateLimiter, refresh_ttl: int
) -> Actions:
    """Return the actions; `refresh_ttl` in seconds."""
    db = stores.db
    sessions = SessionService(db, tokens, Tickets(stores.redis), stores.publisher, refresh_ttl=refresh_ttl)
    return Actions(
        accounts=AccountActions(db, passwords, limiter, sessions),
        sessions=sessions,
        photos=PhotoActions(db, stores.cards),
        reactions=ReactionActions(db, stores.counter_cache),
        relations=RelationActions(db, stores.feeds),
        notifications=NotificationActions(db),
        presence=PresenceReader(db, stores.presence),
        last_seen=LastSeen(db),
    )
