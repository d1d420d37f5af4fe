"""Push messages in the browser: the offer, the switch, and what the service worker shows and does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Worker, expect

from tests.browser.modules import call
from tests.browser.scripted_server import ScriptedServer
from tests.browser.visitor import WITHIN, Site, Visitor
from tests.support.api_user import API
from tests.support.eventually import eventually
from tests.support.push import Browser as Subscriber
from tests.support.push import running_push_service
from workers.web_push.payload import payload_of
from workers.web_push.port import PushAction, PushMessage

# Chromium has no push service in tests, and no user who is asked. So a subscription is made of given keys, and kept in
# the tab; all else is the browser's own.
_STUBS = """(() => {
    const given = %s;
    const key = "test.subscription";
    const permission = () => sessionStorage.getItem("test.permission") ?? "default";
    Object.defineProperty(Notification, "permission", { get: permission });
    Notification.requestPermission = async () => {
        sessionStorage.setItem("test.permission", "granted");
        return "granted";
    };
    const decoded = (text) => atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = (text) => Uint8Array.from(decoded(text), (character) => character.charCodeAt(0));
    const subscription = (serverKey) => ({
        endpoint: given.endpoint,
        options: { applicationServerKey: bytes(serverKey).buffer },
        toJSON: () => given,
        unsubscribe: async () => sessionStorage.removeItem(key),
    });
    PushManager.prototype.getSubscription = async () => {
        const stored = sessionStorage.getItem(key);
        return stored ? subscription(stored) : null;
    };
    PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
        sessionStorage.setItem(key, applicationServerKey);
        return subscription(applicationServerKey);
    };
})()"""

# In the worker: the push service has replaced the subscription by one with these keys.
_CHANGE = """(given) => self.dispatchEvent(Object.assign(new ExtendableEvent("pushsubscriptionchange"), {
    oldSubscription: null,
    newSubscription: { toJSON: () => given },
}))"""


@pytest_asyncio.fixture(loop_scope="session")
async def site(browser_with_windows: Browser, service_url: str) -> AsyncIterator[Site]:
    """The service for visitors with a whole browser: the headless shell shows no notifications."""
    async with aiohttp.ClientSession() as http:
        site = Site(browser_with_windows, http, service_url)
        yield site
        await site.close()
    assert site.unexpected_errors() == []


async def becomes(page: Page, expression: str) -> None:
    """Wait until an expression is true in a page, whose policy forbids Playwright's own way to wait for one."""
    await eventually(lambda: page.evaluate(expression), within=WITHIN / 1000)


async def worker_of(visitor: Visitor) -> Worker:
    """Return the service worker once it has taken over the page."""
    await becomes(visitor.page, "navigator.serviceWorker.controller !== null")
    return visitor.context.service_workers[0]


class PushChannel:
    """The way on which the browser hands push messages to the service worker."""

    def __init__(self, page: Page, origin: str) -> None:
        self._page = page
        self._origin = origin
        self._registrations: list[str] = []

    async def open(self) -> PushChannel:
        """Find the registration of the worker."""
        self._session = await self._page.context.new_cdp_session(self._page)
        self._session.on("ServiceWorker.workerRegistrationUpdated", self._updated)
        await self._session.send("ServiceWorker.enable")
        await eventually(lambda: bool(self._registrations), within=WITHIN / 1000)
        return self

    async def deliver(self, data: str) -> None:
        """Deliver a message."""
        message = {"origin": self._origin, "registrationId": self._registrations[-1], "data": data}
        await self._session.send("ServiceWorker.deliverPushMessage", message)

    def _updated(self, event: dict[str, Any]) -> None:
        self._registrations += [each["registrationId"] for each in event["registrations"]]


async def shown(worker: Worker) -> list[dict[str, Any]]:
    """Return the notifications that the worker has shown."""
    found: list[dict[str, Any]] = await worker.evaluate(
        """self.registration.getNotifications().then((all) =>
            all.map(({ title, body, tag, data }) => ({ title, body, tag, data })))"""
    )
    return found


