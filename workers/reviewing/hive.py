"""The visual moderation of Hive: one synchronous task for an image, whose answer has a score for each class."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from workers.reviewing.port import Question, ReviewSettings, Scores, highest_of

_URL = "https://api.thehive.ai/api/v2/task/sync"
_HARMFUL = "general_nsfw"


class HiveService:
    """Classes as `yes_sexual_activity`; of each pair of classes, the one that says that something is there."""

    name = "hive"

    def __init__(self, settings: ReviewSettings) -> None:
        self._settings = settings

    def question(self, image_url: str, text: str) -> Question:  # noqa: ARG002 - it looks at images alone
        """Return the request."""
        return Question(
            method="POST",
            url=self._settings.url or _URL,
            headers={"Authorization": f"token {self._settings.key}", "Content-Type": "application/json"},
            body=json.dumps({"url": image_url}).encode(),
        )

    def scores(self, document: Mapping[str, Any]) -> Scores:
        """Return the scores of the classes."""
        return highest_of(
            (one["class"], one["score"])
            for status in document["status"]
            for output in status["response"]["output"]
            for one in output["classes"]
            if one["class"].startswith("yes_") or one["class"] == _HARMFUL
        )
