/**
 * Push messages: shown as notifications, opened by a click, and answered by their buttons.
 *
 * A message has the form of Declarative Web Push, which some browsers show without this file (workers/web_push/payload.py).
 */

import { WorkerApi } from "./worker_api.js";

const UNREADABLE = { title: "PicShare", body: "You have a new notification.", navigate: "/notifications" };
/** What the buttons of notifications do, by the names that the server gives them: requests with PUT. */
const ACTIONS = {
  follow: (id) => `/users/${id}/follow`,
  accept: (id) => `/users/me/follow-requests/${id}`,
  like: (id) => `/photos/${id}/like`,
  like_comment: (id) => `/comments/${id}/like`,
};

/** Show a message, unless a page of the application has the focus and so shows the news itself. */
export async function received(data) {
  const { notification, badge } = read(data);
  const { title, navigate, actions, ...options } = notification;
  if (badge !== null) await showBadge(badge);
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (pages.some((client) => client.focused)) return;
  await self.registration.showNotification(title, {
    badge: "/static/icons/badge-96.png",
    icon: "/static/icons/picshare-192.png",
    ...options,
    actions: actions ?? [],
    data: { navigate },
  });
}

/** Return the notification and the number for the badge of a message; browsers want one to be shown in any case. */
function read(data) {
  try {
    const { notification, app_badge: badge } = data.json();
    const { title, body, navigate, tag, icon, lang, dir, actions } = notification;
    if (typeof title !== "string" || typeof navigate !== "string") return { notification: UNREADABLE, badge: null };
    const texts = Object.entries({ title, body, navigate, tag, icon, lang, dir }).filter(([, value]) => typeof value === "string");
    const known = Array.isArray(actions) ? actions.filter(({ action }) => requestOf(action)) : [];
    const shown = { ...Object.fromEntries(texts), actions: known.map(({ action, title: text }) => ({ action, title: text })) };
    return { notification: shown, badge: Number.isInteger(badge) ? badge : null };
  } catch {
    return { notification: UNREADABLE, badge: null };
  }
}

/** Return the path of the request for an action such as "follow:01K3S9C0XG4Q7", or null. */
function requestOf(action) {
  const [, name, id] = /^(\w+):(\w+)$/.exec(action) ?? [];
  return Object.hasOwn(ACTIONS, name ?? "") ? ACTIONS[name](id) : null;
}

async function showBadge(number) {
  try {
    await (number > 0 ? self.navigator.setAppBadge?.(number) : self.navigator.clearAppBadge?.());
  } catch {
    // The application is not installed here.
  }
}

/** Do what a button says, and open the page if it is none or fails; the page shows what is the case. */
export async function clicked(notification, action) {
  notification.close();
  if (!action || !(await act(action))) await open(notification);
}

async function act(action) {
  const path = requestOf(action);
  const api = path && (await WorkerApi.open());
  if (!api) return false;
  try {
    await api.put(path);
    return true;
  } catch {
    return false;
  }
}

/** Open the page of a notification, in a tab that is open already if there is one: it may have an upload in progress. */
async function open(notification) {
  const url = new URL(notification.data?.navigate ?? UNREADABLE.navigate, self.location.origin);
  const path = url.origin === self.location.origin ? url.pathname + url.search : UNREADABLE.navigate;
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find((client) => client.focused) ?? pages[0];
  if (!page) {
    await self.clients.openWindow(path);
    return;
  }
  page.postMessage({ type: "navigate", path });
  try {
    await page.focus();
  } catch {
    // The browser allows it once for each click.
  }
}

/** The push service has replaced the subscription: an open page stores the new one, or else this file does. */
export async function renewed({ oldSubscription, newSubscription }) {
  const subscription = newSubscription ?? (await subscribeAgain(oldSubscription?.options?.applicationServerKey));
  const [page] = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (page) {
    page.postMessage({ type: "push.changed" });
    return;
  }
  // Without a session, the next page that is opened does this.
  const api = await WorkerApi.open();
  const { endpoint, keys } = subscription.toJSON();
  await api?.post("/push/subscriptions", { endpoint, keys });
}

async function subscribeAgain(key) {
  return self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key ?? (await serverKey()) });
}

async function serverKey() {
  const response = await fetch("/api/v1/push/key");
  return (await response.json()).key;
}
