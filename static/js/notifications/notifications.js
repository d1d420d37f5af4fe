/** The list of notifications, newest first, with new ones added live at the top. */

import { confirmDialog, emptyState, fill, h } from "../elements/dom.js";
import { unavailable } from "../elements/unavailable.js";
import { FollowRequests } from "../users/follow_requests.js";
import { NotificationFilters } from "./notification_filters.js";
import { notificationRow } from "./notification_row.js";
import { squareFrame } from "../photo/photo_image.js";
import { menu } from "../elements/menu.js";
import { pushOffer, pushSwitch } from "./push_switch.js";
import { t } from "../elements/texts.js";

/** Create the page at "/notifications". */
export function notificationsPage(app) {
  const page = new NotificationsPage(app);
  return { title: t("Notifications"), element: page.element, leave: () => page.leave(), refresh: () => page.refresh() };
}

class NotificationsPage {
  #app;
  /** The shown entries by id: {notification, row}. */
  #shown = new Map();
  /** Entries that are gone: about accounts that are, or deleted on this page. */
  #gone = new Set();
  #newest = "";
  #thumbs = new Map();
  #cursor = null;
  #fetched = false;
  #requests;
  #filters;
  #offer;
  #switch;
  #stops = [];
  #list = h("ul.notifications.panel");
  #tail = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading") }));

