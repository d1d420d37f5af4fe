/**
 * The notifications of the signed-in user: the counter for the badge, toasts for new notifications, and events for the
 * page that lists them ("notification", "changed", "marked", "removed", "refresh", "count").
 */

import { showAppBadge } from "./push.js";

export class NotificationCenter extends EventTarget {
  #app;
  unseenCount = 0;

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
      const { stream } = await this.#app.api.get("/notifications", { limit: 1 });
      await this.refresh();
      this.#app.live.fetched("notifications", stream);
    } catch {
      // Without a position the stream begins with the connection; the counters are still needed.
      await this.refresh();
    }
  }

  /** Fetch the counters. */
  async refresh() {
    if (!this.#app.session.user) {
      this.#setCount(0);
      return;
    }
    try {
      const { unseen } = await this.#app.api.get("/notifications/counters");
      this.#setCount(unseen);
      this.dispatchEvent(new Event("refresh"));
    } catch {
      // The badge stays as it was; the next notification has the right number.
    }
  }

  /** Mark the notifications as seen that have been shown: those up to a position. */
  async markSeen(position) {
    if (this.unseenCount === 0 || !position) return;
    this.#setCount(0);
    try {
      await this.#app.api.post("/notifications/seen", { up_to: position });
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  #received(data) {
    if (data.type === "notification.removed") {
      this.dispatchEvent(new CustomEvent("removed", { detail: data.notification_id }));
    }
    if (data.type === "notification") this.#notify(data.notification);
    if (data.type === "notification.changed") {
      this.dispatchEvent(new CustomEvent("changed", { detail: data.notification }));
    }
    if (data.type === "notifications.marked") this.dispatchEvent(new CustomEvent("marked", { detail: data }));
    if (data.counters) this.#setCount(data.counters.unseen);
  }

  #notify(notification) {
    // The page that lists notifications cancels the event and so prevents the toast.
    const showToast = this.dispatchEvent(new CustomEvent("notification", { detail: notification, cancelable: true }));
    if (!showToast || notification.seen) return;
    this.#app.toasts.show(notification.text, { href: "/notifications", iconName: iconOf(notification.kind) });
  }

  #setCount(unseen) {
    this.unseenCount = unseen;
    showAppBadge(unseen);
    this.dispatchEvent(new CustomEvent("count", { detail: unseen }));
  }
}

/** Return the name of the icon for a kind of notification. */
export function iconOf(kind) {
  return { like: "heart", comment_like: "heart", comment: "comment", reply: "comment", mention: "comment", follow: "people", follow_request: "people", follow_accepted: "people" }[kind] ?? "bell";
}