async def test_a_push_message_from_the_offer_to_its_page(site: Site, receiver_port: int) -> None:
    """The page offers it, subscribes, shows what arrives while it is away, opens it, and forgets it at sign-out."""
    account, other = await site.create_account(), await site.create_account()
    await other.follow(account)
    visitor = await site.visitor(account, service_workers="allow", permissions=["notifications"])
    subscriber = Subscriber(f"http://127.0.0.1:{receiver_port}/push/one")
    await visitor.context.add_init_script(_STUBS % json.dumps(subscriber.json()))
    page = visitor.page
    await visitor.open("/signin")
    await visitor.sign_in()
    worker = await worker_of(visitor)
    await visitor.visit("Notifications")
    offer = page.get_by_role("region", name="Notifications on this device")
    await visitor.sees(offer)
    await offer.get_by_role("button", name="Turn on").click()
    await visitor.sees(visitor.toast("Notifications are on"))
    await expect(offer).to_be_hidden()
    switch = page.locator(".push-switch")
    await expect(switch).to_have_attribute("data-state", "on")
    await switch.get_by_label("Hide names and comments").check()
    await becomes(page, "JSON.parse(localStorage['picshare.push']).hidesContent")

    # A page that has the focus shows news itself; what is not shown now would be found with the next one.
    channel = await PushChannel(page, visitor.url).open()
    message = PushMessage(
        title=f"{other.name} follows you", navigate=f"{visitor.url}/u/{other.name}", tag="follow", app_badge=1
    )
    data = payload_of(message).decode()
    await channel.deliver(data.replace('"tag":"follow"', '"tag":"not shown"'))
    blank = await visitor.context.new_page()
    await page.goto("about:blank")
    await blank.bring_to_front()
    await channel.deliver(data)
    await eventually(lambda: shown(worker), within=WITHIN / 1000)
    assert await shown(worker) == [
        {
            "title": f"{other.name} follows you",
            "body": "",
            "tag": "follow",
            "data": {"navigate": f"{visitor.url}/u/{other.name}"},
        }
    ]
    # The newest message of a tag replaces the one before; and what cannot be read is shown as well.
    await channel.deliver(data.replace("follows you", "and others follow you"))
    await channel.deliver("nonsense")
    expected = {f"{other.name} and others follow you", "PicShare"}

    async def replaced() -> bool:
        assert {each["title"] for each in await shown(worker)} == expected
        return True

    await eventually(replaced, within=WITHIN / 1000)

    # The push service replaces the subscription while no page is open, and the session has to be refreshed first.
    await visitor.context.clear_cookies(name="picshare_access")
    responses: list[tuple[str, int]] = []
    visitor.context.on("response", lambda response: responses.append((urlsplit(response.url).path, response.status)))
    await worker.evaluate(_CHANGE, Subscriber(f"http://127.0.0.1:{receiver_port}/push/two").json())
    await eventually(lambda: len(responses) == 3, within=WITHIN / 1000)
    path = f"{API}/push/subscriptions"
    assert responses == [(path, 401), (f"{API}/tokens/refresh", 201), (path, 201)]

    await visitor.open("/")
    await visitor.live()
    await worker.evaluate(
        """self.registration.getNotifications({ tag: "follow" }).then(([notification]) =>
            self.dispatchEvent(new NotificationEvent("notificationclick", { notification })))"""
    )
    await page.wait_for_url(f"**/u/{other.name}", timeout=WITHIN)
    assert [each["title"] for each in await shown(worker)] == ["PicShare"]
    await visitor.open("/settings")
    await page.get_by_role("button", name="Sign out").click()
    await visitor.sees(page.get_by_label("User name or e-mail"))
    await becomes(page, "!localStorage['picshare.push'] && !sessionStorage['test.subscription']")


async def test_a_follower_reaches_a_browser_through_its_push_service(site: Site, receiver_port: int) -> None:
    """The running service sends the message by itself, and for the account alone that has subscribed last."""
    account, other = await site.create_account(), await site.create_account()
    async with running_push_service(receiver_port) as service:
        body = service.browser().json()
        (await account.call("POST", "/push/subscriptions", json=body)).expect(201)
        await other.follow(account)
        await eventually(lambda: bool(service.messages), within=WITHIN / 1000)
        (pushed,) = service.messages
        assert pushed.notification["title"] == f"{other.name} started following you"
        assert pushed.notification["navigate"] == f"{site.url}/u/{other.name}"
        assert pushed.document["app_badge"] == 1
        assert (pushed.headers["TTL"], pushed.headers["Urgency"]) == ("86400", "normal")
        # Another account in the same browser takes the endpoint over: the next message is for it.
        (await other.call("POST", "/push/subscriptions", json=body)).expect(201)
        await (await site.create_account()).follow(account)
        await account.follow(other)
        await eventually(lambda: len(service.messages) == 2, within=WITHIN / 1000)
        assert service.messages[1].notification["title"] == f"{account.name} started following you"


