"""`/mail/unsubscribe`: leave a list of mails by the link in one, as RFC 8058 describes."""

from __future__ import annotations

from html import escape
from string import Template

from aiohttp import web

from locales.catalogues import direction, translate
from locales.sentences import marked
from server.actions.mail_lists import MailLists
from server.edge.api_request import ApiRequest, empty_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.languages import VARY, language_of
from server.edge.mail_requests import UnsubscribeQuery
from server.edge.middleware import PAGE_POLICY

_PAGE = Template(
    """<!doctype html>
<html lang="$language" dir="$direction">
  <head>
    <meta charset="utf-8">
    <title>$heading · PicShare</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="robots" content="noindex">
    <link rel="icon" href="/static/icons/picshare.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/static/css/tokens.css">
    <link rel="stylesheet" href="/static/css/base.css">
    <link rel="stylesheet" href="/static/css/controls.css">
  </head>
  <body>
    <main class="empty-state">
      <h1>$heading</h1>
      <p>$text</p>
      $action
    </main>
  </body>
</html>
"""
)
_BUTTON = Template('<form method="post"><button class="button" type="submit">$label</button></form>')
_HOME = Template('<a class="button" href="/">$label</a>')


class MailListsApi:
    """Unsubscribing without a session: a mail program sends a POST, a reader of the mail opens a page with a button."""

    def __init__(self, lists: MailLists) -> None:
        self._lists = lists

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/mail/unsubscribe",
                handler=self.page,
                summary="Get the page on which mails like the one with this link can be stopped",
                tag="mails",
                auth=Auth.NONE,
                query=UnsubscribeQuery,
                errors=(404,),
            ),
            Endpoint(
                method="POST",
                path="/mail/unsubscribe",
                handler=self.leave,
                summary="Stop mails like the one with this link, in one step (RFC 8058)",
                tag="mails",
                auth=Auth.NONE,
                query=UnsubscribeQuery,
                errors=(404,),
            ),
        ]

    async def page(self, request: ApiRequest) -> web.Response:
        """Handle `GET /mail/unsubscribe`; nothing changes, because programs open links in mails to check them."""
        self._lists.check(request.query(UnsubscribeQuery).token)
        text = marked(
            "You will get no more mails like the one with this link. Mails about the security of your account stay."
        )
        heading, label = marked("Unsubscribe from these mails?"), marked("Unsubscribe")
        return _page(language_of(request.http), heading, text, _BUTTON, label)

    async def leave(self, request: ApiRequest) -> web.Response:
        """Handle `POST /mail/unsubscribe`."""
        await self._lists.leave(request.query(UnsubscribeQuery).token)
        if "text/html" not in request.http.headers.get("Accept", ""):
            return empty_response(200)
        text = marked("You will get no more mails like this one. You can change that in the settings of your account.")
        heading, label = marked("You have unsubscribed"), marked("Go to PicShare")
        return _page(language_of(request.http), heading, text, _HOME, label)


def _page(language: str, heading: str, text: str, action: Template, label: str) -> web.Response:
    heading, text, label = (escape(translate(each, language)) for each in (heading, text, label))
    page = _PAGE.substitute(
        language=language,
        direction=direction(language),
        heading=heading,
        text=text,
        action=action.substitute(label=label),
    )
    headers = {
        "Content-Security-Policy": PAGE_POLICY,
        "Referrer-Policy": "no-referrer",
        "Content-Language": language,
        "Vary": VARY,
    }
    return web.Response(text=page, content_type="text/html", headers=headers)
