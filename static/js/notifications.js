/** The list of notifications, newest first, with new ones added live at the top. */

import { emptyState, fill, h } from "./dom.js";
import { FollowRequests } from "./follow_requests.js";
import { photoPath, squareFrame } from "./photo_image.js";
import { pushOffer, pushSwitch } from "./push_switch.js";
import { timeElement } from "./time.js";
import { avatar, profilePath } from "./user.js";

/** Create the page at "/notifications". */
export function notificationsPage(app) {
  const page = new NotificationsPage(app);
  return { title: "Notifications", element: page.element, leave: () => page.leave() };
}

class NotificationsPage {
  #app;
  #rows = new Map();
  /** The ids of the users that each row is about. */
  #actors = new Map();
  /** Entries about accounts that are gone: the server keeps them, without a name. */
  #gone = new Set();
  #newest = "";
  #thumbs = new Map();
  #cursor = null;
  #fetched = false;
  #requests;
  #offer;
  #switch;
  #stop;
  #list = h("ul.notifications.panel");
  #tail = h("div", {}, h("div.spinner", { role: "status", "aria-label": "Loading" }));

  constructor(app) {
    this.#app = app;
    this.#requests = new FollowRequests(app);
    const head = h("div.page-head", {}, h("h1", {}, "Notifications"));
    this.#offer = pushOffer(app);
    this.#switch = pushSwitch(app);
    const device = h("section.push-device", {}, h("h2", {}, "On this device"), this.#switch.element);
    this.element = h("div", {}, head, this.#offer.element, this.#requests.element, this.#list, this.#tail, device);
    this.#list.hidden = true;
    app.notificationCenter.addEventListener("notification", this.#received);
    app.notificationCenter.addEventListener("count", this.#countChanged);
    app.notificationCenter.addEventListener("changed", this.#changed);
    app.notificationCenter.addEventListener("marked", this.#marked);
    app.notificationCenter.addEventListener("removed", this.#removed);
    app.notificationCenter.addEventListener("refresh", this.#reload);
    this.#stop = app.accounts.watch((userId) => this.#accountHidden(userId));
    app.toasts.clear("/notifications");
    this.#load();
  }

  leave() {
    this.#stop();
    this.#offer.leave();
    this.#switch.leave();
    this.#app.notificationCenter.removeEventListener("notification", this.#received);
    this.#app.notificationCenter.removeEventListener("count", this.#countChanged);
    this.#app.notificationCenter.removeEventListener("changed", this.#changed);
    this.#app.notificationCenter.removeEventListener("marked", this.#marked);
    this.#app.notificationCenter.removeEventListener("removed", this.#removed);
    this.#app.notificationCenter.removeEventListener("refresh", this.#reload);
  }

  async #load(cursor = null) {
    try {
      if (!cursor) await this.#requests.load();
      const { items, next, stream } = await this.#app.api.get("/notifications", { cursor, limit: 30 });
      if (!this.#fetched) this.#app.live.fetched("notifications", stream);
      this.#fetched = true;
      this.#cursor = next;
      for (const notification of items) if (!this.#gone.has(notification.id)) this.#put(notification, false);
      this.#updateTail();
      await this.#app.notificationCenter.markSeen(this.#newest);
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: () => this.#load(cursor) }, "Try again");
      fill(this.#tail, emptyState("cloud", "Could not load notifications", error.message, again));
    }
  }

  #reload = () => this.#load();

  #received = (event) => {
    if (document.visibilityState === "hidden") return;
    event.preventDefault();
    this.#put(event.detail, true);
    this.#updateTail();
    if (event.detail.kind === "follow_request") this.#requests.load().catch((error) => this.#app.toasts.error(error));
  };

  /** Mark what arrives while the list is open as seen; the counters may arrive after the list was marked. */
  #countChanged = ({ detail: unseen }) => {
    if (unseen > 0 && document.visibilityState === "visible") this.#app.notificationCenter.markSeen(this.#newest);
  };

  /** Show a change that brings no news where the notification is; one that is not in the list belongs somewhere below. */
  #changed = ({ detail: notification }) => {
    const row = this.#rows.get(notification.id);
    if (!row) {
      if (document.visibilityState === "visible") this.#reload();
      return;
    }
    const changed = this.#row(notification);
    row.replaceWith(changed);
    this.#rows.set(notification.id, changed);
  };

  /** Show what another device of the user has marked. What this page marks as seen itself stays highlighted. */
  #marked = ({ detail: { mark, ids, up_to: position } }) => {
    if (mark === "seen" && document.visibilityState === "visible") return;
    for (const [id, row] of this.#rows) {
      const included = (!ids || ids.includes(id)) && (!position || row.dataset.position <= position);
      if (included) row.classList.remove("new");
    }
  };

  #removed = ({ detail: id }) => {
    this.#rows.get(id)?.remove();
    this.#rows.delete(id);
    this.#actors.delete(id);
    this.#updateTail();
  };

  /** Remove the entries about a user alone, and fetch those about several. */
  #accountHidden(userId) {
    const concerned = [...this.#actors].filter(([, actors]) => actors.includes(userId));
    const shared = concerned.filter(([, actors]) => actors.length > 1);
    for (const [id, actors] of concerned) {
      if (actors.length > 1) continue;
      this.#gone.add(id);
      this.#rows.get(id)?.remove();
      this.#rows.delete(id);
      this.#actors.delete(id);
    }
    this.#updateTail();
    if (shared.length > 0) this.#app.notificationCenter.refresh();
  }

  /** Show a notification; a newer version of it, with one more user, replaces the older one. */
  #put(notification, first) {
    const row = this.#row(notification);
    if (notification.position > this.#newest) this.#newest = notification.position;
    this.#rows.get(notification.id)?.remove();
    this.#rows.set(notification.id, row);
    if (first) {
      row.classList.add("arriving");
      this.#list.prepend(row);
    } else this.#list.append(row);
  }

  #updateTail() {
    this.#list.hidden = this.#rows.size === 0;
    this.#offer.consider(this.#rows.size);
    const more = h("button.button.plain", { type: "button", onclick: () => this.#load(this.#cursor) }, "Show older");
    if (this.#rows.size > 0) fill(this.#tail, this.#cursor && h("div.empty-state", {}, more));
    else fill(this.#tail, emptyState("bell", "No notifications yet", "Likes, comments and new followers appear here at once."));
  }

  #row(notification) {
    this.#actors.set(notification.id, notification.actors.map(({ id }) => id));
    return h(
      "li",
      { class: notification.seen ? null : "new", data: { notification: notification.id, position: notification.position } },
      h(
        "a.notification",
        { href: this.#target(notification), onclick: () => this.#opened(notification) },
        h("span.avatars", {}, notification.actors.slice(0, 2).map((user) => avatar(user))),
        h("span.notification-text", {}, h("p", {}, notification.text), notification.comment && h("p.secondary", {}, notification.comment.excerpt), h("span.secondary.small", {}, timeElement(notification.updated_at ?? notification.created_at))),
        notification.photo_id && this.#thumb(notification.photo_id),
      ),
    );
  }

  #target(notification) {
    if (notification.photo_id) return photoPath(notification.photo_id);
    if (notification.decision_id) return "/settings/decisions";
    if (notification.kind === "export_ready") return "/settings/data";
    if (notification.webhook_id) return `/settings/webhooks/${notification.webhook_id}`;
    if (notification.kind.startsWith("webhook_")) return "/settings/webhooks";
    return notification.actors[0] ? profilePath(notification.actors[0]) : "/notifications";
  }

  async #opened(notification) {
    if (notification.read) return;
    try {
      await this.#app.api.post("/notifications/read", { ids: [notification.id], up_to: notification.position });
    } catch {
      // The notification stays unread, which does no harm.
    }
  }

  #thumb(id) {
    const thumb = h("span.thumb");
    if (!this.#thumbs.has(id)) this.#thumbs.set(id, this.#app.api.get(`/photos/${id}`).catch(() => null));
    this.#thumbs.get(id).then((photo) => photo && fill(thumb, squareFrame(photo, 48)));
    return thumb;
  }
}