async def test_a_button_answers_a_push_message(site: Site) -> None:
    """It sends a request with the session of the browser. An unknown one is not shown, a failed one opens the page."""
    account, other = await site.create_account(), await site.create_account()
    visitor = await site.signed_in(account, service_workers="allow", permissions=["notifications"])
    visitor.expect_error("status of 404")
    worker = await worker_of(visitor)
    channel = await PushChannel(visitor.page, visitor.url).open()
    await visitor.page.goto("about:blank")
    blank = await visitor.context.new_page()
    await blank.bring_to_front()
    actions = (
        PushAction(action=f"follow:{other.id}", title="Follow back", navigate=f"{visitor.url}/u/{other.name}"),
        PushAction(action="erase:everything", title="Erase", navigate=visitor.url),
    )
    gone = PushAction(action="like_comment:01K3S9C0XG4Q7", title="Like", navigate=f"{visitor.url}/notifications")
    messages = (
        PushMessage(title="follows you", navigate=visitor.url, tag="follower", actions=actions),
        PushMessage(title="gone", navigate=f"{visitor.url}/notifications", tag="gone", actions=(gone,)),
    )
    for message in messages:
        await channel.deliver(payload_of(message).decode())

    async def both() -> bool:
        return len(await shown(worker)) == 2

    await eventually(both, within=WITHIN / 1000)
    assert await worker.evaluate(
        """self.registration.getNotifications({ tag: "follower" }).then(([{ actions }]) =>
            actions.map(({ title }) => title))"""
    ) == ["Follow back"]
    click = """([tag, action]) => self.registration.getNotifications({ tag }).then(([notification]) =>
        self.dispatchEvent(new NotificationEvent("notificationclick", { notification, action })))"""
    await worker.evaluate(click, ["follower", actions[0].action])

    async def follows() -> bool:
        relation = (await account.call("GET", f"/users/{other.name}")).expect(200)["relation"]
        return bool(relation["following"])

    await eventually(follows, within=WITHIN / 1000)
    assert [each["title"] for each in await shown(worker)] == ["gone"]
    await visitor.open("/")
    await visitor.live()
    await worker.evaluate(click, ["gone", gone.action])
    await visitor.page.wait_for_url("**/notifications", timeout=WITHIN)


_APP = """(state, isNew = false) => {
    const shown = [], calls = [];
    const push = Object.assign(new EventTarget(), {
        state,
        isNew,
        hidesContent: false,
        turnOn: async () => calls.push("on"),
        turnOff: async () => { throw new DOMException("no", "AbortError"); },
    });
    const toasts = { show: (text) => shown.push(text), error: ({ message }) => shown.push(message) };
    return { push, calls, shown, toasts };
}"""


@pytest.mark.parametrize(
    ("state", "text", "button"),
    [
        ("unavailable", "This browser cannot show notifications", None),
        ("install", "Add to Home Screen", None),
        ("denied", "Your browser blocks notifications", None),
        ("off", "can reach you on this device", "Turn on notifications"),
        ("on", "until you sign out", "Turn off notifications"),
    ],
)
async def test_the_switch_explains_each_state(module_page: Page, state: str, text: str, button: str | None) -> None:
    """What cannot be changed here has no button, but says why."""
    expression = f"""(() => {{
        const {{ element }} = m.pushSwitch(({_APP})(a));
        return [element.querySelector("p").textContent, element.querySelector("button")?.textContent ?? null];
    }})()"""
    shown_text, shown_button = await call(module_page, "js/notifications/push_switch", expression, state)
    assert text in shown_text
    assert shown_button == button


