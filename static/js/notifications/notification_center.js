/**
 * The notifications of the signed-in user: the counter for the badge, toasts for new notifications, and events for the
 * page that lists them ("notification", "changed", "marked", "removed", "removed-several", "refresh", "count").
 */

import { showAppBadge } from "./push.js";
import { fromServer, tn } from "../elements/texts.js";

/** In milliseconds. */
const PAUSE_MS = 300;
/** Of more notifications at once one toast shows the number. */
const MOST_TOASTS = 2;

export class NotificationCenter extends EventTarget {
  #app;
  /** Publications that wait for the end of the pause, and its timer; null without one. */
  #arrived = [];
  #pause = null;
  counters = { unseen: 0, unread: 0, kinds: {} };

  constructor(app) {
    super();
    this.#app = app;
    app.live.on("notifications", ({ data }) => this.#received(data));
    app.live.onGap("notifications", () => this.refresh());
  }

  /** Fetch the counters for the first time, while the live connection is established. */
  async begin() {
    try {
      // The position of the stream is fetched first, so that the counters are at least as new.
      const { stream, counters } = await this.#app.api.get("/notifications", { limit: 1 });
      this.setCounters(counters);
      this.#app.live.fetched("notifications", stream);
    } catch {
      // Without a position the stream begins with the connection; the counters are still needed.
      await this.refresh();
    }
  }

  /** Fetch the counters. */
  async refresh() {
    if (!this.#app.session.user) {
      this.setCounters({ unseen: 0, unread: 0, kinds: {} });
      return;
    }
    try {
      this.setCounters(await this.#app.api.get("/notifications/counters"));
      this.dispatchEvent(new Event("refresh"));
    } catch {
      // The badge stays as it was; the next notification has the right number.
    }
  }

  /** Mark the notifications as seen that have been shown: those up to a position, of some kinds or (null) of all. */
  async markSeen(position, kinds = null) {
    const counted = Object.entries(this.counters.kinds).filter(([kind, { unseen }]) => unseen > 0 && (kinds?.includes(kind) ?? true));
    if (counted.length === 0 || !position) return;
    const left = structuredClone(this.counters);
    for (const [kind, { unseen }] of counted) {
      left.kinds[kind].unseen = 0;
      left.unseen -= unseen;
    }
    this.setCounters(left);
    try {
      await this.#app.api.post("/notifications/seen", { up_to: position, kinds: kinds ?? undefined });
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  /** Take what arrives at once, and what follows within the pause together: of a burst there is one toast and one count. */
  #received(data) {
    this.#arrived.push(data);
    if (this.#pause !== null) return;
    this.#takeArrived();
  }

  #takeArrived() {
    const arrived = this.#arrived.splice(0);
    this.#pause = arrived.length > 0 ? setTimeout(() => this.#takeArrived(), PAUSE_MS) : null;
    const news = arrived.filter((data) => this.#distribute(data)).map(({ notification }) => notification);
    const counters = arrived.findLast((data) => data.counters)?.counters;
    if (counters) this.setCounters(counters);
    const link = { href: "/notifications" };
    if (news.length > MOST_TOASTS) this.#app.toasts.show(tn("{count} new notification", "{count} new notifications", news.length), { ...link, iconName: "bell" });
    else for (const notification of news) this.#app.toasts.show(fromServer(notification), { ...link, iconName: iconOf(notification.kind) });
  }

  /** Dispatch the event of a publication; return whether it is news that no page shows. */
  #distribute(data) {
    if (data.type === "notification.removed") {
      this.dispatchEvent(new CustomEvent("removed", { detail: data.notification_id }));
    }
    if (data.type === "notification") return this.#notify(data.notification);
    if (data.type === "notification.changed") {
      this.dispatchEvent(new CustomEvent("changed", { detail: data.notification }));
    }
    if (data.type === "notifications.removed") this.dispatchEvent(new CustomEvent("removed-several", { detail: data }));
    if (data.type === "notifications.marked") this.dispatchEvent(new CustomEvent("marked", { detail: data }));
    return false;
  }

  #notify(notification) {
    // The page that lists notifications cancels the event and so prevents the toast.
    const isNews = this.dispatchEvent(new CustomEvent("notification", { detail: notification, cancelable: true }));
    return isNews && !notification.seen;
  }

  /** Take over the counters of a response or publication. */
  setCounters(counters) {
    this.counters = counters;
    showAppBadge(counters.unseen);
    this.dispatchEvent(new CustomEvent("count", { detail: counters.unseen }));
  }
}

const ICONS = {
  like: "heart",
  comment_like: "heart",
  comment: "comment",
  reply: "comment",
  mention: "comment",
  follow: "people",
  follow_request: "people",
  follow_accepted: "people",
  post_by: "camera",
  photo_rejected: "image",
  moderation: "flag",
  report_answered: "flag",
  security: "lock",
  webhook_failing: "link",
  webhook_disabled: "link",
};

/** Return the name of the icon for a kind of notification. */
export function iconOf(kind) {
  return ICONS[kind] ?? "bell";
}
