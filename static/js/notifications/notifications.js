/** The list of notifications, newest first, with new ones added live at the top. */

import { coalesced } from "../elements/coalesced.js";
import { confirmDialog, emptyState, fill, h } from "../elements/dom.js";
import { unavailable } from "../elements/unavailable.js";
import { FollowRequests } from "../users/follow_requests.js";
import { NotificationFilters } from "./notification_filters.js";
import { notificationRow } from "./notification_row.js";
import { NotificationRows } from "./notification_rows.js";
import { squareFrame } from "../photo/photo_image.js";
import { menu } from "../elements/menu.js";
import { pushOffer, pushSwitch } from "./push_switch.js";
import { t } from "../elements/texts.js";

/** After so many that arrive while the list is open, the newest page is fetched instead. */
const MOST_ARRIVED = 40;

/** Create the page at "/notifications". */
export function notificationsPage(app) {
  const page = new NotificationsPage(app);
  return { title: t("Notifications"), element: page.element, leave: () => page.leave(), refresh: () => page.refresh() };
}

class NotificationsPage {
  #app;
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
  #rows = new NotificationRows((notification) => this.#row(notification));
  /** How many have arrived since the newest page was fetched. */
  #arrived = 0;
  #loads = 0;
  /** Whether the newest page is being fetched; what arrives meanwhile may be missing in it. */
  #isLoading = false;
  #reload = coalesced(() => this.#load());
  #loadRequests = coalesced(() => this.#requests.load().catch((error) => this.#app.toasts.error(error)));
  #newer = h("div.empty-state", { hidden: true }, h("button.button.plain", { type: "button", onclick: () => this.#backToNewest() }, t("Back to the newest notifications")));
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
    this.element = h("div", {}, head, this.#offer.element, this.#filters.element, this.#requests.element, this.#newer, this.#rows.element, this.#tail, device);
    const center = app.notificationCenter;
    const listeners = {
      notification: this.#received,
      count: this.#countChanged,
      changed: this.#changed,
      marked: this.#marked,
      removed: ({ detail }) => this.#remove([detail]),
      "removed-several": this.#removedSeveral,
      refresh: () => this.#reload(),
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
    const load = ++this.#loads;
    const { kinds } = this.#filters;
    this.#isLoading = cursor === null;
    this.#requests.element.hidden = kinds !== null && !kinds.includes("follow_request");
    try {
      if (!cursor) await this.#requests.load();
      const found = await this.#app.api.get("/notifications", { cursor, limit: 30, kinds: kinds?.join() });
      if (load !== this.#loads) return;
      this.#isLoading = false;
      if (!this.#fetched) this.#app.live.fetched("notifications", found.stream);
      this.#fetched = true;
      this.#show(found, cursor === null);
      if (found.counters) this.#app.notificationCenter.setCounters(found.counters);
      await this.#markSeen();
    } catch (error) {
      if (load !== this.#loads) return;
      this.#isLoading = false;
      fill(this.#tail, unavailable(this.#app, { heading: t("Could not load notifications"), error, again: () => this.#load(cursor) }));
    }
  }

  #show({ items, next }, isNewest) {
    this.#cursor = next;
    const shown = items.filter(({ id }) => !this.#gone.has(id));
    for (const { position } of shown) this.#noteNewest(position);
    if (isNewest) this.#rows.replace(shown);
    else this.#rows.append(shown);
    if (isNewest) this.#arrived = 0;
    this.#updateTail();
  }

  #noteNewest(position) {
    if (position > this.#newest) this.#newest = position;
  }

  async #backToNewest() {
    await this.#reload();
    scrollTo({ top: 0, behavior: "instant" });
    this.#rows.element.querySelector("a")?.focus({ preventScroll: true });
  }

  #filterChanged() {
    this.#rows.clear();
    this.#newest = "";
    this.#cursor = null;
    fill(this.#tail, h("div.spinner", { role: "status", "aria-label": t("Loading") }));
    this.#load();
  }

  #markSeen() {
    return this.#app.notificationCenter.markSeen(this.#newest, this.#filters.kinds);
  }

  #received = (event) => {
    const notification = event.detail;
    if (document.visibilityState === "hidden" || !this.#filters.includes(notification)) return;
    if (notification.kind === "follow_request") this.#loadRequests();
    this.#arrived += 1;
    if (this.#arrived > MOST_ARRIVED && scrollY > innerHeight) this.#cut();
    // It belongs before the first row; a message says that there is something new.
    if (this.#rows.isCut) return;
    event.preventDefault();
    if (this.#arrived > MOST_ARRIVED || this.#isLoading) {
      this.#reload();
      return;
    }
    this.#noteNewest(notification.position);
    this.#rows.insert(notification).classList.add("arriving");
    this.#updateTail();
  };

  #cut() {
    this.#rows.isCut = true;
    this.#updateTail();
  }

  /** Mark what arrives while the list is open as seen; the counters may arrive after the list was marked. */
  #countChanged = ({ detail: unseen }) => {
    this.#filters.count(this.#app.notificationCenter.counters.kinds);
    if (unseen > 0 && document.visibilityState === "visible" && this.#fetched) this.#markSeen();
  };

  /** Show a change that brings no news where the notification is; one that is not in the list belongs where its position is. */
  #changed = ({ detail: notification }) => {
    this.#gone.delete(notification.id);
    if (!this.#filters.includes(notification)) return;
    if (this.#rows.has(notification.id)) this.#rows.change(notification);
    else if (document.visibilityState === "visible" && this.#fetched && this.#covers(notification)) {
      this.#rows.insert(notification);
      this.#updateTail();
    }
  };

  /** Return whether the place of a notification is among the rows, and not before or after them. */
  #covers({ position }) {
    const positions = this.#rows.all.map(({ notification }) => notification.position);
    const isBefore = positions.every((other) => other < position);
    const isAfter = positions.every((other) => other > position);
    return !(isBefore && this.#rows.isCut) && !(isAfter && this.#cursor);
  }

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
    return this.#rows.all.filter(
      ({ notification }) =>
        (!ids || ids.includes(notification.id)) &&
        (!position || notification.position <= position) &&
        (!kinds || kinds.includes(notification.kind)),
    );
  }

  #remove(ids) {
    this.#rows.remove(ids);
    this.#updateTail();
  }

  /** Remove the entries about a user alone, and fetch those about several. */
  #accountHidden(userId) {
    const concerned = this.#rows.all.filter(({ notification }) => notification.actors.some(({ id }) => id === userId));
    const alone = concerned.filter(({ notification }) => notification.actors.length === 1).map(({ notification }) => notification.id);
    for (const id of alone) this.#gone.add(id);
    this.#remove(alone);
    if (concerned.length > alone.length) this.#app.notificationCenter.refresh();
  }

  #updateTail() {
    const { size } = this.#rows;
    this.#newer.hidden = !this.#rows.isCut;
    this.#offer.consider(size);
    const more = h("button.button.plain", { type: "button", onclick: () => this.#load(this.#cursor) }, t("Show older"));
    if (size > 0) fill(this.#tail, this.#cursor && h("div.empty-state", {}, more));
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
