/**
 * The service worker of PicShare: shows push messages, and a page while there is no connection.
 *
 * It stores the files of that page and nothing else: no response of the API, no image, no token. Everything but the opening
 * of pages goes past it. A push message has the form of Declarative Web Push, which some browsers show without this file
 * (workers/web_push/payload.py).
 */

"use strict";

/** Changes with the files of the offline page, so that browsers fetch them again; a test computes it. */
const VERSION = "968e7b275062";
const CACHES = "picshare-offline-";
const CACHE = CACHES + VERSION;
const OFFLINE_PAGE = "/offline";
const OFFLINE_FILES = [OFFLINE_PAGE, "/offline/offline.css", "/offline/offline.js", "/offline/cloud.svg"];
/** Paths that are no pages of the application. */
const SERVER_PATHS = /^\/(api|media|static|docs|graphql|metrics|healthz|readyz)(\/|$)/;
const UNREADABLE = { title: "PicShare", body: "You have a new notification.", navigate: "/notifications" };

self.addEventListener("install", (event) => event.waitUntil(prepare()));
self.addEventListener("activate", (event) => event.waitUntil(takeOver()));
self.addEventListener("fetch", (event) => fetched(event));
self.addEventListener("push", (event) => event.waitUntil(received(event.data)));
self.addEventListener("notificationclick", (event) => event.waitUntil(clicked(event.notification)));
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renewed(event)));

async function prepare() {
  const cache = await caches.open(CACHE);
  // Not from the browser's own cache, which may have the files of the version before.
  await cache.addAll(OFFLINE_FILES.map((path) => new Request(path, { cache: "reload" })));
  // No page depends on the version of its worker, so none has to be closed first.
  await self.skipWaiting();
}

async function takeOver() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(CACHES) && name !== CACHE).map((name) => caches.delete(name)));
  // Pages are fetched while this file starts, instead of after it.
  await self.registration.navigationPreload?.enable();
  await self.clients.claim();
}

function fetched(event) {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== self.location.origin) return;
  if (OFFLINE_FILES.includes(pathname)) event.respondWith(fetch(request).catch(() => cached(pathname)));
  else if (request.mode === "navigate" && !SERVER_PATHS.test(pathname)) event.respondWith(page(event));
}

async function page({ request, preloadResponse }) {
  try {
    return (await preloadResponse) ?? (await fetch(request));
  } catch {
    return cached(OFFLINE_PAGE);
  }
}

async function cached(path) {
  return (await caches.match(path, { cacheName: CACHE })) ?? Response.error();
}

async function received(data) {
  const { notification, badge } = read(data);
  const { title, navigate, ...options } = notification;
  if (badge !== null) await showBadge(badge);
  // The page that has the focus shows the news itself.
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (pages.some((client) => client.focused)) return;
  await self.registration.showNotification(title, {
    badge: "/static/icons/badge-96.png",
    icon: "/static/icons/picshare-192.png",
    ...options,
    data: { navigate },
  });
}

/** Return the notification and the number for the badge of a message; browsers want one to be shown in any case. */
function read(data) {
  try {
    const { notification, app_badge: badge } = data.json();
    const { title, body, navigate, tag, icon, lang, dir } = notification;
    if (typeof title !== "string" || typeof navigate !== "string") return { notification: UNREADABLE, badge: null };
    return { notification: defined({ title, body, navigate, tag, icon, lang, dir }), badge: Number.isInteger(badge) ? badge : null };
  } catch {
    return { notification: UNREADABLE, badge: null };
  }
}

function defined(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => typeof value === "string"));
}

async function showBadge(number) {
  try {
    await (number > 0 ? self.navigator.setAppBadge?.(number) : self.navigator.clearAppBadge?.());
  } catch {
    // The application is not installed here.
  }
}

/** Open the page of a notification, in a tab that is open already if there is one: it may have an upload in progress. */
async function clicked(notification) {
  notification.close();
  const url = new URL(notification.data?.navigate ?? UNREADABLE.navigate, self.location.origin);
  const path = url.origin === self.location.origin ? url.pathname + url.search : UNREADABLE.navigate;
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const open = pages.find((client) => client.focused) ?? pages[0];
  if (!open) {
    await self.clients.openWindow(path);
    return;
  }
  open.postMessage({ type: "navigate", path });
  try {
    await open.focus();
  } catch {
    // The browser allows it once for each click.
  }
}

/** The push service has replaced the subscription: an open page stores the new one, or else this file does. */
async function renewed({ oldSubscription, newSubscription }) {
  const subscription = newSubscription ?? (await subscribeAgain(oldSubscription?.options?.applicationServerKey));
  const [open] = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (open) open.postMessage({ type: "push.changed" });
  else await store(subscription);
}

async function subscribeAgain(key) {
  return self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key ?? (await serverKey()) });
}

async function serverKey() {
  const response = await fetch("/api/v1/push/key");
  return (await response.json()).key;
}

/** Send a subscription to the server. The session is in cookies; without it, the next page that is opened does this. */
async function store(subscription) {
  const { endpoint, keys } = subscription.toJSON();
  const send = () => post("/api/v1/push/subscriptions", { endpoint, keys });
  const response = await send();
  if (response?.status !== 401) return;
  const fresh = await self.navigator.locks.request("picshare.renew", () => post("/api/v1/tokens/refresh", {}));
  if (fresh?.ok) await send();
}

async function post(path, body) {
  const token = await self.cookieStore?.get("picshare_csrf");
  if (!token) return null;
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": decodeURIComponent(token.value) };
  return fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
}
