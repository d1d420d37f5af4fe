"""Which of the pending changes are sent, in which order, and what becomes of those that the server refuses."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.modules import call

# `given` are the records, the oldest first, and `answers` what the server says to each request, by its path.
SEND = """(async () => {
    const { given, answers } = a, sent = [], reported = [];
    const kept = new Map(given.map((record, index) => {
        const whole = { user: "ada", savedAt: index, revision: 0, tried: null, error: null, method: "PUT", ...record };
        if (whole.age) whole.tried = Date.now() - whole.age * 3600 * 1000;
        return [record.id, whole];
    }));
    const records = {
        list: async () => [...kept.values()],
        change: async (id, decide) => {
            const left = kept.has(id) ? decide(kept.get(id)) : null;
            if (left) kept.set(id, left);
            else kept.delete(id);
            return left;
        },
    };
    const request = async (method, path, { key }) => {
        sent.push(`${method} ${path}${key ? ` ${key}` : ""}`);
        const answer = answers[path];
        if (answer === "switched") {
            const [record] = [...kept.values()].filter((each) => each.path === path);
            kept.set(record.id, { ...record, method: "DELETE", revision: record.revision + 1 });
            answers[path] = "ok";
            return "ok";
        }
        if (typeof answer !== "number") return answer;
        throw Object.assign(new Error("no"), { status: answer, code: "", isOutage: answer === 0 || answer === 503 });
    };
    const report = (type, { id }) => reported.push(`${type} ${id}`);
    let thrown = null;
    try {
        await m.sendAll({ api: { request }, records, user: "ada", report });
    } catch (error) {
        thrown = error.status;
    }
    const errors = [...kept.values()].map(({ error }) => error?.code ?? null);
    return { sent, reported, thrown, left: [...kept.keys()], errors };
})()"""


async def send(page: Page, *given: dict[str, Any], **answers: object) -> dict[str, Any]:
    """Send records with paths that are names of `answers`, and return what happened."""
    found: dict[str, Any] = await call(page, "js/pending/sending", SEND, {"given": list(given), "answers": answers})
    return found


async def test_changes_are_sent_in_their_order(module_page: Page) -> None:
    """A creation with its key, and each is forgotten once the server has it."""
    found = await send(
        module_page, {"id": "1", "path": "a"}, {"id": "2", "path": "b", "method": "POST"}, a="ok", b="ok"
    )
    assert found == {
        "sent": ["PUT a", "POST b 2"],
        "reported": ["sent 1", "sent 2"],
        "thrown": None,
        "left": [],
        "errors": [],
    }


@pytest.mark.parametrize("status", [0, 401, 425, 429, 503])
async def test_nothing_overtakes_what_may_succeed_later(module_page: Page, status: int) -> None:
    """The first error that passes ends the attempt, and all that is left stays as it was."""
    found = await send(module_page, {"id": "1", "path": "a"}, {"id": "2", "path": "b"}, a=status, b="ok")
    assert (found["sent"], found["thrown"], found["left"]) == (["PUT a"], status, ["1", "2"])
    assert found["errors"] == [None, None]


async def test_a_refusal_stays_and_lets_others_pass(module_page: Page) -> None:
    """It is reported once and not sent again; taking back what is gone is done."""
    refused = {"id": "1", "path": "a", "error": {"status": 422, "code": "invalid"}}
    gone = {"id": "3", "path": "c", "method": "DELETE"}
    found = await send(
        module_page, refused, {"id": "2", "path": "b"}, gone, {"id": "4", "path": "d"}, b=404, c=404, d="ok"
    )
    assert found["sent"] == ["PUT b", "DELETE c", "PUT d"]
    assert found["reported"] == ["refused 2", "sent 3", "sent 4"]
    assert found["left"] == ["1", "2"]


async def test_what_may_have_arrived_long_ago_is_not_sent_again(module_page: Page) -> None:
    """The server has forgotten its key by then; a switch has none, and may be repeated."""
    found = await send(
        module_page,
        {"id": "1", "path": "a", "method": "POST", "age": 24},
        {"id": "2", "path": "b", "method": "POST", "age": 22},
        {"id": "3", "path": "c", "age": 48},
        b="ok",
        c="ok",
    )
    assert found["sent"] == ["POST b 2", "PUT c"]
    assert (found["left"], found["errors"], found["reported"][0]) == (["1"], ["doubtful"], "refused 1")


async def test_a_change_of_mind_while_it_is_sent_is_sent_as_well(module_page: Page) -> None:
    """The state that the user wanted last is the one that the server gets last."""
    found = await send(module_page, {"id": "1", "path": "a"}, a="switched")
    assert (found["sent"], found["left"]) == (["PUT a", "DELETE a"], [])
