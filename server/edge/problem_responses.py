"""Responses for problems: `application/problem+json` (RFC 9457), or a small page for a browser.

A body is `{type, title, status, detail, code, errors?}`; `code` is stable, `type` links to the documentation.
"""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from string import Template
from typing import Any

import orjson
from aiohttp import web

from locales.catalogues import ENGLISH, direction, translate
from locales.sentences import marked, sentence
from server.edge.problem import ProblemError

CONTENT_TYPE = "application/problem+json"
_OTHER_TITLES = {460: "Checksum Mismatch"}  # of the protocol tus
_PAGE = Template(
    """<!doctype html>
<html lang="$language" dir="$direction">
  <head>
    <meta charset="utf-8">
    <title>$heading · PicShare</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <link rel="icon" href="/static/icons/picshare.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/static/css/tokens.css">
    <link rel="stylesheet" href="/static/css/base.css">
    <link rel="stylesheet" href="/static/css/controls.css">
  </head>
  <body>
    <main class="empty-state">
      <h1>$heading</h1>
      <p>$text</p>
      <a class="button" href="/">$home</a>
      <p class="secondary small">$request</p>
    </main>
  </body>
</html>
"""
)


def render(problem: ProblemError, request_id: str) -> web.Response:
    """Return the response for a problem."""
    body: dict[str, Any] = {
        "type": f"/docs#{problem.code}",
        "title": _title(problem.status),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
        **problem.members,
    }
    if problem.errors:
        body["errors"] = [{"field": field, "message": message} for field, message in problem.errors]
    return web.Response(
        body=orjson.dumps(body), status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers
    )


def render_page(problem: ProblemError, request_id: str, language: str) -> web.Response:
    """Return the response for a problem as a page, for a user who opened an address in a browser."""
    missing = problem.code == "route_not_found"
    heading = translate(marked("Page not found"), language) if missing else _heading(problem.status, language)
    text = translate(marked("There is no page at this address."), language) if missing else problem.detail
    page = _PAGE.substitute(
        language=language,
        direction=direction(language),
        heading=escape(heading),
        text=escape(text),
        home=escape(translate(marked("Go to PicShare"), language)),
        request=escape(translate(sentence("Request {id}", id=request_id), language)),
    )
    return web.Response(text=page, status=problem.status, content_type="text/html", headers=problem.headers)


def _heading(status: int, language: str) -> str:
    # The phrases of HTTP are English.
    return _title(status) if language == ENGLISH else translate(marked("That did not work"), language)


def _title(status: int) -> str:
    return _OTHER_TITLES.get(status) or HTTPStatus(status).phrase