async def test_the_offer_comes_once_there_is_something_and_goes_when_declined(module_page: Page) -> None:
    """Never to users who have nothing yet, were asked before, or have declined it lately."""
    expression = f"""(async () => {{
        localStorage.removeItem("picshare.push-declined");
        const make = ({_APP}), seen = [];
        const app = make("off", true), offer = m.pushOffer(app);
        seen.push(offer.element.hidden);
        offer.consider(0);
        seen.push(offer.element.hidden);
        offer.consider(3);
        seen.push(offer.element.hidden);
        offer.element.querySelectorAll("button")[1].click();
        seen.push(offer.element.hidden);
        const later = m.pushOffer(make("off", true));
        later.consider(3);
        seen.push(later.element.hidden);
        localStorage.setItem("picshare.push-declined", String(Date.now() - 61 * 24 * 3600 * 1000));
        later.consider(3);
        seen.push(later.element.hidden);
        const asked = m.pushOffer(make("off", false));
        asked.consider(3);
        seen.push(asked.element.hidden);
        localStorage.removeItem("picshare.push-declined");
        return seen;
    }})()"""
    assert await call(module_page, "js/notifications/push_switch", expression) == [
        True,
        True,
        False,
        True,
        True,
        False,
        True,
    ]


async def test_a_push_service_that_is_away_is_said_so(module_page: Page) -> None:
    """The browser's own words would help nobody."""
    expression = f"""(async () => {{
        const app = ({_APP})("on");
        m.pushSwitch(app).element.querySelector("button").click();
        await new Promise((resolve) => setTimeout(resolve));
        return app.shown;
    }})()"""
    assert await call(module_page, "js/notifications/push_switch", expression) == [
        "The push service of your browser cannot be reached right now."
    ]


_BROWSER = """(record, { registered = true, key = "AQID", former = "AQID", permission = "granted" } = {}) => {
    const log = [];
    let subscription = registered && {
        endpoint: "https://push.example.com/1",
        options: { applicationServerKey: Uint8Array.from(atob(former), (character) => character.charCodeAt(0)).buffer },
        toJSON: () => ({ endpoint: "https://push.example.com/1", keys: {} }),
        unsubscribe: async () => { log.push("unsubscribed"); subscription = null; },
    };
    const pushManager = {
        getSubscription: async () => subscription,
        subscribe: async () => { log.push("subscribed"); return { toJSON: () => ({ endpoint: "new", keys: {} }) }; },
    };
    const workers = Object.assign(new EventTarget(), { register: async () => ({}), ready: { pushManager } });
    Object.defineProperty(navigator, "serviceWorker", { value: workers, configurable: true });
    Object.defineProperty(Notification, "permission", { get: () => permission, configurable: true });
    localStorage.removeItem("picshare.push");
    if (record) localStorage.setItem("picshare.push", JSON.stringify(record));
    const api = {
        get: async () => ({ key }),
        post: async (path, { endpoint }) => {
            log.push(`stored ${endpoint}`);
            return { id: "7", hide_content: false };
        },
    };
    return { log, api, session: { id: "ada" } };
}"""
_RECORD = {"user": "ada", "endpoint": "https://push.example.com/1", "id": "7", "hidesContent": False}


@pytest.mark.parametrize(
    ("record", "options", "state", "log"),
    [
        # The server has it.
        ({"at": 0}, {}, "on", []),
        # It may have given it up by now.
        ({"at": -25 * 3600 * 1000}, {}, "on", ["stored https://push.example.com/1"]),
        # The push service has replaced it.
        ({"at": 0, "endpoint": "former"}, {}, "on", ["stored https://push.example.com/1"]),
        # The server has another key.
        ({"at": 0}, {"former": "BAUG"}, "on", ["unsubscribed", "subscribed", "stored new"]),
        # Another user has subscribed in this browser, and must not be heard of here any more.
        ({"at": 0, "user": "bob"}, {}, "off", ["unsubscribed"]),
        # The user has withdrawn the permission, or never had one.
        ({"at": 0}, {"permission": "denied"}, "denied", []),
        (None, {"registered": False}, "off", []),
        # The server sends no messages.
        ({"at": 0}, {"key": None}, "unavailable", []),
    ],
)
async def test_a_page_renews_the_subscription_of_its_user(
    page: Page, server: ScriptedServer, *, record: Any, options: Any, state: str, log: list[str]
) -> None:
    """And of no other user; a request is sent only if the server may not have it."""
    expression = f"""(async () => {{
        const record = a.record && {{ ...a.record, at: Date.now() + a.record.at }};
        const app = ({_BROWSER})(record, a.options), push = new m.Push(app);
        push.register();
        await push.begin();
        return [push.state, app.log];
    }})()"""
    await page.goto(server.url)
    argument = {"record": record and {**_RECORD, **record}, "options": options}
    assert await call(page, "js/notifications/push", expression, argument) == [state, log]
