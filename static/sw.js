/**
 * The service worker of PicShare: opens the application without a connection, shows push messages, sends what was done
 * without a connection, and receives files that other applications share.
 *
 * The server joins it with its modules, as the script of a page (server/edge/joined_modules.py).
 */

import { sendInBackground, SYNC_TAG } from "./js/worker/background_sync.js";
import { clicked, received, renewed } from "./js/worker/push_messages.js";
import { receiveShared, SHARE_PATH } from "./js/worker/shared_files.js";
import { fileResponse, pageResponse, removeOldShells, storeShell } from "./js/worker/shell_cache.js";

/** The version and the files of the shell; the server fills them in (server/edge/service_worker.py). */
const SHELL = { version: "", files: [] };
/** Paths that are no pages of the application. */
const SERVER_PATHS = /^\/(api|media|static|docs|graphql|metrics|healthz|readyz)(\/|$)/;

self.addEventListener("install", (event) => event.waitUntil(prepare()));
self.addEventListener("activate", (event) => event.waitUntil(takeOver()));
self.addEventListener("fetch", (event) => fetched(event));
self.addEventListener("push", (event) => event.waitUntil(received(event.data)));
self.addEventListener("notificationclick", (event) => event.waitUntil(clicked(event.notification, event.action)));
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renewed(event)));
self.addEventListener("sync", (event) => event.tag === SYNC_TAG && event.waitUntil(sendInBackground()));

async function prepare() {
  await storeShell(SHELL);
  // Pages of the version before have their files in its cache, so none has to be closed first.
  await self.skipWaiting();
}

async function takeOver() {
  await removeOldShells(SHELL.version);
  // Pages are fetched while this file starts, instead of after it.
  await self.registration.navigationPreload?.enable();
  await self.clients.claim();
  const pages = await self.clients.matchAll({ type: "window" });
  for (const page of pages) page.postMessage({ type: "version", version: SHELL.version });
}

function fetched(event) {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (origin !== self.location.origin) return;
  if (method === "POST" && pathname === SHARE_PATH) event.respondWith(receiveShared(event.request));
  if (method !== "GET") return;
  if (mode === "navigate" && !SERVER_PATHS.test(pathname)) event.respondWith(pageResponse(event, SHELL.version));
  else if (pathname.startsWith("/static/") && mode !== "navigate") event.respondWith(fileResponse(event.request, SHELL.version));
}
