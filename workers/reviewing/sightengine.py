"""Sightengine: one request with the URL of an image, whose answer has the scores of each model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from yarl import URL

from workers.reviewing.port import Question, ReviewSettings, Scores, highest_of

_URL = "https://api.sightengine.com/1.0/check.json"
_MODELS = "nudity-2.1,gore-2.0,violence,self-harm,offensive-2.0"
_ANSWERED = {"nudity", "gore", "violence", "self-harm", "offensive"}
_HARMLESS = {"none", "suggestive", "mildly_suggestive"}


class SightengineService:
    """Labels as `nudity.sexual_activity` and `gore.prob`; the key is `<api_user>:<api_secret>`."""

    name = "sightengine"

    def __init__(self, settings: ReviewSettings) -> None:
        self._settings = settings

    def question(self, image_url: str, text: str) -> Question:  # noqa: ARG002 - it looks at images alone
        """Return the request."""
        user, _, secret = self._settings.key.partition(":")
        query = {"url": image_url, "models": _MODELS, "api_user": user, "api_secret": secret}
        return Question(method="GET", url=str(URL(self._settings.url or _URL).update_query(query)), headers={})

    def scores(self, document: Mapping[str, Any]) -> Scores:
        """Return the scores of the models; raise ValueError for the answer to a failure."""
        if document["status"] != "success":
            raise ValueError(document["status"])
        return highest_of(_pairs(document))


def _pairs(document: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for model in _ANSWERED & document.keys():
        for name, score in document[model].items():
            # Classes in more detail are objects, and are in the others already.
            if name not in _HARMLESS and not isinstance(score, dict):
                yield f"{model}.{name}", score
