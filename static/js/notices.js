/**
 * What happened to the signed-in person: the counters behind the badge, toasts for what arrives, and the listeners
 * of the page that lists it all.
 */

export class Notices extends EventTarget {
  #app;
  unseen = 0;

  constructor(app) {
    super();
    this.#app = app;
    app.live.on("notifications", ({ data }) => this.#heard(data));
    app.live.onGap("notifications", () => this.refresh());
  }

  /** Fetch the counters for the first time, while the live connection is being made. */
  async begin() {
    try {
      // First where the stream stands: the counters are not older than that.
      const { stream } = await this.#app.api.get("/notifications", { limit: 1 });
      await this.refresh();
      this.#app.live.fetched("notifications", stream);
    } catch {
      // Without it the stream begins where it is connected, and the counters are still wanted.
      await this.refresh();
    }
  }

  /** Fetch the counters. */
  async refresh() {
    if (!this.#app.session.user) {
      this.#count(0);
      return;
    }
    try {
      const { unseen } = await this.#app.api.get("/notifications/counters");
      this.#count(unseen);
      this.dispatchEvent(new Event("refresh"));
    } catch {
      // The badge stays as it was; the next notification brings the right number.
    }
  }

  /** Tell the server that the list has been looked at. */
  async markSeen() {
    if (this.unseen === 0) return;
    this.#count(0);
    try {
      await this.#app.api.post("/notifications/seen", {});
    } catch (error) {
      this.#app.toasts.error(error);
    }
  }

  #heard(data) {
    if (data.type === "notification.removed") {
      this.dispatchEvent(new CustomEvent("removed", { detail: data.notification_id }));
    }
    if (data.type === "notification") this.#announce(data.notification);
    if (data.counters) this.#count(data.counters.unseen);
  }

  #announce(notification) {
    // Whoever shows the list prevents the toast.
    const unclaimed = this.dispatchEvent(new CustomEvent("notification", { detail: notification, cancelable: true }));
    if (!unclaimed || notification.seen) return;
    this.#app.toasts.show(notification.text, { href: "/notifications", iconName: iconOf(notification.kind) });
  }

  #count(unseen) {
    this.unseen = unseen;
    this.dispatchEvent(new CustomEvent("count", { detail: unseen }));
  }
}

/** Return the sign of a kind of notification. */
export function iconOf(kind) {
  return { like: "heart", comment: "comment", follow: "people", follow_request: "people" }[kind] ?? "bell";
}
