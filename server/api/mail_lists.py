"""`/mail/unsubscribe`: leave a list of mails by the link in one, as RFC 8058 describes."""

from __future__ import annotations

from html import escape
from string import Template

from aiohttp import web

from server.actions.mail_lists import MailLists
from server.edge.api_request import ApiRequest, empty_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.mail_requests import UnsubscribeQuery
from server.edge.middleware import PAGE_POLICY

_PAGE = Template(
    """<!doctype html>
<html lang="en">
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
_BUTTON = '<form method="post"><button class="button" type="submit">Unsubscribe</button></form>'
_HOME = '<a class="button" href="/">Go to PicShare</a>'


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
        text = "You will get no more mails like the one with this link. Mails about the security of your account stay."
        return _page("Unsubscribe from these mails?", text, _BUTTON)

    async def leave(self, request: ApiRequest) -> web.Response:
        """Handle `POST /mail/unsubscribe`."""
        await self._lists.leave(request.query(UnsubscribeQuery).token)
        if "text/html" not in request.http.headers.get("Accept", ""):
            return empty_response(200)
        text = "You will get no more mails like this one. You can change that in the settings of your account."
        return _page("You have unsubscribed", text, _HOME)


def _page(heading: str, text: str, action: str) -> web.Response:
    page = _PAGE.substitute(heading=escape(heading), text=escape(text), action=action)
    headers = {"Content-Security-Policy": PAGE_POLICY, "Referrer-Policy": "no-referrer"}
    return web.Response(text=page, content_type="text/html", headers=headers)
