"""All parts, in the order in which they are run."""

from __future__ import annotations

from mutation.parts.accounts import ACCOUNTS
from mutation.parts.events import EVENTS
from mutation.parts.interfaces import INTERFACES
from mutation.parts.live import LIVE
from mutation.parts.photos import PHOTOS
from mutation.parts.web import WEB

PARTS = (*ACCOUNTS, *INTERFACES, *PHOTOS, *EVENTS, *LIVE, *WEB)
