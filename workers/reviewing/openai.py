"""The moderation of OpenAI: one request with text and image, whose answer has a score for each category."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from workers.reviewing.port import Question, ReviewSettings, Scores, highest_of

_URL = "https://api.openai.com/v1/moderations"
_MODEL = "omni-moderation-latest"


class OpenAIService:
    """Categories as `sexual`, `violence/graphic` and `self-harm`."""

    name = "openai"

    def __init__(self, settings: ReviewSettings) -> None:
        self._settings = settings

    def question(self, image_url: str, text: str) -> Question:
        """Return the request."""
        image = {"type": "image_url", "image_url": {"url": image_url}}
        parts = [{"type": "text", "text": text}, image] if text else [image]
        return Question(
            method="POST",
            url=self._settings.url or _URL,
            headers={"Authorization": f"Bearer {self._settings.key}", "Content-Type": "application/json"},
            body=json.dumps({"model": _MODEL, "input": parts}).encode(),
        )

    def scores(self, document: Mapping[str, Any]) -> Scores:
        """Return the scores of the categories."""
        return highest_of(pair for result in document["results"] for pair in result["category_scores"].items())