  constructor(app) {
    this.#app = app;
    this.#requests = new FollowRequests(app);
    this.#filters = new NotificationFilters(() => this.#filterChanged());
    const options = menu(t("Options for notifications"), [
      ["check", t("Mark all as read"), () => this.#markRead()],
      ["trash", t("Delete all that are read"), () => this.#deleteRead()],
    ]);
    const head = h("div.page-head", {}, h("h1", {}, t("Notifications")), options);
    this.#offer = pushOffer(app);
    this.#switch = pushSwitch(app);
    const device = h("section.push-device", {}, h("h2", {}, t("On this device")), this.#switch.element);
    this.element = h("div", {}, head, this.#offer.element, this.#filters.element, this.#requests.element, this.#list, this.#tail, device);
    this.#list.hidden = true;
    const center = app.notificationCenter;
    const listeners = {
      notification: this.#received,
      count: this.#countChanged,
      changed: this.#changed,
      marked: this.#marked,
      removed: ({ detail }) => this.#remove([detail]),
      "removed-several": this.#removedSeveral,
      refresh: () => this.#load(),
    };
    for (const [name, listener] of Object.entries(listeners)) {
      center.addEventListener(name, listener);
      this.#stops.push(() => center.removeEventListener(name, listener));
    }
    this.#stops.push(app.accounts.watch((userId) => this.#accountHidden(userId)));
    app.toasts.clear("/notifications");
    this.#load();
  }

  /** Load the newest notifications. */
  refresh() {
    return this.#load();
  }

  leave() {
    for (const stop of this.#stops) stop();
    this.#offer.leave();
    this.#switch.leave();
  }

  async #load(cursor = null) {
    const { kinds } = this.#filters;
    this.#requests.element.hidden = kinds !== null && !kinds.includes("follow_request");
    try {
      if (!cursor) await this.#requests.load();
      const found = await this.#app.api.get("/notifications", { cursor, limit: 30, kinds: kinds?.join() });
      if (kinds !== this.#filters.kinds) return;
      if (!this.#fetched) this.#app.live.fetched("notifications", found.stream);
      this.#fetched = true;
      this.#cursor = found.next;
      const former = this.#shown;
      if (!cursor) {
        this.#shown = new Map();
        this.#list.replaceChildren();
      }
      for (const notification of found.items) if (!this.#gone.has(notification.id)) this.#put(notification, false, former);
      this.#updateTail();
      if (found.counters) this.#app.notificationCenter.setCounters(found.counters);
      await this.#markSeen();
    } catch (error) {
      fill(this.#tail, unavailable(this.#app, { heading: t("Could not load notifications"), error, again: () => this.#load(cursor) }));
    }
  }

  #filterChanged() {
    this.#shown.clear();
    this.#list.replaceChildren();
    this.#list.hidden = true;
    this.#newest = "";
    this.#cursor = null;
    fill(this.#tail, h("div.spinner", { role: "status", "aria-label": t("Loading") }));
    this.#load();
  }

  #markSeen() {
    return this.#app.notificationCenter.markSeen(this.#newest, this.#filters.kinds);
  }

  #received = (event) => {
    if (document.visibilityState === "hidden" || !this.#filters.includes(event.detail)) return;
    event.preventDefault();
    this.#put(event.detail, true);
    this.#updateTail();
    if (event.detail.kind === "follow_request") this.#requests.load().catch((error) => this.#app.toasts.error(error));
  };

  /** Mark what arrives while the list is open as seen; the counters may arrive after the list was marked. */
  #countChanged = ({ detail: unseen }) => {
    this.#filters.count(this.#app.notificationCenter.counters.kinds);
    if (unseen > 0 && document.visibilityState === "visible" && this.#fetched) this.#markSeen();
  };

  /** Show a change that brings no news where the notification is; one that is not in the list belongs somewhere below. */
  #changed = ({ detail: notification }) => {
    this.#gone.delete(notification.id);
    if (!this.#filters.includes(notification)) return;
    const shown = this.#shown.get(notification.id);
    if (!shown) {
      if (document.visibilityState === "visible") this.#load();
      return;
    }
    const row = this.#row(notification);
    shown.row.replaceWith(row);
    this.#shown.set(notification.id, { notification, row });
  };

  /** Show what another device of the user has marked. What this page marks as seen itself stays highlighted. */
  #marked = ({ detail: chosen }) => {
    for (const { notification, row } of this.#chosen(chosen)) {
      if (chosen.mark === "read") notification.read = true;
      if (chosen.mark === "read" || document.visibilityState === "hidden") row.classList.remove("new");
    }
  };

  #removedSeveral = ({ detail: chosen }) => {
    const removed = this.#chosen(chosen).filter(({ notification }) => !chosen.read || notification.read);
    this.#remove(removed.map(({ notification }) => notification.id));
  };

  /** Return the shown entries that all conditions of a publication choose. */
  #chosen({ ids, up_to: position, kinds }) {
    return [...this.#shown.values()].filter(
      ({ notification }) =>
        (!ids || ids.includes(notification.id)) &&
        (!position || notification.position <= position) &&
        (!kinds || kinds.includes(notification.kind)),
    );
  }

  #remove(ids) {
    for (const id of ids) {
      this.#shown.get(id)?.row.remove();
      this.#shown.delete(id);
    }
    this.#updateTail();
  }

  /** Remove the entries about a user alone, and fetch those about several. */
  #accountHidden(userId) {
    const concerned = [...this.#shown.values()].filter(({ notification }) => notification.actors.some(({ id }) => id === userId));
    const alone = concerned.filter(({ notification }) => notification.actors.length === 1).map(({ notification }) => notification.id);
    for (const id of alone) this.#gone.add(id);
    this.#remove(alone);
    if (concerned.length > alone.length) this.#app.notificationCenter.refresh();
  }

  /** Show a notification; a newer version of it, with one more user, replaces the one in `former`. */
  #put(notification, first, former = this.#shown) {
    const row = this.#row(notification);
    const before = former.get(notification.id);
    // What this page has marked as seen stays highlighted.
    if (before?.row.classList.contains("new") && before.notification.position === notification.position) row.classList.add("new");
    if (notification.position > this.#newest) this.#newest = notification.position;
    before?.row.remove();
    this.#shown.set(notification.id, { notification, row });
    if (first) {
      row.classList.add("arriving");
      this.#list.prepend(row);
    } else this.#list.append(row);
  }

  #updateTail() {
    this.#list.hidden = this.#shown.size === 0;
    this.#offer.consider(this.#shown.size);
    const more = h("button.button.plain", { type: "button", onclick: () => this.#load(this.#cursor) }, t("Show older"));
    if (this.#shown.size > 0) fill(this.#tail, this.#cursor && h("div.empty-state", {}, more));
    else if (this.#cursor) this.#load(this.#cursor);
    else fill(this.#tail, emptyState(...this.#filters.empty));
  }

  #row(notification) {
    const thumb = notification.photo_id && this.#thumb(notification.photo_id);
    return notificationRow(notification, thumb, { opened: () => this.#opened(notification), deleted: () => this.#delete(notification) });
  }

  async #opened(notification) {
    if (notification.read) return;
    try {
      await this.#app.api.post("/notifications/read", { ids: [notification.id], up_to: notification.position });
    } catch {
      // The notification stays unread, which does no harm.
    }
  }

  async #delete({ id }) {
    this.#gone.add(id);
    this.#remove([id]);
    try {
      await this.#app.api.delete(`/notifications/${id}`);
      this.#app.toasts.show(t("Notification deleted"), { action: [t("Undo"), () => this.#undo(id)] });
    } catch (error) {
      this.#gone.delete(id);
      this.#app.toasts.error(error);
      this.#load();
    }
  }

  async #undo(id) {
    try {
      await this.#app.api.post(`/notifications/${id}/restore`);
      this.#gone.delete(id);
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  async #markRead() {
    await this.#try(() => this.#app.api.post("/notifications/read", { up_to: this.#newest || undefined, kinds: this.#filters.kinds ?? undefined }));
  }

  async #deleteRead() {
    const agreed = await confirmDialog({
      heading: t("Delete notifications?"),
      text: t("All notifications here that you have opened, or marked as read, are deleted on all your devices."),
      action: t("Delete"),
    });
    if (agreed) await this.#try(() => this.#app.api.request("DELETE", "/notifications", { query: { read: "true", up_to: this.#newest || null, kinds: this.#filters.kinds?.join() ?? null } }));
  }

  async #try(change) {
    try {
      await change();
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  #thumb(id) {
    const thumb = h("span.thumb");
    if (!this.#thumbs.has(id)) this.#thumbs.set(id, this.#app.api.get(`/photos/${id}`).catch(() => null));
    this.#thumbs.get(id).then((photo) => photo && fill(thumb, squareFrame(photo, 48)));
    return thumb;
  }
}
