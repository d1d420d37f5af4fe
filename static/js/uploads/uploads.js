/**
 * Uploads in progress: sent with a progress bar, watched until the photo is ready or rejected, and shown in a tray above
 * the current page.
 *
 * The browser keeps each one until its photo is ready, so that it goes on after a reload. One tab at a time works on an
 * upload; when that tab is closed, the next one that is open goes on.
 */

import { idempotencyKey } from "../service/api.js";
import { BrowserStore } from "../service/browser_store.js";
import { h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { withLongTabLock } from "../service/tab_lock.js";
import { UploadItem } from "./upload_item.js";

/** Delays between requests for a photo's state, for the case that live delivery does not report it first. */
const POLL_DELAYS_MS = [700, 1500, 3000, 5000, 8000, 13_000, 20_000];

export class Uploads {
  #app;
  #store = new BrowserStore("uploads");
  #items = new Set();
  #readyListeners = new Set();
  #watched = new Map();
  element = h("section.tray", { "aria-label": t("Uploads") });

  constructor(app) {
    this.#app = app;
    addEventListener("beforeunload", (event) => {
      // Nothing would be lost, but the photo would not be shared before the next visit. So the browser asks.
      if (this.areSending) event.preventDefault();
    });
    app.live.on("feed", ({ data }) => {
      if (data.type === "photo.new") this.#watched.get(data.photo.id)?.finish(data.photo);
    });
    app.live.on("notifications", ({ data }) => {
      const { kind, photo_id: id } = data.notification ?? {};
      if (kind === "photo_rejected") this.#watched.get(id)?.poll();
    });
  }

  /** Whether this tab sends something. */
  get areSending() {
    return this.element.querySelector(".tray-item.sending") !== null;
  }

  /** Call `listener(photo)` for each uploaded photo that is ready; returns a function that removes it. */
  onReady(listener) {
    this.#readyListeners.add(listener);
    return () => this.#readyListeners.delete(listener);
  }

  /** Go on with the uploads that the browser has kept for the user who is signed in now. */
  async begin() {
    for (const { id } of await this.#store.list(this.#app.session.id)) {
      withLongTabLock(lockName(id), async () => {
        // Another tab may have finished it, and another user may have signed in.
        const record = await this.#store.get(id);
        if (record?.content.pictures && record.user === this.#app.session.id) await this.#show(record).ended;
      });
    }
  }

  /**
   * Start to upload `content` {pictures, caption, tags, location, audience, sensitive}.
   *
   * Of each picture {file, altText, url, uploadId}, the latter two are what the server has of it from an earlier attempt.
   */
  start(content) {
    const id = idempotencyKey();
    const user = this.#app.session.id;
    const size = content.pictures.reduce((sum, { file }) => sum + file.size, 0);
    const record = { id, user, size, savedAt: Date.now(), content, photoId: null, error: null };
    this.#store.add({ ...record });
    const item = this.#show(record);
    withLongTabLock(lockName(id), () => item.ended);
  }

  /** Stop every upload when another user signs in. */
  clear() {
    for (const item of this.#items) item.stop();
    for (const watch of this.#watched.values()) watch.stop();
    this.#watched.clear();
  }

  /** Remove what the browser keeps of a user. */
  async forget(user) {
    await this.#store.removeAll(user);
  }

  #show(record) {
    const item = new UploadItem(this.#app, record, {
      keep: (fields) => this.#store.update(record.id, fields),
      watch: (photo) => this.#watch(item, photo),
      forget: () => this.#store.remove(record.id),
      removed: () => {
        this.#items.delete(item);
        this.#watched.delete(item.photoId);
      },
      edit: (refused) => this.#app.editRefused(refused),
    });
    this.#items.add(item);
    this.element.prepend(item.element);
    item.begin();
    return item;
  }

  #watch(item, photo) {
    let timer = null;
    let polls = 0;
    const finish = (current) => {
      if (current.state === "processing" || !this.#watched.has(photo.id)) return;
      clearTimeout(timer);
      this.#watched.delete(photo.id);
      item.finished(current);
      if (current.state === "ready") for (const listener of this.#readyListeners) listener(current);
    };
    const poll = async () => {
      try {
        finish(await this.#app.api.get(`/photos/${photo.id}`));
      } catch (error) {
        if (error.status === 404) finish({ ...photo, state: "rejected" });
      }
      pollLater();
    };
    const pollLater = () => {
      if (!this.#watched.has(photo.id)) return;
      clearTimeout(timer);
      timer = setTimeout(poll, POLL_DELAYS_MS[Math.min(polls++, POLL_DELAYS_MS.length - 1)]);
    };
    this.#watched.set(photo.id, { finish, poll, stop: () => clearTimeout(timer) });
    if (photo.state === "processing") pollLater();
    else finish(photo);
  }
}

function lockName(id) {
  return `picshare.upload.${id}`;
}
