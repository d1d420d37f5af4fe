"""The shapes of the services: what is sent to each, what its answer means, and that no other answer means anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from yarl import URL

from storage.moderation import ModerationAction
from workers.reviewing.port import BadAnswerError, ReviewService, ReviewSettings, decision_of, scores_in
from workers.reviewing.services import SERVICES

IMAGE = "https://photos.example.com/media/review/r1/x/1080.jpg?exp=1&sig=2"
ANSWERS: dict[str, dict[str, Any]] = {
    "openai": {
        "id": "modr-1",
        "results": [
            {"flagged": True, "category_scores": {"sexual": 0.95, "violence": 0.1}, "categories": {"sexual": True}}
        ],
    },
    "hive": {
        "status": [
            {
                "response": {
                    "output": [
                        {
                            "time": 0,
                            "classes": [
                                {"class": "yes_sexual_activity", "score": 0.95},
                                {"class": "no_sexual_activity", "score": 0.05},
                                {"class": "general_not_nsfw_not_suggestive", "score": 0.99},
                                {"class": "general_nsfw", "score": 0.1},
                            ],
                        },
                        {"time": 1, "classes": [{"class": "general_nsfw", "score": 0.02}]},
                    ]
                }
            }
        ]
    },
    "sightengine": {
        "status": "success",
        "request": {"id": "req_1", "timestamp": 1.5, "operations": 5},
        "nudity": {
            "sexual_activity": 0.95,
            "suggestive": 0.99,
            "mildly_suggestive": 0.98,
            "none": 0.97,
            "suggestive_classes": {"bikini": 0.99},
        },
        "gore": {"prob": 0.1, "classes": {"body_organ": 0.99}},
    },
}
SCORES = {
    "openai": {"sexual": 0.95, "violence": 0.1},
    "hive": {"yes_sexual_activity": 0.95, "general_nsfw": 0.1},
    "sightengine": {"nudity.sexual_activity": 0.95, "gore.prob": 0.1},
}
GARBAGE = [
    b"",
    b"<html>502</html>",
    b"null",
    b"[]",
    b"{}",
    b'{"results": []}',
    b'{"results": [{"flagged": false}]}',
    b'{"results": [{"category_scores": {"sexual": "high"}}]}',
    b'{"results": [{"category_scores": {"sexual": NaN}}]}',
    b'{"results": [{"category_scores": {"sexual": 2}}]}',
    b'{"status": []}',
    b'{"status": [{"response": {"output": []}}]}',
    b'{"status": [{"response": {"output": [{"classes": [{"class": 1, "score": 1}]}]}}]}',
    b'{"status": "failure", "error": {"type": "usage_limit"}}',
    b'{"status": "success"}',
    b'{"status": "success", "nudity": 1}',
    b"[" * 100_000,
]


def service_of(name: str, **more: Any) -> ReviewService:
    """Return a service."""
    return SERVICES[name](ReviewSettings(service=name, key="ann:s3cret", **more))


@pytest.mark.parametrize("name", SERVICES)
def test_an_answer_in_the_shape_of_the_vendor(name: str) -> None:
    """It has the scores of what must not be shown to everyone, and of nothing else."""
    service = service_of(name)
    assert service.name == name
    assert scores_in(service, json.dumps(ANSWERS[name]).encode()) == SCORES[name]


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_no_answer(name: str, body: bytes) -> None:
    """No other answer is taken for one about a harmless image."""
    with pytest.raises(BadAnswerError):
        scores_in(service_of(name), body)


def test_what_openai_gets() -> None:
    """Text and image in one request, with the key as a bearer token."""
    question = service_of("openai").question(IMAGE, "at the sea")
    assert (question.method, question.url) == ("POST", "https://api.openai.com/v1/moderations")
    assert question.headers["Authorization"] == "Bearer ann:s3cret"
    assert json.loads(question.body or b"") == {
        "model": "omni-moderation-latest",
        "input": [{"type": "text", "text": "at the sea"}, {"type": "image_url", "image_url": {"url": IMAGE}}],
    }
    assert len(json.loads(service_of("openai").question(IMAGE, "").body or b"")["input"]) == 1


def test_what_hive_gets() -> None:
    """The URL of the image, with the key as a token, at the URL of the settings."""
    question = service_of("hive", url="http://10.0.0.7/task").question(IMAGE, "at the sea")
    assert (question.method, question.url) == ("POST", "http://10.0.0.7/task")
    assert question.headers["Authorization"] == "token ann:s3cret"
    assert json.loads(question.body or b"") == {"url": IMAGE}


def test_what_sightengine_gets() -> None:
    """All in the query, with both parts of the key."""
    question = service_of("sightengine").question(IMAGE, "at the sea")
    url = URL(question.url)
    assert (question.method, url.host, url.path, question.body) == (
        "GET",
        "api.sightengine.com",
        "/1.0/check.json",
        None,
    )
    assert (url.query["url"], url.query["api_user"], url.query["api_secret"]) == (IMAGE, "ann", "s3cret")
    assert "nudity-2.1" in url.query["models"].split(",")


@pytest.mark.parametrize(
    ("score", "action"),
    [
        (0.95, ModerationAction.HIDE),
        (0.9, ModerationAction.HIDE),
        (0.89, ModerationAction.SENSITIVE),
        (0.7, ModerationAction.SENSITIVE),
        (0.69, ModerationAction.ALLOW),
        (0.0, ModerationAction.ALLOW),
    ],
)
def test_thresholds(score: float, action: ModerationAction) -> None:
    """The highest score decides; moderators see all, the author a reason."""
    settings = ReviewSettings(service="hive", key="k")
    decision = decision_of({"b": score, "a": score / 2}, settings)
    assert (decision.action, decision.source) == (action, "hive")
    assert dict(decision.labels) == {"b": score, "a": round(score / 2, 4)}
    assert bool(decision.reason) is (action is not ModerationAction.ALLOW)
    assert decision.rule == ("b" if decision.reason else "")


def test_labels_that_count() -> None:
    """Others are left out, whatever their score."""
    settings = ReviewSettings(service="hive", key="k", labels=("a",))
    assert decision_of({"b": 0.99, "a": 0.1}, settings).action is ModerationAction.ALLOW
    assert decision_of({"b": 0.99}, settings).action is ModerationAction.ALLOW
    many = decision_of({f"label {n}": 0.99 for n in range(200)}, ReviewSettings(service="hive", key="k"))
    assert len(many.labels) == 50
