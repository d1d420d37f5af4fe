"""Models of the bodies and responses about moderation."""

from __future__ import annotations

from typing import Any

from server.edge.photo_responses import PhotoModeration, PhotoResponse
from server.edge.requests import RequestModel
from server.edge.responses import ResponseModel
from storage.models import PhotoState
from storage.moderation import ModerationAction, ModerationState
from workers.webhooks.verdicts import Verdict


class VerdictCreate(RequestModel, Verdict):
    """A verdict about a photo: by a moderator who is signed in, or by a service with `verdict_token` of its message.

    `reason` is for the photo's author, `labels` are for moderators.
    """

    verdict_token: str | None = None


class VerdictResponse(ResponseModel):
    """What applies to a photo after a verdict: its state, and that of moderation, null if it is shown as any other.

    `applied` says whether the verdict that was given is the one that applies. A moderator's applies before a service's.
    """

    state: PhotoState
    moderation_state: ModerationState | None
    applied: bool


class DecisionResponse(PhotoModeration):
    """The latest decision of one source about a photo, for moderators; `source` is a webhook's id, or a rule's name."""

    state: ModerationState | None  # type: ignore[assignment]
    action: ModerationAction
    source: str
    labels: dict[str, Any]


class ModeratedPhotoResponse(ResponseModel):
    """A photo in any state as moderators get it, and all decisions about it, the newest first."""

    photo: PhotoResponse
    decisions: list[DecisionResponse]
